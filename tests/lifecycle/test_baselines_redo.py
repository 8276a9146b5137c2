"""`watch` goes over to new baselines at one record of its topic, also when it crashes between any two effects."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import pytest

from alerts import AlertConfig, AlertEvent
from alerts.rebase import rebased_series
from alerts.series import SeriesState
from streams.alert_log import seal_of
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.errors import Retry, TransportError
from streams.records import VERSION, MentionBatch, MentionItem
from streams.serving.prepared import BASELINES_PREFIX, Prepared, baseline_sends
from streams.stages import watch_series
from streams.stages.watch import WatchStage
from streams.stages.watch_partition import WatchPartition
from streams.stages.watch_rows import Series, SeriesRow
from streams.topics import PROMOTION_HEADER
from tests.alerts.one_series import SIGNAL, mention_of
from tests.engine.positions_harness import START_MS, Crash, FakeOutbox, FakeState, Fuse, batches_of, make_items
from tests.engine.test_positions_property import eager_config

HOUR_MS = 3_600_000
SCHEDULES = 60


def again(item: MentionItem) -> MentionItem:
    """Another model: half of what was not negative is."""
    return msgspec.structs.replace(item, signals=item.signals or ({"negative": 0.9} if item.offset % 2 else {}))


@dataclass(frozen=True)
class Plan:
    """The log of one mentions partition, and where the promotion's first mention stands in it."""

    log: Sequence[Record]
    first_new: int


def plan_of(rng: random.Random, config: AlertConfig) -> Plan:
    """Old mentions, baselines scored again, more old ones, then new ones; some are sent twice, some out of turn."""
    items = make_items(rng, 0, rng.randint(20, 60))
    items = [msgspec.structs.replace(one, seen_ms=one.seen_ms - 2 * HOUR_MS) for one in items]
    swap = rng.randint(8, len(items) - 4)
    old = _sends(rng, items[:swap])
    new = [(batch, 5) for batch, _ in _sends(rng, [again(one) for one in items[swap:]])]
    seen_ms = items[rng.randint(2, swap - 2)].seen_ms
    cut_ms = seen_ms // HOUR_MS * HOUR_MS
    brought = [Record(0, None, send.value, 0, send.headers) for send in _baselines(items[:swap], cut_ms, config)]
    at = rng.randint(len(old) // 2, len(old))
    sent = [*old, *new, *([rng.choice(old)] * rng.randint(0, 2))]
    end = MentionBatch(VERSION, "e1", 0, 1, items[-1].seen_ms + 30 * HOUR_MS)
    records = [_record(*one) for one in sent[:at]] + brought + [_record(*one) for one in [*sent[at:], (end, 5)]]
    log = [msgspec.structs.replace(record, offset=offset) for offset, record in enumerate(records)]
    return Plan(
        log, next(record.offset for record in log if record.headers and record.headers[0][0] == PROMOTION_HEADER)
    )


def _sends(rng: random.Random, items: Sequence[MentionItem]) -> list[tuple[MentionBatch, int]]:
    sent, at = [], 0
    while at < len(items):
        end = min(len(items), at + rng.randint(1, 8))
        sent += [(batch, 0) for _, batch in batches_of(rng, items[at:end], 0, 1, 1)]
        at = end
    return sent


def _record(batch: MentionBatch, promotion: int) -> Record:
    headers = ((PROMOTION_HEADER, str(promotion).encode()),) if promotion else ()
    return Record(0, None, msgspec.json.encode(batch), 0, headers)


def _baselines(items: Sequence[MentionItem], cut_ms: int, config: AlertConfig) -> list[Send]:
    partition = WatchPartition(config, None, [])
    past = tuple(again(one) for one in items if one.seen_ms < cut_ms)
    batch = MentionBatch(VERSION, "e1", 0, 1, cut_ms + config.lateness_ms, past)
    partition.apply(Record(0, None, msgspec.json.encode(batch), 0))
    return baseline_sends("mentions", 0, 5, cut_ms, *partition.states())


async def outcome(
    rng: random.Random, plan: Plan, config: AlertConfig, *, crashes: bool
) -> tuple[dict[str, bytes], dict[tuple[str, int], bytes]]:
    """Rows of series, and alerts by id and revision, at the end."""
    fuse = Fuse()
    state, outbox = FakeState(fuse), FakeOutbox(fuse)
    stage, position = None, 0
    while position < len(plan.log):
        stage = stage or WatchStage(config, MemoryArchive(), outbox, state, "alerts")
        end = min(len(plan.log), position + rng.randint(1, 6))
        fuse.left = None
        if crashes and rng.random() < 0.5:
            fuse.set(rng)
        try:
            await stage.handle(Run("mentions", 0, 1, "e1", plan.log[position:end], len(plan.log)))
        except Crash:
            state.restore()
            stage = None
            continue
        except (Retry, TransportError):
            continue
        committed = not crashes or rng.random() > 0.2
        stage, position = (stage, end) if committed else (None, position)
    assert not [key for _, key in state.rows if key.startswith(BASELINES_PREFIX)], "spent baselines are left"
    alerts: dict[tuple[str, int], bytes] = {}
    for send in outbox.sent:
        if seal_of(send.headers) is not None:
            continue
        event = AlertEvent.from_json(send.value or b"")
        assert alerts.setdefault((event.id, event.revision), send.value or b"") == send.value, "one event, two contents"
    rows = {
        key: msgspec.msgpack.decode(SeriesRow.of(row).state)
        for (_, key), row in state.rows.items()
        if key.startswith("s/")
    }
    return rows, alerts


async def compared(seed: int, config: AlertConfig) -> tuple[object, object, int]:
    rng = random.Random(seed)
    plan = plan_of(rng, config)
    got = await outcome(rng, plan, config, crashes=True)
    want = await outcome(random.Random(0), plan, config, crashes=False)
    return got, want, len(want[1])


async def test_rows_and_alerts_equal_those_without_a_crash() -> None:
    config, alerts = eager_config(), 0
    for seed in range(SCHEDULES):
        got, want, count = await compared(seed, config)
        assert got == want, f"seed {seed}"
        alerts += count
    assert alerts > 0


class _ForgetfulSeries(Series):
    """Breaks the row rule: the row does not remember its promotion and its tick, so a redo counts again."""

    __slots__ = ()

    @classmethod
    def restored(cls, name: str, row: SeriesRow) -> Series:  # type: ignore[override]
        entry = Series.restored(name, row)
        entry.promotion = entry.state.tick_ms = 0
        return entry


async def test_a_weakened_rule_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_series, "Series", _ForgetfulSeries)
    config = eager_config()
    for seed in range(SCHEDULES):
        try:
            got, want, _ = await compared(seed, config)
        except AssertionError:
            return
        if got != want:
            return
    pytest.fail("no schedule found the weakened rule out")


