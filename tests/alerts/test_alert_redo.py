"""After a crash some series rows are ahead of the partition row: the redo must come out as if nothing had happened."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import AlertConfig, AlertEvent, Mention, SeriesState, StreamState, close_tick, kind_of, tick_of

START_MS = 1_735_516_800_000
HOUR_MS = 3_600_000
CONFIG = AlertConfig.from_mapping(
    {
        "kinds": {"entity": {"budget_share": 0.5, "prior_negative_per_day": 0.2}, "all": {"budget_share": 0.5}},
        "warm_up_days": 0.5,
        "false_alarms_per_week": 50,
        "most_probable_level": 0.05,
        "episode": {"hold_minutes": 10, "cool_down_hours": 1, "update_minutes": 20},
    }
)

Item = tuple[Mention, list[str]]
Rows = dict[str, bytes]


def items(seed: int) -> list[Item]:
    draw = random.Random(seed)
    found: list[Item] = []
    for day in range(4):
        minutes = [draw.uniform(0, 1440) for _ in range(20)]
        minutes += [draw.uniform(600, 660) for _ in range(draw.choice([0, 0, 12]))]
        for minute in sorted(minutes):
            number = len(found) + 1
            seen_ms = START_MS + round((day * 1440 + minute) * 60_000)
            mention = Mention(seen_ms, f"{number:032x}", number, draw.randint(0, 1), 0.5)
            found.append((mention, ["all", f"entity/{draw.randint(0, 3)}"]))
    return found


def work(part: list[Item], rows: Rows, partition: bytes, until_ms: int) -> tuple[list[AlertEvent], Rows, bytes]:
    """One run: add its mentions, close what is due until `until_ms`; rows that know the mentions already skip them."""
    stream = StreamState.from_bytes(partition) if partition else StreamState()
    states = {name: SeriesState.from_bytes(row) for name, row in rows.items()}
    for mention, names in part:
        for name in names:
            stream.add(name, mention.seen_ms, mention.negative)
            states.setdefault(name, SeriesState()).add(mention)
    events: list[AlertEvent] = []
    while True:
        due: dict[int, list[str]] = {}
        for name, state in sorted(states.items()):
            ticks = [*state.pending_ticks(CONFIG), *filter(None, [state.next_due(CONFIG)])]
            if ticks and min(ticks) <= until_ms:
                due.setdefault(min(ticks), []).append(name)
        if not due:
            return events, {name: state.to_bytes() for name, state in states.items()}, stream.to_bytes()
        tick_ms = min(due)
        stream.close_tick(tick_ms, CONFIG)
        for name in due[tick_ms]:
            events += close_tick(name, kind_of(name), states[name], stream, tick_ms, CONFIG)


@given(st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_a_redo_with_rows_ahead_gives_the_same_alerts(seed: int, runs: int) -> None:
    draw = random.Random(seed)
    feed = items(seed)
    cuts = [0, *sorted(draw.sample(range(1, len(feed)), runs)), len(feed)]
    rows: Rows = {}
    partition, unbroken, broken = b"", [], []
    for start, end in itertools.pairwise(cuts):
        part = feed[start:end]
        until_ms = tick_of(part[-1][0].seen_ms, CONFIG.hop_ms)
        events, after, partition_after = work(part, rows, partition, until_ms)
        unbroken += events
        # the crash: some series rows were written, the partition row was not
        ahead = {name for name in after if draw.random() < 0.5}
        again = [(mention, [name for name in names if name not in ahead]) for mention, names in part]
        seen_by_stream = StreamState.from_bytes(partition) if partition else StreamState()
        for mention, names in part:
            for name in names:
                if name in ahead:
                    seen_by_stream.add(name, mention.seen_ms, mention.negative)
        torn = {name: after[name] if name in ahead else rows[name] for name in after if name in ahead or name in rows}
        redone, final, partition_redone = work(again, torn, seen_by_stream.to_bytes(), until_ms)
        broken += [event for event in events if event.series in ahead] + redone
        assert final == after
        rows, partition = after, partition_after
        assert StreamState.from_bytes(partition_redone).to_bytes() == partition_redone
    key = sorted(unbroken, key=lambda event: (event.updated_ms, event.id, event.version))
    assert sorted(broken, key=lambda event: (event.updated_ms, event.id, event.version)) == key
