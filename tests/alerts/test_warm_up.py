"""The warm-up: an old record, or the first news after a gap, does not end it; an outage later does not start it."""

from __future__ import annotations

import msgspec
import pytest

from alerts import AlertConfig, AlertEvent, StreamState
from streams.engine.runs import Record
from streams.records import VERSION, MentionBatch, MentionItem
from streams.stages.watch_partition import WatchPartition

SIGNAL = "negative"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS
CONFIG = AlertConfig.default("all", signal=SIGNAL)
WARM_UP_MS = CONFIG.warm_up_ms


def record(number: int, seen_ms: int, hit: bool) -> Record:
    signals = {SIGNAL: 0.9} if hit else {}
    item = MentionItem(number, f"{number:032x}", seen_ms, number + 1, signals, ("all",))
    return Record(number, None, msgspec.json.encode(MentionBatch(VERSION, "e", 0, 1, seen_ms, (item,))), seen_ms)


def records(*quiet_ms: int, surge_ms: int) -> list[Record]:
    """One item that hits nothing at each of the times, then twelve within as many minutes that do, and one that ends
    the last tick."""
    times = [*quiet_ms, *(surge_ms + minute * 60_000 for minute in range(12))]
    made = [record(number, at_ms, number >= len(quiet_ms)) for number, at_ms in enumerate(times)]
    return [*made, record(len(made), times[-1] + HOUR_MS, False)]


def start_of(watch: WatchPartition) -> int:
    return watch._streams[SIGNAL].start_ms


def counted(given: list[Record]) -> tuple[WatchPartition, list[AlertEvent]]:
    watch = WatchPartition(CONFIG)
    return watch, [event for one in given for event in watch.apply(one)]


@pytest.mark.parametrize("first_ms", [1_000, NOW_MS - 800 * DAY_MS, NOW_MS - 4 * DAY_MS])
def test_an_old_record_as_the_first_does_not_end_the_warm_up(first_ms: int) -> None:
    watch, events = counted(records(first_ms, NOW_MS, surge_ms=NOW_MS + HOUR_MS))
    assert events == []
    assert start_of(watch) == NOW_MS


def test_old_records_of_several_years_do_not_end_it_either() -> None:
    watch, events = counted(records(1_000, NOW_MS - 8_000 * DAY_MS, NOW_MS - 800 * DAY_MS, NOW_MS, surge_ms=NOW_MS))
    assert events == []
    assert start_of(watch) == NOW_MS


def test_a_gap_of_a_day_does_not_start_it_again() -> None:
    times = [NOW_MS + day * (DAY_MS - HOUR_MS) for day in range(5)]
    watch, events = counted(records(*times, surge_ms=times[-1] + HOUR_MS))
    assert start_of(watch) == NOW_MS
    assert events


def test_an_outage_after_it_does_not_start_it_again() -> None:
    hourly = [NOW_MS + hour * HOUR_MS for hour in range(WARM_UP_MS // HOUR_MS + 2)]
    watch, events = counted(records(*hourly, surge_ms=hourly[-1] + 30 * DAY_MS))
    assert start_of(watch) == NOW_MS
    assert events


def test_a_feed_with_an_item_a_week_ends_it_too() -> None:
    """Each new beginning bears twice the gap: of one, two and four days."""
    weekly = [NOW_MS + week * 7 * DAY_MS for week in range(6)]
    watch, events = counted(records(*weekly, surge_ms=weekly[-1] + HOUR_MS))
    assert start_of(watch) == weekly[3]
    assert events


def test_a_series_forgets_what_was_before_the_new_beginning() -> None:
    """Else its hits of then would be expected of an exposure that leaves that time out."""
    after = [NOW_MS + hour * HOUR_MS for hour in range(2 * WARM_UP_MS // HOUR_MS)]
    burst = records(NOW_MS - 40 * DAY_MS, surge_ms=NOW_MS - 40 * DAY_MS)[:-1]
    later = [record(len(burst) + number, at_ms, False) for number, at_ms in enumerate(after)]
    watch, _ = counted([*burst, *later])
    alone, _ = counted([record(number, at_ms, False) for number, at_ms in enumerate(after)])
    (key,) = watch.states()[1]
    assert watch._series.of(key, 0, 0).state.history == alone._series.of(key, 0, 0).state.history
    assert watch._streams[SIGNAL].view("all", after[-1], CONFIG) == alone._streams[SIGNAL].view(
        "all", after[-1], CONFIG
    )


@pytest.mark.parametrize("at", range(1, 16))
def test_a_restart_at_any_record_decides_alike(at: int) -> None:
    given = records(1_000, NOW_MS - 90 * DAY_MS, NOW_MS, surge_ms=NOW_MS + HOUR_MS)
    whole, events = counted(given)
    first, before = counted(given[:at])
    rows = first.take_rows()
    restarted = WatchPartition(CONFIG, first.partition_row(), rows.items())
    after = [event for one in given[at:] for event in restarted.apply(one)]
    assert before + after == events
    assert restarted._shared() == whole._shared()


@pytest.mark.parametrize("late_hours", [2, 20])
def test_the_order_of_mentions_within_a_tick_is_free(late_hours: int) -> None:
    """One that comes late enters a later tick, where it may be added first or last."""
    ends = []
    for times in ((0, -late_hours), (-late_hours, 0)):
        stream = StreamState()
        stream.close_tick(NOW_MS - 26 * HOUR_MS, CONFIG)
        stream.add("all", NOW_MS - 26 * HOUR_MS - 1, True)
        stream.close_tick(NOW_MS + 1, CONFIG)
        for hours in times:
            stream.add("all", NOW_MS + hours * HOUR_MS, False)
        ends.append((stream.start_ms, stream.heard_ms, stream.gap_ms, stream.view("all", NOW_MS + 1, CONFIG)))
    assert ends[0] == ends[1]
    assert ends[0][0] == NOW_MS - late_hours * HOUR_MS
