"""Random schedules for the stage `watch`: redone runs, split batches, paused writers, crashes and refused batches.

`schedule` lays out logs of mentions as scoring workers leave them that crash, are paused or have a batch refused;
`run_watch` drives the real stage over them, with a crash or a refusal between any two effects; `reference_plan` counts
the same items once, in order. A refusal is what a broker answers when a batch is too large, a replica is missing or the
producer is fenced: nothing of the batch lands, nothing behind it, and the same process does the run again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from alerts import AlertConfig, AlertEvent, StreamState
from streams.alert_log import ALERTS_PARTITION, seal_of
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.errors import Retry, TransportError
from streams.records import VERSION, MentionBatch, MentionItem
from streams.stages.watch import WatchStage
from streams.stages.watch_rows import PARTITION_KEY, SeriesRow
from streams.topics import TICK_HEADER

EPOCH = "e1"
START_MS = 1_700_000_000_000 // 30_000 * 30_000


class Crash(Exception):
    """The process dies here."""


def too_large() -> Exception:
    return TransportError("MessageSizeTooLargeError")


def too_few_replicas() -> Exception:
    return Retry("NotEnoughReplicasError")


def fenced() -> Exception:
    return Retry("ProducerFenced")


REFUSALS = (too_large, too_few_replicas, fenced)


@dataclass
class Fuse:
    """Burns down with every effect and then raises what `blow` makes; None never blows. A refusal blows once."""

    left: int | None = None
    blow: Callable[[], Exception] = Crash

    def set(self, rng: random.Random, most_effects: int = 12) -> None:
        """The process dies, or the broker refuses, at one of the next effects."""
        self.left, self.blow = rng.randint(0, most_effects), rng.choice([Crash, *REFUSALS])

    def burn(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            error = self.blow()
            if not isinstance(error, Crash):
                self.left = None
            raise error


@dataclass
class FakeState:
    """Rows in memory and their changelog, where each is a batch of its own.

    After a crash memory is what the changelog says; after a refusal it is as before the write, and the changelog has
    the rows before the refused one. With `at` a row of a later run wins in the changelog, as on Kafka. `keeps_order`
    off is a fault: the rows behind a refused one land.
    """

    fuse: Fuse
    rows: dict[tuple[int, str], bytes] = field(default_factory=dict)
    at: int | None = None
    keeps_order: bool = True
    changelog: dict[tuple[int, str], tuple[int, bytes | None]] = field(default_factory=dict)

    def get(self, partition: int, key: str) -> bytes | None:
        return self.rows.get((partition, key))

    def items(self, partition: int) -> Iterable[tuple[str, bytes]]:
        return [(key, row) for (number, key), row in self.rows.items() if number == partition]

    async def put(self, partition: int, rows: Mapping[str, bytes | None]) -> None:
        refusal: Exception | None = None
        for key, row in rows.items():
            try:
                self.fuse.burn()
            except Crash:
                self.restore()
                raise
            except (Retry, TransportError) as error:
                if self.keeps_order:
                    raise
                refusal = error
            else:
                self._land((partition, key), row)
        if refusal is not None:
            raise refusal
        for key, row in rows.items():
            _set(self.rows, (partition, key), row)

    def _land(self, key: tuple[int, str], row: bytes | None) -> None:
        if self.at is None or self.at >= self.changelog.get(key, (-1, None))[0]:
            self.changelog[key] = (self.at or 0, row)

    def restore(self) -> None:
        """Another process begins."""
        self.rows = {key: row for key, (_, row) in self.changelog.items() if row is not None}


def _set(rows: dict[tuple[int, str], bytes], key: tuple[int, str], row: bytes | None) -> None:
    if row is None:
        rows.pop(key, None)
    else:
        rows[key] = row


def land(fuse: Fuse, sends: Sequence[Send], sent: list[Send]) -> None:
    """Appends one by one, each a batch of its own. A refused one stops its own partition, and is raised at the end."""
    refused: dict[tuple[str, object], Exception] = {}
    for send in sends:
        place = (send.topic, send.key if send.partition is None else send.partition)
        if place in refused:
            continue
        try:
            fuse.burn()
        except (Retry, TransportError) as error:
            refused[place] = error
        else:
            sent.append(send)
    for refusal in refused.values():
        raise refusal


@dataclass
class FakeOutbox:
    """Topics that keep what was sent before the crash or the refusal."""

    fuse: Fuse
    sent: list[Send] = field(default_factory=list)

    async def send(self, sends: Sequence[Send]) -> None:
        land(self.fuse, sends, self.sent)


@dataclass(frozen=True)
class Plan:
    """What happened: items per source partition, and the logs that the scoring workers left per target.

    `tails` are the ends of the logs as one careful worker would have sent them.
    """

    items: dict[int, list[MentionItem]]
    logs: dict[int, list[MentionBatch]]
    targets: int
    tails: dict[int, list[MentionBatch]]


def target_of(series: str, targets: int) -> int:
    return sum(series.encode()) % targets


def of_target(items: Iterable[MentionItem], target: int, targets: int) -> list[MentionItem]:
    """The items that have series in a target, with these alone."""
    found = []
    for item in items:
        series = tuple(name for name in item.series if target_of(name, targets) == target)
        if series:
            found.append(msgspec.structs.replace(item, series=series))
    return found


def make_items(rng: random.Random, partition: int, count: int) -> list[MentionItem]:
    """Items in order of time, now and then a copy of an earlier one, with a burst of bad news in the middle."""
    items: list[MentionItem] = []
    now_ms = START_MS + rng.randint(0, 20_000)
    for offset in range(count):
        burst = count // 2 < offset < count // 2 + 8
        now_ms += rng.randint(0, 2_000 if burst else 60_000)
        series = ("all", f"entity/{rng.randint(0, 3)}") if rng.random() < 0.8 else ("all",)
        hits = {"negative": 0.9} if burst or rng.random() < 0.2 else {}
        signature = rng.randint(0, 5) if rng.random() < 0.1 else rng.getrandbits(60)
        items.append(MentionItem(offset, f"{partition}-{offset}", now_ms, signature, hits, series))
    return items


def batches_of(
    rng: random.Random, items: Sequence[MentionItem], partition: int, partitions: int, targets: int
) -> list[tuple[int, MentionBatch]]:
    """What one scoring run sends: per target one or more batches, split between source offsets only."""
    progress_ms = items[-1].seen_ms
    sends = []
    for target in range(targets):
        entries = of_target(items, target, targets)
        while entries:
            cut = rng.randint(1, len(entries))
            progress = progress_ms if cut == len(entries) else entries[cut - 1].seen_ms
            sends.append((target, MentionBatch(VERSION, EPOCH, partition, partitions, progress, tuple(entries[:cut]))))
            entries = entries[cut:]
        sends.append((target, MentionBatch(VERSION, EPOCH, partition, partitions, progress_ms)))
    return sends


def schedule(rng: random.Random, *, keeps_order: bool = True) -> Plan:
    """Lay out the logs: every source partition has one owner at a time, which crashes, is paused or is refused.

    `keeps_order` off is a fault: what was sent behind a refused batch lands.
    """
    partitions, targets = rng.randint(1, 3), rng.randint(1, 2)
    items = {p: make_items(rng, p, rng.randint(5, 30)) for p in range(partitions)}
    logs: dict[int, list[MentionBatch]] = {target: [] for target in range(targets)}
    for partition in range(partitions):
        _score_partition(rng, partition, items[partition], partitions, logs, keeps_order)
    end_ms = max(item.seen_ms for own in items.values() for item in own) + 48 * 3_600_000
    tails: dict[int, list[MentionBatch]] = {}
    for target in range(targets):
        ends, last = (
            [MentionBatch(VERSION, EPOCH, p, partitions, at_ms) for p in range(partitions)]
            for at_ms in (end_ms, end_ms + 3_600_000)
        )
        late = {p: [_late_item(p, len(own))] for p, own in items.items()}
        redone = {p: [*items[p][-rng.randint(1, 4) :], *own] for p, own in late.items()}
        tails[target] = [*ends, *_batches(late, target, targets, end_ms), *last]
        logs[target] += [*ends, *_batches(redone, target, targets, end_ms), *last]
    return Plan(items, logs, targets, tails)


def _late_item(partition: int, offset: int) -> MentionItem:
    """Days late, when no memory of ids holds those that are sent again with it: only their offsets tell."""
    return MentionItem(offset, f"{partition}-late", START_MS, 0, {}, ("all", "entity/0"))


def _batches(
    items: Mapping[int, Sequence[MentionItem]], target: int, targets: int, progress_ms: int
) -> list[MentionBatch]:
    """A batch of each source partition."""
    return [
        MentionBatch(VERSION, EPOCH, p, len(items), progress_ms, tuple(of_target(own, target, targets)))
        for p, own in items.items()
    ]


def _score_partition(
    rng: random.Random,
    partition: int,
    items: Sequence[MentionItem],
    partitions: int,
    logs: dict[int, list[MentionBatch]],
    keeps_order: bool,
) -> None:
    committed = 0
    paused: list[tuple[int, MentionBatch]] = []
    while committed < len(items):
        end = min(len(items), committed + rng.randint(1, 12))
        sends = batches_of(rng, items[committed:end], partition, partitions, len(logs))
        fate = rng.random()
        if fate < 0.25:  # crash after some of the sends
            sends = sends[: rng.randint(0, len(sends))]
        elif fate < 0.35:  # paused after some: the rest comes later, or not at all
            cut = rng.randint(0, len(sends))
            paused += sends[cut:]
            sends = sends[:cut]
        elif fate < 0.5:  # a batch is refused: it stops its own target, and all is sent again
            refused = rng.randrange(len(sends))
            sends = [
                (target, batch)
                for place, (target, batch) in enumerate(sends)
                if place < refused or target != sends[refused][0] or (not keeps_order and place != refused)
            ]
        else:
            committed = end
        for target, batch in sends:
            logs[target].append(batch)
        if paused and rng.random() < 0.5:
            target, batch = paused.pop(0)
            logs[target].append(batch)
    for target, batch in paused:
        logs[target].append(batch)


@dataclass
class Outcome:
    """The end: rows of series and what they share, unpacked, and alert events by id and revision."""

    rows: dict[str, object]
    alerts: dict[tuple[str, int], bytes]


async def run_watch(
    rng: random.Random, plan: Plan, config: AlertConfig, *, crashes: bool, keeps_order: bool = True
) -> Outcome:
    """Drive the real stage over every log with random run bounds; `crashes`: die or be refused between any two effects.

    `keeps_order` off is a fault: rows behind a refused one land.
    """
    fuse = Fuse()
    state, outbox = FakeState(fuse, at=rng.choice([None, 0]), keeps_order=keeps_order), FakeOutbox(fuse)
    for target, log in plan.logs.items():
        await _consume(rng, target, log, state, outbox, config, crashes)
    rows: dict[str, object] = {}
    for (target, key), row in state.rows.items():
        assert not key.startswith("w/"), "all ticks are closed, and a mention still waits"
        if key.startswith("s/"):
            rows[key] = msgspec.msgpack.decode(SeriesRow.of(row).state)
        elif key == PARTITION_KEY:
            rows[f"{target}|{key}"] = _pooled(msgspec.msgpack.decode(row)["streams"], config)
    alerts: dict[tuple[str, int], bytes] = {}
    sealed_ms: dict[int, int] = {}
    for send in outbox.sent:
        assert send.partition == ALERTS_PARTITION, "what decides is in one log"
        if (seal := seal_of(send.headers)) is not None:
            sealed_ms[seal.partition] = max(seal.tick_ms, sealed_ms.get(seal.partition, 0))
            continue
        assert send.value is not None
        event, source = AlertEvent.from_json(send.value), int(dict(send.headers)[TICK_HEADER])
        if (event.id, event.revision) not in alerts and keeps_order:
            assert event.updated_ms > sealed_ms.get(source, 0), "an event comes after its tick was sealed"
        assert alerts.setdefault((event.id, event.revision), send.value) == send.value, "one event, two contents"
    return Outcome(rows, alerts)


def _pooled(streams: dict[str, bytes], config: AlertConfig) -> object:
    """What all series share, by signal, once all of it has settled."""
    found: dict[str, object] = {}
    for signal, stream in streams.items():
        state = StreamState.from_bytes(stream)
        state.close_tick(START_MS + 30 * 24 * 3_600_000, config)
        found[signal] = msgspec.msgpack.decode(state.to_bytes(), strict=False)
    return found


async def _consume(
    rng: random.Random,
    target: int,
    log: Sequence[MentionBatch],
    state: FakeState,
    outbox: FakeOutbox,
    config: AlertConfig,
    crashes: bool,
) -> None:
    records = [Record(offset, None, msgspec.json.encode(batch), 0) for offset, batch in enumerate(log)]
    stage, position = None, 0
    while position < len(records):
        if stage is None:
            stage = WatchStage(config, MemoryArchive(), outbox, state, "alerts")
        end = min(len(records), position + rng.randint(1, 6))
        state.fuse.left = None
        if crashes and rng.random() < 0.5:
            state.fuse.set(rng)
        if state.at is not None:
            state.at = end - 1
        try:
            await stage.handle(Run("mentions", target, len(log), EPOCH, records[position:end], len(records)))
        except Crash:
            state.restore()
            stage = None
            continue
        except (Retry, TransportError):
            continue
        committed = not crashes or rng.random() > 0.2  # else: died after all effects, before the commit
        if not committed:
            state.restore()
            stage = None
        position = end if committed else position


def reference_plan(plan: Plan) -> Plan:
    """The same items as one careful worker would have sent them: each once, one batch an item."""
    logs: dict[int, list[MentionBatch]] = {target: [] for target in range(plan.targets)}
    partitions = len(plan.items)
    for partition, items in plan.items.items():
        for item in items:
            for target in range(plan.targets):
                kept = tuple(of_target([item], target, plan.targets))
                logs[target].append(MentionBatch(VERSION, EPOCH, partition, partitions, item.seen_ms, kept))
    return Plan(plan.items, {target: logs[target] + plan.tails[target] for target in logs}, plan.targets, plan.tails)
