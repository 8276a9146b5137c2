"""After a crash some series rows are ahead of the partition row: the redo must come out as if nothing had happened."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts import (
    AlertConfig,
    AlertEvent,
    Copies,
    Heard,
    Mention,
    SeriesState,
    StreamState,
    close_tick,
    kind_of,
    tick_of,
)
from tests.alerts.one_series import SIGNAL, heard_by, mention_of

START_MS = 1_735_516_800_000
HOUR_MS = 3_600_000
CONFIG = AlertConfig.from_mapping(
    {
        "kinds": {"entity": {"budget_share": 0.5, "prior_hits_per_day": 0.2}, "all": {"budget_share": 0.5}},
        "warm_up_days": 0.5,
        "false_alarms_per_week": 50,
        "most_probable_level": 0.05,
        "episode": {"hold_minutes": 10, "cool_down_hours": 1, "update_minutes": 20},
    }
)

Item = tuple[Mention, list[str]]
Rows = dict[str, bytes]


@dataclass
class Partition:
    """What the partition row says: the stream, the part of copies that grows, the last tick closed."""

    stream: bytes = b""
    copies_part: int = 0
    tick_ms: int = 0


def items(seed: int) -> list[Item]:
    draw = random.Random(seed)
    found: list[Item] = []
    for day in range(4):
        minutes = [draw.uniform(0, 1440) for _ in range(20)]
        minutes += [draw.uniform(600, 660) for _ in range(draw.choice([0, 0, 12]))]
        for minute in sorted(minutes):
            number = len(found) + 1
            seen_ms = START_MS + round((day * 1440 + minute) * 60_000)
            mention = mention_of(seen_ms, f"{number:032x}", number, draw.randint(0, 1), 0.5)
            found.append((mention, ["all", f"entity/{draw.randint(0, 3)}"]))
    return found


def work(
    part: list[Item], rows: Rows, parts: dict[int, bytes], partition: Partition, until_ms: int
) -> tuple[list[AlertEvent], Rows, Partition]:
    """One run: what comes is counted in its tick, unless the series' row has closed it; until `until_ms`."""
    stream = StreamState.from_bytes(partition.stream) if partition.stream else StreamState()
    states = {name: SeriesState.from_bytes(row) for name, row in rows.items()}
    copies = Copies()
    for _ in copies.restore(parts, partition.copies_part, partition.tick_ms):
        pass
    waiting: dict[int, list[Heard]] = {}
    for number, (mention, names) in enumerate(part):
        for name in names:
            stream.add(name, mention.seen_ms, bool(mention.hits))
            states.setdefault(name, SeriesState())
        heard = heard_by(mention, tuple(names), number)
        waiting.setdefault(tick_of(mention.seen_ms, CONFIG.hop_ms), []).append(heard)
    events: list[AlertEvent] = []
    while True:
        looks = {name: due for name, state in states.items() if (due := state.next_due(CONFIG)) is not None}
        tick_ms = min([*waiting, *looks.values()], default=until_ms + 1)
        if tick_ms > until_ms:
            parts |= dict(copies.taking_rows())
            after = Partition(stream.to_bytes(), copies.open_part, until_ms)
            return events, {name: state.to_bytes() for name, state in states.items()}, after
        stream.close_tick(tick_ms, CONFIG)
        counted = copies.counted(tick_ms, sorted(waiting.pop(tick_ms, [])), CONFIG).by_series
        for name in sorted({*counted, *(name for name, due in looks.items() if due == tick_ms)}):
            mentions = counted.get(name, ())
            events += close_tick(SIGNAL, name, kind_of(name), states[name], stream, tick_ms, CONFIG, mentions)


def between_ticks(feed: list[Item]) -> list[int]:
    """Where a run may end: no tick is closed before all of its mentions were heard."""
    ticks = [tick_of(mention.seen_ms, CONFIG.hop_ms) for mention, _ in feed]
    return [at for at in range(1, len(feed)) if ticks[at - 1] < ticks[at]]


@given(st.integers(0, 10**6), st.integers(1, 4))
@example(408, 4)
@settings(max_examples=15, deadline=None)
def test_a_redo_with_rows_ahead_gives_the_same_alerts(seed: int, runs: int) -> None:
    draw = random.Random(seed)
    feed = items(seed)
    cuts = [0, *sorted(draw.sample(between_ticks(feed), runs)), len(feed)]
    rows: Rows = {}
    parts: dict[int, bytes] = {}
    partition, unbroken, broken = Partition(), [], []
    for start, end in itertools.pairwise(cuts):
        part = feed[start:end]
        until_ms = tick_of(part[-1][0].seen_ms, CONFIG.hop_ms)
        before = dict(parts)
        events, after, partition_after = work(part, rows, parts, partition, until_ms)
        unbroken += events
        # the crash: some rows were written, the partition row was not
        ahead = {name for name in after if draw.random() < 0.5}
        torn = {name: after[name] if name in ahead else rows[name] for name in after if name in ahead or name in rows}
        torn_parts = {number: row for number, row in parts.items() if number in before or draw.random() < 0.5}
        torn_parts |= {number: row for number, row in before.items() if draw.random() < 0.5}
        redone, final, partition_redone = work(part, torn, torn_parts, partition, until_ms)
        broken += [event for event in events if event.series in ahead] + redone
        assert final == after
        assert partition_redone == partition_after
        rows, partition = after, partition_after
    key = sorted(unbroken, key=lambda event: (event.updated_ms, event.id, event.revision))
    assert sorted(broken, key=lambda event: (event.updated_ms, event.id, event.revision)) == key
