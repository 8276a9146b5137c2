"""A judge whose rows depend on each other, and workers of `deliver` that die, are refused, and write late.

`ChainedJudge` changes some of its rows by the values of others, so that a single row of another time leads to other
messages from then on. `Changelog` keeps rows with the term of the worker that wrote them, as a fenced table does.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from alerts import AlertEvent
from alerts.judge import Answer, Clock, Decided, Effects, Entry, Event, Outcome, Plan, Seal
from alerts.judge.decisions import Note
from streams.alert_log import Clock as ClockRecord
from streams.alert_log import Forwarded, clock_send, forwarded_send, seal_send, tick_header
from streams.alert_log import Seal as SealRecord
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.errors import Retry, TransportError
from streams.stages.deliver import DeliverStage
from streams.stages.deliver_journal import restored
from streams.stages.deliver_judging import Judging
from streams.stages.deliver_rows import (
    DECISION_PREFIX,
    EVENT_PREFIX,
    PARTITION_KEY,
    PLAN_PREFIX,
    PartitionRow,
    decoded_body,
    decoded_decision,
)
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.engine.positions_harness import Crash, Fuse
from tests.stages.deliver_harness import EPOCH, FakeReceiver, group_of

RECEIVERS = ("file", "webhook")
ROWS = 7
TICK_MS = 30_000


class ChainedJudge:
    """Every entry stirs three of its rows with two others; some of the results are messages."""

    now_ms = 0
    lagging: tuple[int, ...] = ()
    away: tuple[int, ...] = ()
    next_timer_ms: int | None = None

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._values = {key: int(row) for key, row in rows.items()}
        self._dirty: dict[str, bytes | None] = {}

    def apply(self, entry: Entry, position: int) -> Effects:
        effects, said = Effects(), zlib.crc32(repr(_said(entry)).encode())
        for turn in range(3):
            key, other = f"j/{(said >> turn) % ROWS}", f"j/{(said >> turn + 5) % ROWS}"
            value = (self._values.get(key, 0) * 31 + self._values.get(other, 7) + said) % 1_000_003
            self._set(key, value)
            if value % 5 == 0:
                self._set(other, None)
        if value % 3 == 0:
            message = msgspec.structs.replace(delivery_event(f"m{value}"), revision=1 + value % 2)
            effects.plans = [Plan(name, group_of(message, name)) for name in RECEIVERS]
        if isinstance(entry, Decided):
            outcome = Outcome.ACCEPTED if value % 2 else Outcome.MOVED
            effects.answers = [Answer(decision=entry.decision.id, outcome=outcome, version=value)]
        return effects

    def _set(self, key: str, value: int | None) -> None:
        if value is None:
            self._values.pop(key, None)
            self._dirty[key] = None
        else:
            self._values[key] = value
            self._dirty[key] = b"%d" % value

    def take_rows(self) -> dict[str, bytes | None]:
        rows, self._dirty = self._dirty, {}
        return rows


def _said(entry: Entry) -> object:
    match entry:
        case Event():
            return "event", entry.alert.id, entry.alert.revision, entry.partition, entry.tick_ms
        case Seal() | Clock():
            return entry
        case Decided():
            return "decided", entry.decision.id


@dataclass
class Changelog:
    """Rows as the log of a fenced table leaves them: of two of a key, the one of the later term."""

    rows: dict[str, tuple[int, bytes | None]] = field(default_factory=dict)
    terms: int = 0

    def take(self, term: int, key: str, row: bytes | None) -> None:
        if term >= self.rows.get(key, (0, None))[0]:
            self.rows[key] = term, row

    def worker(self, fuse: Fuse) -> TermState:
        self.terms += 1
        return TermState(self, fuse, self.terms, {key: row for key, (_, row) in self.rows.items() if row is not None})


@dataclass
class TermState:
    """The rows of one worker. While it is `paused` what it writes is on its way, and nothing is acknowledged."""

    log: Changelog
    fuse: Fuse
    term: int
    rows: dict[str, bytes]
    paused: bool = False
    late: list[tuple[str, bytes | None]] = field(default_factory=list)

    def get(self, partition: int, key: str) -> bytes | None:
        return self.rows.get(key)

    def items(self, partition: int) -> Iterable[tuple[str, bytes]]:
        return list(self.rows.items())

    async def put(self, partition: int, rows: Mapping[str, bytes | None]) -> None:
        if self.paused:
            self.late += rows.items()
            raise Crash
        for key, row in rows.items():
            self.fuse.burn()
            self.log.take(self.term, key, row)
        for key, row in rows.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row

    def land(self, count: int) -> None:
        """The first of what was on its way arrives."""
        for key, row in self.late[:count]:
            self.log.take(self.term, key, row)


@dataclass
class Left:
    """What a log led to: what was planned and says what, what was answered, and the judge's rows."""

    planned: set[str]
    said: dict[str, object]
    answers: dict[str, Answer]
    judge: dict[str, bytes]


