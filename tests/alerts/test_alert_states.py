"""The promises that the watch stage rests on: order, copies, restarts and redone ticks change nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import AlertConfig, AlertEvent, Mention, SeriesState, StateError, StreamState, close_tick, tick_of
from alerts.memory import CAPACITY
from alerts.sections import HORIZON_HOURS

HOUR_MS = 3_600_000
START_MS = 1_735_516_800_000
SERIES, KIND = "entity/acme", "entity"


def rules(**changes: object) -> AlertConfig:
    """Rules that fire within days, so that short examples reach every state."""
    mapping: dict[str, object] = {
        "kinds": {KIND: {"budget_share": 1.0, "prior_negative_per_day": 0.2}},
        "warm_up_days": 0.5,
        "false_alarms_per_week": 50,
        "most_probable_level": 0.05,
        "episode": {"hold_minutes": 10, "cool_down_hours": 1, "update_minutes": 20},
    }
    return AlertConfig.from_mapping(mapping | changes)


CONFIG = rules()


def mention(minute: float, number: int, negative: int = 1, signature: int = 0) -> Mention:
    return Mention(START_MS + round(minute * 60_000), f"{number:032x}", signature or number + 1, negative, 0.9)


def bursty(seed: int, days: int = 5) -> list[Mention]:
    """A quiet series with a burst now and then, with copies."""
    draw = random.Random(seed)
    found: list[Mention] = []
    for day in range(days):
        minutes = [draw.uniform(0, 1440) for _ in range(draw.randint(1, 6))]
        if day > 1 and draw.random() < 0.6:
            start = draw.uniform(0, 1300)
            minutes += [start + draw.uniform(0, 90) for _ in range(draw.randint(3, 12))]
        for minute in sorted(minutes):
            number = len(found)
            copied = draw.random() < 0.2 and number > 0
            signature = found[draw.randrange(number)].signature if copied else number + 1
            found.append(mention(day * 1440 + minute, number, int(draw.random() < 0.7), signature))
    return found


Break = Callable[[SeriesState, StreamState], tuple[SeriesState, StreamState]]


def run(
    mentions: Sequence[Mention], config: AlertConfig = CONFIG, between: Break = lambda series, stream: (series, stream)
) -> tuple[list[AlertEvent], SeriesState, StreamState]:
    """One series, every tick of the schedule; `between` may exchange the states after each tick."""
    state, stream, events = SeriesState(), StreamState(), []
    waiting = sorted(mentions)
    end_ms = waiting[-1].seen_ms + 3 * 24 * HOUR_MS
    while True:
        candidates = [*state.pending_ticks(config), end_ms]
        due = state.next_due(config)
        if due is not None:
            candidates.append(due)
        if waiting:
            candidates.append(tick_of(waiting[0].seen_ms, config.hop_ms))
        tick_ms = min(candidates)
        while waiting and waiting[0].seen_ms < tick_ms:
            item = waiting.pop(0)
            stream.add(SERIES, item.seen_ms, item.negative)
            state.add(item)
        stream.close_tick(tick_ms, config)
        events += close_tick(SERIES, KIND, state, stream, tick_ms, config)
        state, stream = between(state, stream)
        if tick_ms == end_ms:
            return events, state, stream


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_restart_between_any_two_ticks_changes_nothing(seed: int) -> None:
    mentions = bursty(seed)

    def restart(series: SeriesState, stream: StreamState) -> tuple[SeriesState, StreamState]:
        return SeriesState.from_bytes(series.to_bytes()), StreamState.from_bytes(stream.to_bytes())

    unbroken, series, stream = run(mentions)
    broken, restarted, stream_restarted = run(mentions, between=restart)
    assert broken == unbroken
    assert restarted.to_bytes() == series.to_bytes()
    assert stream_restarted.to_bytes() == stream.to_bytes()


def test_the_examples_of_these_tests_do_fire() -> None:
    changes = [event.change for seed in range(20) for event in run(bursty(seed))[0]]
    assert {"opened", "ongoing", "resolved"} <= set(changes)
    assert changes.count("opened") >= 10


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_closing_more_ticks_than_needed_changes_nothing(seed: int) -> None:
    mentions = bursty(seed)
    draw = random.Random(seed)
    needed = run(mentions)[0]

    state, stream, events = SeriesState(), StreamState(), []
    waiting = sorted(mentions)
    tick_ms, end_ms = START_MS, waiting[-1].seen_ms + 3 * 24 * HOUR_MS
    while tick_ms < end_ms:
        # every tick that matters is closed, and many that do not
        tick_ms += CONFIG.hop_ms
        due = state.next_due(CONFIG)
        coming = waiting and waiting[0].seen_ms < tick_ms
        if not coming and tick_ms != due and draw.random() < 0.95:
            continue
        while waiting and waiting[0].seen_ms < tick_ms:
            item = waiting.pop(0)
            stream.add(SERIES, item.seen_ms, item.negative)
            state.add(item)
        stream.close_tick(tick_ms, CONFIG)
        events += close_tick(SERIES, KIND, state, stream, tick_ms, CONFIG)
        assert close_tick(SERIES, KIND, state, stream, tick_ms, CONFIG) == []
    assert events == [event for event in needed if event.updated_ms <= tick_ms]


@given(st.lists(st.tuples(st.integers(0, 29_999), st.integers(0, 6), st.integers(0, 1)), max_size=12), st.randoms())
def test_the_order_of_adds_within_a_tick_does_not_matter(
    items: list[tuple[int, int, int]], shuffle: random.Random
) -> None:
    mentions = [
        Mention(START_MS + seen, f"{number:032x}", signature + 1, negative, 0.5)
        for number, (seen, signature, negative) in enumerate(items)
    ]
    rows = []
    for _ in range(2):
        state = SeriesState()
        for item in mentions:
            state.add(item)
        close_tick(SERIES, KIND, state, StreamState(), START_MS + 30_000, CONFIG)
        rows.append(state.to_bytes())
        shuffle.shuffle(mentions)
    assert rows[0] == rows[1]


def counts(state: SeriesState) -> list[tuple[int, int]]:
    return [(count.negative, count.total) for count in state.counts(CONFIG)]


@given(st.integers(0, 10**6), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_copies_never_change_counts(seed: int, copies: int) -> None:
    """Copies of counted items, by id or by signature, within the day that follows them."""
    draw = random.Random(seed)
    originals = [mention(draw.uniform(0, 600), number, draw.randint(0, 1)) for number in range(15)]
    repeated = []
    for item in originals:
        for copy in range(draw.randint(0, copies)):
            later = item.seen_ms + draw.randint(0, 10 * HOUR_MS)
            same_id = draw.random() < 0.5
            repeated.append(
                Mention(
                    later,
                    item.id if same_id else f"{draw.getrandbits(100):032x}",
                    draw.getrandbits(60) if same_id else item.signature,
                    draw.randint(0, 1),
                    copy / 5,
                )
            )
    end_ms = START_MS + 21 * HOUR_MS
    plain, copied = SeriesState(), SeriesState()
    for item in originals:
        plain.add(item)
    for item in [*originals, *repeated]:
        copied.add(item)
    for state in (plain, copied):
        close_tick(SERIES, KIND, state, StreamState(), end_ms, CONFIG)
    assert counts(copied) == counts(plain)


def test_the_smallest_copy_is_the_one_that_counts() -> None:
    state = SeriesState()
    state.add(Mention(START_MS + 5_000, "b" * 32, 77, 0, 0.1))
    state.add(Mention(START_MS + 5_000, "a" * 32, 77, 1, 0.9))
    close_tick(SERIES, KIND, state, StreamState(), START_MS + 30_000, CONFIG)
    assert counts(state)[-1] == (1, 1)
    assert [story[1] for story in state.stories_since(0)] == ["a" * 32]


def test_a_story_counts_again_a_day_later() -> None:
    state, stream = SeriesState(), StreamState()
    for number, hour in enumerate((1, 24, 26)):
        state.add(mention(hour * 60, number, signature=9))
    for hour in (2, 25, 27):
        close_tick(SERIES, KIND, state, stream, START_MS + hour * HOUR_MS, CONFIG)
    assert counts(state)[-1] == (1, 1)  # the copy at 24 h was one, that at 26 h was not, the first has left


def test_without_collapsing_only_the_same_id_is_a_copy() -> None:
    config = rules(collapse=False)
    state = SeriesState()
    for number in range(4):
        state.add(mention(1, number, signature=9))
    state.add(mention(2, 0, signature=9))
    close_tick(SERIES, KIND, state, StreamState(), START_MS + HOUR_MS, config)
    assert [(count.negative, count.total) for count in state.counts(config)][-1] == (4, 4)
    assert len(state.stories_since(0)) == 1


def test_a_late_mention_counts_in_the_next_open_tick_and_its_own_pane() -> None:
    state, stream = SeriesState(), StreamState()
    state.add(mention(300, 1))
    close_tick(SERIES, KIND, state, stream, START_MS + 6 * HOUR_MS, CONFIG)
    state.add(mention(30, 2))
    assert state.pending_ticks(CONFIG) == (START_MS + 6 * HOUR_MS + CONFIG.hop_ms,)
    close_tick(SERIES, KIND, state, stream, START_MS + 6 * HOUR_MS + CONFIG.hop_ms, CONFIG)
    assert counts(state) == [(0, 0), (1, 1), (2, 2)]
    assert state.late == 0


def test_a_mention_older_than_the_longest_window_is_dropped_and_counted_as_late() -> None:
    state, stream = SeriesState(), StreamState()
    state.add(mention(48 * 60, 1))
    close_tick(SERIES, KIND, state, stream, START_MS + 49 * HOUR_MS, CONFIG)
    state.add(mention(60, 2))
    close_tick(SERIES, KIND, state, stream, START_MS + 50 * HOUR_MS, CONFIG)
    assert counts(state)[-1] == (1, 1)
    assert state.late == 1


def test_a_mention_ahead_of_the_tick_waits() -> None:
    state = SeriesState()
    state.add(mention(0.4, 1))
    state.add(mention(0.6, 2))
    close_tick(SERIES, KIND, state, StreamState(), START_MS + 30_000, CONFIG)
    assert counts(state)[0] == (1, 1)
    assert state.pending_ticks(CONFIG) == (START_MS + 60_000,)


def test_a_series_that_nobody_watches_keeps_nothing() -> None:
    state = SeriesState()
    state.add(mention(0.4, 1))
    assert close_tick("source/x", "source", state, StreamState(), START_MS + 30_000, CONFIG) == []
    assert state.pending_ticks(CONFIG) == ()
    assert state.next_due(CONFIG) is None


@given(st.lists(st.integers(0, 60 * 60), max_size=80), st.integers(0, 3_000))
def test_windows_hold_what_was_seen_in_their_span(minutes: list[int], extra: int) -> None:
    state = SeriesState()
    mentions = [mention(minute + 0.1, number, number % 2) for number, minute in enumerate(minutes)]
    for item in mentions:
        state.add(item)
    last = max([item.seen_ms for item in mentions], default=START_MS)
    tick_ms = tick_of(last + extra * 1_000, CONFIG.hop_ms)
    for at in sorted({tick_of(item.seen_ms, CONFIG.hop_ms) for item in mentions} | {tick_ms}):
        close_tick(SERIES, KIND, state, StreamState(), at, CONFIG)
    for count in state.counts(CONFIG):
        inside = [item for item in mentions if count.start_ms <= item.seen_ms < tick_ms]
        assert (count.negative, count.total) == (sum(item.negative for item in inside), len(inside))


def test_rows_stay_small_however_busy_the_series() -> None:
    draw, state, stream = random.Random(3), SeriesState(), StreamState()
    for number in range(6_000):
        item = Mention(START_MS + number * 15_000, f"{draw.getrandbits(128):032x}", draw.getrandbits(63), 1, 0.9)
        stream.add(SERIES, item.seen_ms, 1)
        state.add(item)
        tick_ms = tick_of(item.seen_ms, CONFIG.hop_ms)
        stream.close_tick(tick_ms, CONFIG)
        close_tick(SERIES, KIND, state, stream, tick_ms, CONFIG)
    assert len(state.memory) == CAPACITY
    assert len(state.to_bytes()) < 34_000
    assert len(stream.to_bytes()) < 8_000


def test_a_quiet_series_has_a_small_row() -> None:
    _, state, _ = run(bursty(4, days=40))
    assert len(state.to_bytes()) < 3_000


def test_a_new_window_in_the_settings_starts_empty_and_the_others_go_on() -> None:
    state = SeriesState()
    state.add(mention(10, 1))
    close_tick(SERIES, KIND, state, StreamState(), START_MS + HOUR_MS, CONFIG)
    state = SeriesState.from_bytes(state.to_bytes())
    changed = rules(windows_seconds=[3600, 86400])
    state.add(mention(62, 2))
    close_tick(SERIES, KIND, state, StreamState(), START_MS + HOUR_MS + 180_000, changed)
    assert [(count.negative, count.total) for count in state.counts(changed)] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("data", [b"", b"\x93\x01\x02", b"\xff" * 40])
def test_a_damaged_row_is_an_error_with_words(data: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        SeriesState.from_bytes(data)
    with pytest.raises(StateError, match="damaged"):
        StreamState.from_bytes(data)


def test_a_row_of_a_newer_version_is_refused() -> None:
    series, stream = bytearray(SeriesState().to_bytes()), bytearray(StreamState().to_bytes())
    assert series[1] == stream[1] == 1
    series[1] = stream[1] = 9
    with pytest.raises(StateError, match="version 9"):
        SeriesState.from_bytes(bytes(series))
    with pytest.raises(StateError, match="version 9"):
        StreamState.from_bytes(bytes(stream))


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_the_stream_believes_the_same_whatever_came_first(seed: int) -> None:
    """Arrival order within the lateness, and mentions ahead of the tick, change no belief."""
    draw = random.Random(seed)
    items = [
        (f"entity/{draw.randint(0, 9)}", START_MS + draw.randint(0, 10 * 24 * HOUR_MS), draw.randint(0, 1))
        for _ in range(300)
    ]
    tick_ms = START_MS + 8 * 24 * HOUR_MS
    views = []
    for ahead in (0, HOUR_MS, 10 * 24 * HOUR_MS):
        known = [item for item in items if item[1] < tick_ms + ahead]
        draw.shuffle(known)
        stream = StreamState()
        for series, seen_ms, negative in known:
            stream.add(series, seen_ms, negative)
        stream.close_tick(tick_ms, CONFIG)
        views.append(stream.view(KIND, tick_ms, CONFIG))
    assert views[0] == views[1] == views[2]


def test_the_stream_leaves_out_what_comes_a_day_late() -> None:
    stream = StreamState()
    stream.add(SERIES, START_MS, 1)
    stream.close_tick(START_MS + 3 * HORIZON_HOURS * HOUR_MS, CONFIG)
    stream.add(SERIES, START_MS + HOUR_MS, 1)
    assert stream.late == 1