def test_what_was_counted_before_the_cut_is_the_new_models_and_after_it_what_was_counted() -> None:
    config = eager_config()
    live, prepared = SeriesState(), SeriesState()
    cut_ms = START_MS // HOUR_MS * HOUR_MS
    for number, state in ((3, live), (1, prepared)):
        mentions = []
        for offset in range(number):
            seen_ms = cut_ms - HOUR_MS // 2 + offset
            mentions.append(mention_of(seen_ms, f"a{offset}", 0, 1))
        state.apply(cut_ms, mentions, config, SIGNAL)
    after = [mention_of(cut_ms + offset, f"b{offset}", 0, 1) for offset in range(2)]
    live.apply(cut_ms + config.hop_ms, after, config, SIGNAL)
    merged = rebased_series(live, prepared, cut_ms, config)
    assert [count.hits for count in merged.counts(config)][1:] == [3, 3]
    assert merged.horizon_hits() == 3


def test_baselines_that_are_not_whole_are_not_taken() -> None:
    series = {f"negative/entity/{number}": msgspec.msgpack.encode(bytes(300_000)) for number in range(5)}
    sends = baseline_sends("mentions", 0, 7, 0, WatchPartition(eager_config(), None, []).states()[0], series)
    assert len(sends) == 5
    prepared = Prepared()
    for send in sends[:-1]:
        prepared.take(send.value or b"")
    assert prepared.complete(7) is None
    assert prepared.complete(8) is None
    prepared.take(sends[-1].value or b"")
    found = prepared.complete(7)
    assert found is not None
    assert set(found.series) == set(series)
    restored = Prepared([row for _, row in prepared.take_rows()])
    assert restored.complete(7) is not None
    restored.spend(7)
    assert len(restored.take_spent()) == 5
