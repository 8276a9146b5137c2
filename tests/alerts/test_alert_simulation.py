"""Detection on simulated streams: the budget holds where nothing happens, and jumps are found.

Simulated: many series of one stream with a daily and weekly rhythm, days that differ, levels from a mention a week to
several an hour, and small clumps of different stories about the same event. Seeds are fixed: these are measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from alerts import AlertConfig, Mention
from tests.alerts.one_series import mention_of

Play = Callable[..., Any]

START_MS = 1_735_516_800_000  # Monday 2024-12-30, 00:00 UTC
HOUR_MS = 3_600_000
FINANCE = Path(__file__).resolve().parents[2] / "streams" / "profiles" / "finance" / "alerts.yaml"


def finance(**changes: object) -> AlertConfig:
    return AlertConfig.from_mapping({**yaml.safe_load(FINANCE.read_text(encoding="utf-8")), **changes})


def rhythm(hours: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Relative rate per hour: an afternoon peak, quiet weekends; mean 1 over whole weeks."""
    week_hour = np.arange(hours) % 168
    shape = (0.35 + 1.6 * np.exp(-(((week_hour % 24 - 15) / 5) ** 2))) * np.where(week_hour >= 120, 0.4, 1.2)
    relative: np.ndarray[Any, np.dtype[np.float64]] = shape / shape.mean()
    return relative


def stream(
    seed: int,
    *,
    weeks: int,
    rates: tuple[float, ...],
    clump: float = 1.0,
    jumps: dict[int, tuple[int, int, float]] | None = None,
) -> Iterator[tuple[Mention, list[str]]]:
    """Series `entity/<i>` with `rates[i]` items a day, 30 % negative; `clump` is the mean size of an event.

    `jumps`: series -> (first hour, last hour, factor on the number of events, all negative then).
    """
    draw = np.random.default_rng(seed)
    hours = weeks * 168
    base, days = rhythm(hours), np.exp(draw.normal(0, 0.2, weeks * 7))
    found: list[tuple[int, int, int]] = []
    for series, rate in enumerate(rates):
        own = np.exp(draw.normal(0, 0.25, weeks * 7))
        expected = rate / 24 * base * np.repeat(days * own, 24) / clump
        first, last, factor = (jumps or {}).get(series, (0, 0, 1.0))
        expected[first:last] *= factor
        for hour in np.repeat(np.arange(hours), draw.poisson(expected)):
            begun = START_MS + (hour + draw.random()) * HOUR_MS
            size = int(draw.geometric(1 / clump))
            spread = [0.0, *(draw.exponential(1.5, size - 1) * HOUR_MS)]
            in_jump = first <= hour < last
            found += [(int(begun + later), series, int(in_jump or draw.random() < 0.3)) for later in spread]
    for number, (seen_ms, series, negative) in enumerate(sorted(found), start=1):
        names = ["all", f"topic/{series % 12}", f"entity/{series}"]
        yield mention_of(seen_ms, f"{number:032x}", number, negative, float(negative)), names


def many(count: int, low: float, high: float) -> tuple[float, ...]:
    return tuple(np.geomspace(low, high, count).tolist())


@pytest.mark.parametrize(
    ("rates", "clump"),
    [(many(60, 0.05, 15), 1.0), (many(150, 0.02, 3), 1.0), (many(16, 1, 90), 1.2), (many(60, 0.05, 15), 1.2)],
    ids=["poisson", "sparse", "busy-clumps", "clumps"],
)
def test_a_stream_in_which_nothing_happens_keeps_the_budget(play: Play, rates: tuple[float, ...], clump: float) -> None:
    """One false alarm a week is asked for, over all series; four are the most that is accepted here."""
    weeks, warm_up_weeks = 6, 0.5
    alarms = sum(len(play(finance(), stream(seed, weeks=weeks, rates=rates, clump=clump)).opened) for seed in (1, 2))
    assert alarms / (2 * (weeks - warm_up_weeks)) <= 4.0


def test_a_smaller_budget_gives_fewer_alarms_and_a_larger_one_more(play: Play) -> None:
    items = list(stream(5, weeks=5, rates=many(60, 0.05, 15), clump=1.3))
    alarms = [
        len(play(finance(false_alarms_per_week=budget, most_probable_level=0.05), items).opened)
        for budget in (0.1, 1.0, 10.0)
    ]
    assert alarms[0] <= alarms[1] <= alarms[2]
    assert alarms[0] < alarms[2]


def test_jumps_are_found_within_hours(play: Play) -> None:
    """Crises of 12 hours that multiply the events of a series and turn them negative."""
    rates = many(24, 0.5, 30)
    begin = 4 * 168 + 2 * 24 + 10  # a Wednesday morning
    jumps = {series: (begin, begin + 12, max(8.0, 20 / rates[series] * 2)) for series in range(0, 24, 3)}
    played = play(finance(), stream(11, weeks=5, rates=rates, jumps=jumps))
    begin_ms = START_MS + begin * HOUR_MS
    delays = {
        event.series: (event.onset_ms - begin_ms) / HOUR_MS
        for event in reversed(played.opened)
        if 0 <= event.onset_ms - begin_ms <= 13 * HOUR_MS
    }
    found = [delays[f"entity/{series}"] for series in jumps if f"entity/{series}" in delays]
    assert len(found) >= 0.9 * len(jumps)
    assert float(np.median(found)) <= 5.0
    before = [event for event in played.opened if event.onset_ms < begin_ms]
    assert len(before) / 4 <= 4.0  # a week


