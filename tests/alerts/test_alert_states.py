"""The promises that the watch stage rests on: order, copies, restarts and redone ticks change nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import AlertConfig, AlertEvent, Copies, Heard, Mention, SeriesState, StateError, StreamState, tick_of
from alerts.sections import HORIZON_HOURS
from tests.alerts.one_series import SIGNAL, OneSeries, mention_of

HOUR_MS = 3_600_000
START_MS = 1_735_516_800_000
SERIES, KIND = "entity/acme", "entity"


def rules(**changes: object) -> AlertConfig:
    """Rules that fire within days, so that short examples reach every state."""
    mapping: dict[str, object] = {
        "kinds": {KIND: {"budget_share": 1.0, "prior_hits_per_day": 0.2}},
        "warm_up_days": 0.5,
        "false_alarms_per_week": 50,
        "most_probable_level": 0.05,
        "episode": {"hold_minutes": 10, "cool_down_hours": 1, "update_minutes": 20},
    }
    return AlertConfig.from_mapping(mapping | changes)


CONFIG = rules()


def mention(minute: float, number: int, negative: int = 1, signature: int = 0) -> Mention:
    return mention_of(START_MS + round(minute * 60_000), f"{number:032x}", signature or number + 1, negative, 0.9)


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


Break = Callable[[OneSeries, StreamState], tuple[OneSeries, StreamState]]


def run(
    mentions: Sequence[Mention], config: AlertConfig = CONFIG, between: Break = lambda series, stream: (series, stream)
) -> tuple[list[AlertEvent], OneSeries, StreamState]:
    """One series, every tick of the schedule; `between` may exchange the states after each tick."""
    state, stream, events = OneSeries(SERIES, config), StreamState(), []
    waiting = sorted(mentions)
    end_ms = waiting[-1].seen_ms + 3 * 24 * HOUR_MS
    while True:
        candidates = [*state.pending_ticks(), end_ms]
        due = state.next_due()
        if due is not None:
            candidates.append(due)
        if waiting:
            candidates.append(tick_of(waiting[0].seen_ms, config.hop_ms))
        tick_ms = min(candidates)
        stream.close_tick(tick_ms, config)
        while waiting and waiting[0].seen_ms < tick_ms:
            item = waiting.pop(0)
            stream.add(SERIES, item.seen_ms, bool(item.hits))
            state.add(item)
        events += state.close(stream, tick_ms)
        state, stream = between(state, stream)
        if tick_ms == end_ms:
            return events, state, stream


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_restart_between_any_two_ticks_changes_nothing(seed: int) -> None:
    mentions = bursty(seed)

    parts: dict[int, bytes] = {}

    def restart(series: OneSeries, stream: StreamState) -> tuple[OneSeries, StreamState]:
        return series.restarted(parts), StreamState.from_bytes(stream.to_bytes())

    unbroken, series, stream = run(mentions)
    broken, restarted, stream_restarted = run(mentions, between=restart)
    assert broken == unbroken
    assert restarted.state.to_bytes() == series.state.to_bytes()
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

    state, stream, events = OneSeries(SERIES, CONFIG), StreamState(), []
    waiting = sorted(mentions)
    tick_ms, end_ms = START_MS, waiting[-1].seen_ms + 3 * 24 * HOUR_MS
    while tick_ms < end_ms:
        # every tick that matters is closed, and many that do not
        tick_ms += CONFIG.hop_ms
        due = state.next_due()
        coming = waiting and waiting[0].seen_ms < tick_ms
        if not coming and tick_ms != due and draw.random() < 0.95:
            continue
        stream.close_tick(tick_ms, CONFIG)
        while waiting and waiting[0].seen_ms < tick_ms:
            item = waiting.pop(0)
            stream.add(SERIES, item.seen_ms, bool(item.hits))
            state.add(item)
        events += state.close(stream, tick_ms)
        assert state.close(stream, tick_ms) == []
    assert events == [event for event in needed if event.updated_ms <= tick_ms]


@given(st.lists(st.tuples(st.integers(0, 29_999), st.integers(0, 6), st.integers(0, 1)), max_size=12), st.randoms())
def test_the_order_of_adds_within_a_tick_does_not_matter(
    items: list[tuple[int, int, int]], shuffle: random.Random
) -> None:
    mentions = [
        mention_of(START_MS + seen, f"{number:032x}", signature + 1, negative, 0.5)
        for number, (seen, signature, negative) in enumerate(items)
    ]
    rows = []
    for _ in range(2):
        state = OneSeries(SERIES, CONFIG)
        for item in mentions:
            state.add(item)
        state.close(StreamState(), START_MS + 30_000)
        rows.append(state.rows())
        shuffle.shuffle(mentions)
    assert rows[0] == rows[1]


def counts(state: OneSeries) -> list[tuple[int, int]]:
    return [(count.hits, count.total) for count in state.counts()]


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
                mention_of(
                    later,
                    item.id if same_id else f"{draw.getrandbits(100):032x}",
                    draw.getrandbits(60) if same_id else item.signature,
                    draw.randint(0, 1),
                    copy / 5,
                )
            )
    end_ms = START_MS + 21 * HOUR_MS
    plain, copied = OneSeries(SERIES, CONFIG), OneSeries(SERIES, CONFIG)
    for item in originals:
        plain.add(item)
    for item in [*originals, *repeated]:
        copied.add(item)
    for state in (plain, copied):
        state.close(StreamState(), end_ms)
    assert counts(copied) == counts(plain)


def test_the_smallest_copy_is_the_one_that_counts() -> None:
    state = OneSeries(SERIES, CONFIG)
    state.add(mention_of(START_MS + 5_000, "b" * 32, 77, 0, 0.1))
    state.add(mention_of(START_MS + 5_000, "a" * 32, 77, 1, 0.9))
    state.close(StreamState(), START_MS + 30_000)
    assert counts(state)[-1] == (1, 1)
    assert [story[1] for story in state.stories()] == ["a" * 32]


def test_a_story_counts_again_a_day_later() -> None:
    state, stream = OneSeries(SERIES, CONFIG), StreamState()
    for number, hour in enumerate((1, 24, 26)):
        state.add(mention(hour * 60, number, signature=9))
    for hour in (2, 25, 27):
        state.close(stream, START_MS + hour * HOUR_MS)
    assert counts(state)[-1] == (1, 1)  # the copy at 24 h was one, that at 26 h was not, the first has left


def test_without_collapsing_only_the_same_id_is_a_copy() -> None:
    config = rules(collapse=False)
    state = OneSeries(SERIES, config)
    for number in range(4):
        state.add(mention(1, number, signature=9))
    state.add(mention(2, 0, signature=9))
    state.close(StreamState(), START_MS + HOUR_MS)
    assert counts(state)[-1] == (4, 4)
    assert len(state.stories()) == 1


def test_a_late_mention_counts_in_the_next_open_tick_and_its_own_pane() -> None:
    state, stream = OneSeries(SERIES, CONFIG), StreamState()
    state.add(mention(300, 1))
    state.close(stream, START_MS + 6 * HOUR_MS)
    state.add(mention(30, 2))
    assert state.pending_ticks() == (START_MS + 6 * HOUR_MS + CONFIG.hop_ms,)
    state.close(stream, START_MS + 6 * HOUR_MS + CONFIG.hop_ms)
    assert counts(state) == [(0, 0), (1, 1), (2, 2)]
    assert state.state.late == 0


def test_a_mention_older_than_the_longest_window_is_dropped_and_counted_as_late() -> None:
    state, stream = OneSeries(SERIES, CONFIG), StreamState()
    state.add(mention(48 * 60, 1))
    state.close(stream, START_MS + 49 * HOUR_MS)
    state.add(mention(60, 2))
    state.close(stream, START_MS + 50 * HOUR_MS)
    assert counts(state)[-1] == (1, 1)
    assert state.state.late == 1


def test_a_mention_ahead_of_the_tick_waits() -> None:
    state = OneSeries(SERIES, CONFIG)
    state.add(mention(0.4, 1))
    state.add(mention(0.6, 2))
    state.close(StreamState(), START_MS + 30_000)
    assert counts(state)[0] == (1, 1)
    assert state.pending_ticks() == (START_MS + 60_000,)


def test_a_series_that_nobody_watches_keeps_nothing() -> None:
    state = OneSeries("source/x", CONFIG)
    state.add(mention(0.4, 1))
    assert state.close(StreamState(), START_MS + 30_000) == []
    assert state.pending_ticks() == ()
    assert state.next_due() is None


@given(st.lists(st.integers(0, 60 * 60), max_size=80), st.integers(0, 3_000))
def test_windows_hold_what_was_seen_in_their_span(minutes: list[int], extra: int) -> None:
    state = OneSeries(SERIES, CONFIG)
    mentions = [mention(minute + 0.1, number, number % 2) for number, minute in enumerate(minutes)]
    for item in mentions:
        state.add(item)
    last = max([item.seen_ms for item in mentions], default=START_MS)
    tick_ms = tick_of(last + extra * 1_000, CONFIG.hop_ms)
    for at in sorted({tick_of(item.seen_ms, CONFIG.hop_ms) for item in mentions} | {tick_ms}):
        state.close(StreamState(), at)
    for count in state.counts():
        inside = [item for item in mentions if count.start_ms <= item.seen_ms < tick_ms]
        assert (count.hits, count.total) == (sum(bool(item.hits) for item in inside), len(inside))


def test_rows_stay_small_however_busy_the_series() -> None:
    draw, state, stream = random.Random(3), OneSeries(SERIES, CONFIG), StreamState()
    largest = 0
    for number in range(12_000):
        item = mention_of(START_MS + number * 5_000, f"{draw.getrandbits(128):032x}", draw.getrandbits(63), 1, 0.9)
        stream.add(SERIES, item.seen_ms, True)
        state.add(item)
        tick_ms = tick_of(item.seen_ms, CONFIG.hop_ms)
        stream.close_tick(tick_ms, CONFIG)
        state.close(stream, tick_ms)
        if number % 500 == 0:
            row, parts = state.rows()
            largest = max(largest, *map(len, parts.values()))
    assert len(row) < 6_000
    assert largest < 100_000
    assert len(stream.to_bytes()) < 8_000


@pytest.mark.parametrize("others", [0, 1_500, 50_000])
def test_copies_and_revisions_of_a_day_collapse_however_busy_the_series(others: int) -> None:
    """What came in between, a story and its item are known for 24 hours, and no longer."""
    draw, state, stream = random.Random(3), OneSeries(SERIES, CONFIG), StreamState()
    state.add(mention(0, 1, signature=77))
    for number in range(others):
        seen_ms = START_MS + 60_000 + number * 60_000_000 // max(others, 1)
        state.add(mention_of(seen_ms, f"{draw.getrandbits(128):032x}", draw.getrandbits(63), 0, 0.1))
    for tick_ms in range(START_MS + HOUR_MS, START_MS + 20 * HOUR_MS, HOUR_MS):
        state.close(stream, tick_ms)
    before = counts(state)[-1][1]
    copy, revision, again = mention(23.9 * 60, 2, signature=77), mention(23.9 * 60, 1, signature=78), mention(1441, 3)
    for item in (copy, revision):
        state.add(item)
    state.close(stream, START_MS + 23 * HOUR_MS + 57 * 60_000)
    assert counts(state)[-1][1] == before == others + 1
    state.add(mention_of(again.seen_ms, again.id, 77, 1, 0.9))
    state.close(stream, START_MS + 24 * HOUR_MS + 120_000)
    assert sum(total for _, total in [counts(state)[0]]) == 1


def test_an_item_that_says_different_things_of_two_series_is_one_item() -> None:
    first = Heard(START_MS, "a" * 32, 5, (), ("entity/x",), 1, 7)
    second = Heard(START_MS, "a" * 32, 5, ((SIGNAL, 0.9),), ("entity/y", "all"), 1, 7)
    revision = Heard(START_MS, "a" * 32, 6, ((SIGNAL, 0.9),), ("entity/y", "entity/z"), 2, 9)
    found = Copies().counted(START_MS + 30_000, sorted([revision, second, first]), CONFIG).by_series
    assert found == {"entity/x": [first], "entity/y": [second], "all": [second]}


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_rows_of_copies_that_are_ahead_are_cut_back_to_any_tick(seed: int) -> None:
    """A crash leaves the rows of later ticks beside those that it goes on from; what it counts again is the same."""
    draw = random.Random(seed)
    heard: dict[int, list[Heard]] = {}
    for number in range(draw.randint(10, 400)):
        seen_ms = START_MS + draw.randint(0, 60 * HOUR_MS)
        tick_ms = tick_of(seen_ms + draw.choice([0, 0, 0, 20 * HOUR_MS]), CONFIG.hop_ms)
        one = Heard(seen_ms, f"{draw.randint(0, 300):032x}", draw.randint(1, 200), (), ("a", "b"), number, number)
        heard.setdefault(tick_ms, []).append(one)
    ticks = sorted(heard)
    cut = draw.randrange(len(ticks))
    plain, rows, want, part = Copies(), dict[int, bytes](), [], 0
    for at, tick_ms in enumerate(ticks):
        want.append(plain.counted(tick_ms, sorted(heard[tick_ms]), CONFIG))
        if at == cut:
            part = plain.open_part
        if draw.random() < 0.5:
            rows |= dict(plain.taking_rows())
        if at < cut:  # what is not needed goes once the partition row is written
            for number in plain.take_spent():
                rows.pop(number, None)
    rows |= dict(plain.taking_rows())
    again = Copies()
    for _ in again.restore(rows, part, ticks[cut]):
        pass
    assert [again.counted(tick_ms, sorted(heard[tick_ms]), CONFIG) for tick_ms in ticks[cut + 1 :]] == want[cut + 1 :]


def test_a_series_is_forgotten_when_so_little_is_left_of_it_that_it_is_as_good_as_new() -> None:
    once, often = OneSeries(SERIES, CONFIG), OneSeries(SERIES, CONFIG)
    for state, items in ((once, 1), (often, 640)):
        for number in range(items):
            state.add(mention(number, number, 0))
        state.close(StreamState(), START_MS + 24 * HOUR_MS)
    days = [(one.state.forgotten_ms(CONFIG) - one.state.tick_ms) / (24 * HOUR_MS) for one in (once, often)]
    assert days[0] == 6 * 14
    assert 15 * 14 < days[1] < 15.5 * 14


def test_a_quiet_series_has_a_small_row() -> None:
    _, state, _ = run(bursty(4, days=40))
    assert len(state.state.to_bytes()) < 3_000


def test_a_new_window_in_the_settings_starts_empty_and_the_others_go_on() -> None:
    state = OneSeries(SERIES, CONFIG)
    state.add(mention(10, 1))
    state.close(StreamState(), START_MS + HOUR_MS)
    state = state.restarted({})
    state.config = rules(windows_seconds=[3600, 86400])
    state.add(mention(62, 2))
    state.close(StreamState(), START_MS + HOUR_MS + 180_000)
    assert [(count.hits, count.total) for count in state.counts()] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("data", [b"", b"\x93\x01\x02", b"\xff" * 40])
def test_a_damaged_row_is_an_error_with_words(data: bytes) -> None:
    with pytest.raises(StateError, match="damaged"):
        SeriesState.from_bytes(data)
    with pytest.raises(StateError, match="damaged"):
        StreamState.from_bytes(data)


def test_a_row_of_a_newer_version_is_refused() -> None:
    series, stream = bytearray(SeriesState().to_bytes()), bytearray(StreamState().to_bytes())
    assert (series[1], stream[1]) == (4, 4)
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
            stream.add(series, seen_ms, bool(negative))
        stream.close_tick(tick_ms, CONFIG)
        views.append(stream.view(KIND, tick_ms, CONFIG))
    assert views[0] == views[1] == views[2]


def test_the_stream_leaves_out_what_comes_a_day_late() -> None:
    stream = StreamState()
    stream.add(SERIES, START_MS, True)
    stream.close_tick(START_MS + 3 * HORIZON_HOURS * HOUR_MS, CONFIG)
    stream.add(SERIES, START_MS + HOUR_MS, True)
    assert stream.late == 1