MakeJudge = Callable[[Mapping[str, bytes]], Judging]


async def judged(rng: random.Random, records: Sequence[Record], make: MakeJudge, *, calm: bool = False) -> Left:
    """Workers take the log over from each other until all of it is judged."""
    log, fuse = Changelog(), Fuse()
    state, position = log.worker(fuse), 0
    stage = stage_of(state, make)
    while position < len(records):
        end = min(len(records), position + rng.randint(1, 5))
        run = Run("alerts", 0, 1, EPOCH, records[position:end], len(records))
        fuse.left = None
        if not calm and rng.random() < 0.5:
            fuse.set(rng, 30)
        state.paused = not calm and rng.random() < 0.1
        try:
            await stage.handle(run)
        except Crash:
            late, position = state, rng.randint(max(0, position - 3), position)  # commits come behind the rows
            fuse.left = None
            state = log.worker(fuse)
            stage = stage_of(state, make)
            if late.late and rng.random() < 0.7:
                await stage.idle(0, 0)  # it has taken over before they arrive
            late.land(rng.randint(0, len(late.late)))
            if rng.random() < 0.5:
                state = log.worker(fuse)
                stage = stage_of(state, make)
            continue
        except (Retry, TransportError):
            continue
        position = end
    return _left(log.worker(Fuse()))


def stage_of(state: TermState, make: MakeJudge, clock: Callable[[], int] = lambda: NOW_MS) -> DeliverStage:
    """A worker that has just started."""
    return DeliverStage(MemoryArchive(), [FakeReceiver(name) for name in RECEIVERS], state, make, clock=clock)


def _left(state: TermState) -> Left:
    row = PartitionRow.restored(state.rows[PARTITION_KEY])
    found = restored(state.rows, row.own_offset)
    assert found.own_offset == row.own_offset, "the last write is whole"
    return Left(
        {key for key in state.rows if key.startswith(PLAN_PREFIX)},
        {key: decoded_body(row) for key, row in state.rows.items() if key.startswith(EVENT_PREFIX)},
        {key: decoded_decision(row).answer for key, row in state.rows.items() if key.startswith(DECISION_PREFIX)},
        dict(found.rows),
    )


# -- logs


def log_of(rng: random.Random, length: int, partitions: int = 2) -> list[Record]:
    """Events of alerts in order, with seals, clocks and decisions; some come again, as after a crash of a writer."""
    sends: list[Send] = []
    ticks, revisions = dict.fromkeys(range(partitions), 0), dict[str, int]()
    decided = forwarded = 0
    while len(sends) < length:
        partition, chance = rng.randrange(partitions), rng.random()
        if chance < 0.5:
            sends += _events(rng, partition, ticks[partition] + 1, revisions)
        elif chance < 0.8:
            ticks[partition] += rng.randint(1, 3)
            tick_ms = NOW_MS + ticks[partition] * TICK_MS
            sends.append(seal_send("alerts", SealRecord(partition=partition, partitions=partitions, tick_ms=tick_ms)))
        elif chance < 0.85:
            at_ms = NOW_MS + max(ticks.values()) * TICK_MS
            sends.append(clock_send("alerts", ClockRecord(at_ms=at_ms, without=(partition,))))
        else:
            if rng.random() < 0.3:  # another worker forwards some again
                forwarded = rng.randint(max(0, forwarded - 2), forwarded)
            decided = max(decided, forwarded + 1)
            sends.append(decision_send(forwarded))
            forwarded += 1
        if rng.random() < 0.1:
            sends += [send for send in sends[-rng.randint(1, 3) :] if dict(send.headers).keys() & {"moodwire-tick"}]
    return [Record(offset, send.key, send.value, 5, send.headers) for offset, send in enumerate(sends)]


def decision_send(offset: int, epoch: str = "c1") -> Send:
    note = Note(id=f"d{offset}", by="ann", at_ms=NOW_MS, target="a0", text="seen")
    raw = msgspec.Raw(msgspec.json.encode(note))
    return forwarded_send("alerts", Forwarded(epoch=epoch, offset=offset, decision=raw))


def _events(rng: random.Random, partition: int, tick: int, revisions: dict[str, int]) -> list[Send]:
    name = f"a{partition}{rng.randrange(6)}"
    revisions[name] = revisions.get(name, 0) + 1
    change = rng.choice(("escalated", "ongoing", "resolved")) if revisions[name] > 1 else "opened"
    event: AlertEvent = msgspec.structs.replace(
        delivery_event(name, revisions[name]),
        change=change,
        state="resolved" if change == "resolved" else "firing",
        updated_ms=NOW_MS + tick * TICK_MS,
    )
    return [Send("alerts", b"k", event.to_json(), 0, (tick_header(partition),))]