def test_the_rhythm_of_the_day_is_no_alarm(play: Play) -> None:
    """A series with fifty items an hour at noon and none at night: its mornings are not news."""
    draw, items = np.random.default_rng(3), []
    for hour in range(5 * 168):
        rate = 50.0 if 11 <= hour % 24 < 14 and hour % 168 < 120 else 0.2
        for _ in range(draw.poisson(rate)):
            seen_ms = int(START_MS + (hour + draw.random()) * HOUR_MS)
            items.append((seen_ms, int(draw.random() < 0.3)))
    mentions = (
        (mention_of(seen_ms, f"{number:032x}", number, negative, 0.5), ["entity/noon"])
        for number, (seen_ms, negative) in enumerate(sorted(items), start=1)
    )
    assert play(finance(), mentions).opened == []


def test_a_batch_at_the_same_minute_of_every_day_is_no_alarm(play: Play) -> None:
    """A publisher that posts its day at 05:00 sharp: within the hour the rhythm is not flat."""
    draw, items = np.random.default_rng(4), []
    for day in range(40):
        for _ in range(8 + int(draw.integers(0, 5))):
            seen_ms = START_MS + day * 24 * HOUR_MS + 5 * HOUR_MS + int(draw.integers(0, 90_000))
            items.append((seen_ms, int(draw.random() < 0.4)))
    mentions = (
        (mention_of(seen_ms, f"{number:032x}", number, negative, 0.5), ["topic/morning"])
        for number, (seen_ms, negative) in enumerate(sorted(items), start=1)
    )
    late = [event for event in play(finance(), mentions).opened if event.onset_ms > START_MS + 10 * 24 * HOUR_MS]
    assert late == []


@pytest.mark.parametrize("negatives", [3, 4])
def test_three_negative_items_after_weeks_of_silence_open_an_alert_on_a_watchlist(play: Play, negatives: int) -> None:
    """A name that nobody wrote about for five weeks, then a few bad items over fourteen hours."""
    items = list(stream(21, weeks=6, rates=many(40, 0.1, 8)))
    begin_ms = START_MS + 36 * 24 * HOUR_MS + 20 * HOUR_MS
    hours = (0.0, 3.05, 13.2, 14.2)[4 - negatives :]
    crisis = [
        (mention_of(begin_ms + round(hour * HOUR_MS), f"{10**9 + at:032x}", 10**9 + at, 1, 0.9), ["watchlist/bank"])
        for at, hour in enumerate(hours)
    ]
    played = play(finance(), sorted(items + crisis))
    found = [event for event in played.opened if event.series == "watchlist/bank"]
    assert len(found) == 1
    assert found[0].onset_ms <= begin_ms + 14.5 * HOUR_MS
    assert found[0].window.seconds == 86_400
    assert len(found[0].top_items) >= 3


def test_the_first_days_of_an_episode_do_not_become_normal(play: Play) -> None:
    """A second crisis, ten days after a first one, is found as the first was."""
    rates = many(12, 0.5, 6)
    items = list(stream(8, weeks=6, rates=rates))
    first, second = START_MS + 22 * 24 * HOUR_MS, START_MS + 32 * 24 * HOUR_MS
    crises = [
        (mention_of(begin + at * 20 * 60_000, f"{10**9 + begin // 10**6 + at:032x}", begin + at, 1, 0.9), ["entity/0"])
        for begin in (first, second)
        for at in range(40)
    ]
    opened = [event.onset_ms for event in play(finance(), sorted(items + crises)).opened if event.series == "entity/0"]
    assert any(0 <= onset - first <= 2 * HOUR_MS for onset in opened)
    assert any(0 <= onset - second <= 2 * HOUR_MS for onset in opened)


def test_a_lasting_rise_becomes_the_new_normal(play: Play) -> None:
    """A series that is ten times as busy for good: one alert, which ends by itself."""
    items = []
    draw = np.random.default_rng(9)
    for day in range(70):
        rate = 2 if day < 21 else 20
        items += [int(START_MS + (day + part) * 24 * HOUR_MS) for part in draw.random(draw.poisson(rate))]
    mentions = [
        (mention_of(seen_ms, f"{number:032x}", number, int(number % 2), 0.5), ["entity/a"])
        for number, seen_ms in enumerate(sorted(items), start=1)
    ]
    played = play(finance(), mentions, mentions[-1][0].seen_ms)
    assert 1 <= len(played.opened) <= 3
    assert played.events[-1].change == "resolved"
    assert not any(event.onset_ms > START_MS + 40 * 24 * HOUR_MS for event in played.opened)
