"""An alert's life: it opens, may escalate, ends after calm now and a day ago, and a relapse opens it again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import (
    AlertConfig,
    AlertEvent,
    Evidence,
    Headline,
    Mention,
    Reason,
    SeriesState,
    StreamState,
    explain,
    tick_of,
)
from alerts.detectors import Interval
from alerts.episode import IDLE, calm, close_if_calm, cooling, opened, reopened, unrest, update_due, updated
from alerts.records import alert_id
from alerts.rules import Count, judge, screen
from alerts.sections import VOLUME, RuleConfig, Window
from tests.alerts.one_series import SIGNAL, OneSeries, mention_of

Play = Callable[..., Any]

START_MS = 1_735_516_800_000  # Monday 2024-12-30, 00:00 UTC
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
RULE = RuleConfig()
CONFIG = AlertConfig.default("entity", signal=SIGNAL)
SETTINGS = CONFIG.episode


def evidence(negative: int, expected: float, p_value: float, level: float = 1e-3, seconds: int = 7200) -> Evidence:
    count = Count(Window.of_seconds(seconds), 0, seconds * 1000, negative, negative)
    return Evidence(VOLUME, count, expected, expected, p_value, level, lambda: Interval(0, 1))


looks = st.builds(
    evidence,
    st.integers(0, 40),
    st.floats(0.01, 20),
    st.floats(1e-12, 1.0),
    st.just(1e-3),
    st.sampled_from([900, 86400]),
)


@given(st.lists(st.tuples(st.integers(1, 40) | st.sampled_from([720, 1425, 1440]), looks), max_size=60))
def test_no_course_of_looks_breaks_the_order_of_an_alerts_life(course: list[tuple[int, Evidence]]) -> None:
    episode, tick_ms = IDLE, 0
    told: list[tuple[str, int]] = []
    unrests: list[int] = []
    for minutes, look in course:
        tick_ms += minutes * MINUTE_MS
        before = episode
        if not episode.is_open:
            if look.p_value <= look.level:
                again = cooling(episode, tick_ms, SETTINGS)
                episode = reopened(episode, look, tick_ms, RULE) if again else opened(look, tick_ms, RULE)
                told.append(("reopened" if again else "opened", episode.version))
                unrests = [*unrests, tick_ms] if again else [tick_ms]
                assert not again or (episode.onset_ms, episode.critical >= before.critical) == (before.onset_ms, True)
            continue
        if calm([look], RULE, SETTINGS):
            episode, reason = close_if_calm(episode, tick_ms, SETTINGS)
            if reason is Reason.RESOLVED:
                told.append(("resolved", episode.version))
                assert tick_ms - before.calm_since_ms >= SETTINGS.hold_minutes * MINUTE_MS
                day_before = range(tick_ms - DAY_MS - 30 * MINUTE_MS, tick_ms - DAY_MS + 1)
                assert not any(at in day_before for at in unrests)
        else:
            unrests.append(tick_ms)
            episode, reason, tell = updated(episode, look, tick_ms, RULE, SETTINGS)
            assert episode.calm_since_ms == 0 or not tell
            if tell:
                told.append(("escalated" if reason is Reason.ESCALATED else "ongoing", episode.version))
        assert episode.onset_ms == before.onset_ms
        assert episode.critical >= before.critical
    lives: list[list[tuple[str, int]]] = []
    for change, version in told:
        if change == "opened":
            lives.append([])
        lives[-1].append((change, version))
    for life in lives:
        changes = [change for change, _ in life]
        assert [version for _, version in life] == list(range(1, len(life) + 1))
        assert changes[0] == "opened"
        assert all(following == "reopened" for change, following in pairwise(changes) if change == "resolved")
        assert changes.count("escalated") <= 1


def test_an_alert_does_not_end_before_the_hold_time() -> None:
    episode = opened(evidence(5, 0.1, 1e-5), HOUR_MS, RULE)
    episode, reason = close_if_calm(episode, 2 * HOUR_MS, SETTINGS)
    assert reason is Reason.CALMING
    episode, reason = close_if_calm(episode, 2 * HOUR_MS + 29 * MINUTE_MS, SETTINGS)
    assert reason is Reason.CALMING
    episode, reason = close_if_calm(episode, 2 * HOUR_MS + 30 * MINUTE_MS, SETTINGS)
    assert (reason, episode.is_open, episode.state) == (Reason.RESOLVED, False, "resolved")


def test_a_quiet_night_or_sunday_ends_nothing_until_the_same_hours_were_calm_a_day_before() -> None:
    """Unrest from 10:00 to 17:10 of the first day; then calm, looked at every five minutes."""
    episode, reason = opened(evidence(5, 0.1, 1e-5), 10 * HOUR_MS, RULE), Reason.OPENED
    for tick_ms in range(10 * HOUR_MS, 17 * HOUR_MS + 11 * MINUTE_MS, 5 * MINUTE_MS):
        episode, _, _ = updated(episode, evidence(5, 0.1, 1e-5), tick_ms, RULE, SETTINGS)
    calm_ms = DAY_MS + 10 * HOUR_MS  # the day's window has emptied
    for tick_ms in range(calm_ms, calm_ms + 9 * HOUR_MS, 5 * MINUTE_MS):
        episode, reason = close_if_calm(episode, tick_ms, SETTINGS)
        if reason is Reason.RESOLVED:
            break
        assert reason is (Reason.CALMING if tick_ms < calm_ms + 30 * MINUTE_MS else Reason.CALM_TODAY)
    # From the first hold time whose hours, a day before, come after the last unrest.
    assert (reason, episode.resolved_ms) == (Reason.RESOLVED, DAY_MS + 18 * HOUR_MS + 30 * MINUTE_MS)


@given(st.lists(st.integers(0, 60 * 24 * 6), min_size=1, max_size=30), st.integers(0, 60 * 24 * 8))
def test_hours_of_unrest_are_remembered_for_two_days(minutes: list[int], now: int) -> None:
    episode = opened(evidence(5, 0.1, 1e-5), min(minutes) * MINUTE_MS, RULE)
    for minute in sorted(minutes):
        episode = unrest(episode, minute * MINUTE_MS)
    hours = {minute // 60 for minute in minutes if minute // 60 >= episode.unrest_hour - 48}
    assert episode.unrest == sum(1 << (episode.unrest_hour - hour) for hour in hours)
    assert episode.unrest < 1 << 63
    now_ms = (max(minutes) + now) * MINUTE_MS
    _, reason = close_if_calm(msgspec.structs.replace(episode, calm_since_ms=1), now_ms + DAY_MS, SETTINGS)
    same = {now_ms // HOUR_MS, (now_ms - 30 * MINUTE_MS) // HOUR_MS}
    assert (reason is Reason.RESOLVED) == same.isdisjoint(hours)


def test_a_relapse_starts_the_hold_time_again() -> None:
    episode, _ = close_if_calm(opened(evidence(5, 0.1, 1e-5), HOUR_MS, RULE), 2 * HOUR_MS, SETTINGS)
    episode, _, _ = updated(episode, evidence(5, 0.1, 1e-4), 2 * HOUR_MS + 10 * MINUTE_MS, RULE, SETTINGS)
    episode, reason = close_if_calm(episode, 2 * HOUR_MS + 35 * MINUTE_MS, SETTINGS)
    assert reason is Reason.CALMING


def test_every_window_must_be_calm() -> None:
    short, long = evidence(1, 0.2, 0.2, seconds=900), evidence(9, 1.0, 1e-4, seconds=86400)
    assert not calm([short, long], RULE, SETTINGS)
    assert calm([short, evidence(2, 0.01, 1e-4, seconds=86400)], RULE, SETTINGS)  # too few to be anything


def test_a_relapse_within_the_cool_down_opens_the_same_alert_again() -> None:
    first = opened(evidence(9, 0.1, 1e-5), HOUR_MS, RULE)
    ended = msgspec.structs.replace(first, is_open=False, critical=True, resolved_ms=10 * HOUR_MS, version=2)
    assert cooling(ended, 11 * HOUR_MS, SETTINGS)
    assert not cooling(ended, 16 * HOUR_MS, SETTINGS)
    assert not cooling(IDLE, 11 * HOUR_MS, SETTINGS)
    again = reopened(ended, evidence(4, 0.1, 1e-4), 11 * HOUR_MS, RULE)
    assert (again.is_open, again.onset_ms, again.version, again.state) == (True, HOUR_MS, 3, "firing")
    assert (again.severity, again.best_p, again.told_hits) == ("critical", 1e-5, 4)
    assert not cooling(again, 11 * HOUR_MS, SETTINGS)
    worse = reopened(ended, evidence(12, 0.1, 1e-9), 11 * HOUR_MS, RULE)
    assert worse.peak is not None
    assert (worse.peak.at_ms, worse.best_p) == (11 * HOUR_MS, 1e-9)


def test_escalation_is_told_once_and_at_once() -> None:
    episode = opened(evidence(3, 0.1, 5e-4), HOUR_MS, RULE)
    assert (episode.state, episode.severity) == ("firing", "warning")
    worse = evidence(12, 0.1, 1e-9)
    episode, reason, tell = updated(episode, worse, HOUR_MS + MINUTE_MS, RULE, SETTINGS)
    assert (reason, tell, episode.state, episode.severity) == (Reason.ESCALATED, True, "escalated", "critical")
    episode, reason, tell = updated(episode, worse, HOUR_MS + 2 * MINUTE_MS, RULE, SETTINGS)
    assert (reason, tell) == (Reason.STILL_OPEN, False)


def test_an_alert_that_opens_critical_is_not_called_escalated() -> None:
    episode = opened(evidence(12, 0.1, 1e-9), HOUR_MS, RULE)
    assert (episode.state, episode.severity) == ("firing", "critical")


def test_updates_are_rare_and_only_for_changed_counts() -> None:
    episode = opened(evidence(5, 0.1, 5e-4), HOUR_MS, RULE)
    assert not update_due(episode, HOUR_MS + 59 * MINUTE_MS, SETTINGS)
    same = updated(episode, evidence(5, 0.1, 5e-4), 3 * HOUR_MS, RULE, SETTINGS)
    assert same[1:] == (Reason.STILL_OPEN, False)
    changed = updated(episode, evidence(6, 0.1, 4e-4), 3 * HOUR_MS, RULE, SETTINGS)
    assert changed[1:] == (Reason.STILL_OPEN, True)


def test_the_screen_and_the_judge_say_why_not() -> None:
    def counted(negative: int, total: int) -> Count:
        return Count(Window.of_seconds(7200), 0, 7_200_000, negative, total)

    rule = RuleConfig(minimum_total=6, minimum_ratio=2.0)
    assert screen(counted(2, 9), 0.1, rule) is Reason.TOO_FEW
    assert screen(counted(5, 5), 0.1, rule) is Reason.TOO_FEW_ITEMS
    assert screen(counted(5, 9), 3.0, rule) is Reason.NOT_A_RISE
    assert screen(counted(5, 9), 0.5, rule) is None
    assert judge(evidence(5, 0.5, 1e-2), rule, stories=5) is Reason.AS_EXPECTED
    assert judge(evidence(5, 0.5, 1e-5), rule, stories=1) is Reason.TOO_FEW_STORIES
    assert judge(evidence(5, 0.5, 1e-5), rule, stories=5) is Reason.OPENED


def quiet_then_burst(burst: int, days: int = 20) -> list[tuple[Mention, list[str]]]:
    """Thirty series with two neutral items a day and a negative one now and then; then one series bursts."""
    items: list[tuple[Mention, list[str]]] = []
    for day in range(days):
        for series in range(30):
            for part in range(2):
                seen_ms = START_MS + day * 24 * HOUR_MS + series * 40 * MINUTE_MS + part * 3 * HOUR_MS
                number = len(items) + 1
                negative = int((day + series + part) % 7 == 0)
                items.append((mention_of(seen_ms, f"{number:032x}", number, negative, 0.8), [f"entity/{series}"]))
    start_ms = START_MS + days * 24 * HOUR_MS
    for number in range(burst):
        seen_ms = start_ms + number * 5 * MINUTE_MS
        items.append((mention_of(seen_ms, f"{10**6 + number:032x}", 10**6 + number, 1, 0.9), ["entity/3"]))
    return sorted(items)


def test_a_burst_opens_escalates_and_resolves_one_alert(play: Play) -> None:
    items = quiet_then_burst(12)
    played = play(CONFIG, items, items[-1][0].seen_ms + 60 * HOUR_MS)
    changes = [event.change for event in played.events]
    assert [change for change in changes if change != "ongoing"] == ["opened", "escalated", "resolved"]
    assert {event.series for event in played.events} == {"entity/3"}
    first, last = played.events[0], played.events[-1]
    assert {event.id for event in played.events} == {alert_id(SIGNAL, "volume", "entity/3", first.onset_ms)}
    assert [event.revision for event in played.events] == list(range(1, len(changes) + 1))
    assert (first.state, last.state) == ("firing", "resolved")
    assert first.onset_ms == first.updated_ms == first.window.end_ms
    assert first.observed.hits >= 3
    assert first.expected.hits < 1
    assert first.expected.interval[1] < first.observed.hits
    assert first.p_value <= first.level
    assert first.peak.p_value == first.p_value
    assert last.peak.hits >= 12
    assert last.peak.p_value < first.p_value
    assert any("negative in" in reason for reason in first.reasons)
    assert last.updated_ms > items[-1][0].seen_ms + 36 * HOUR_MS  # the day's window had to empty, a day before too


def test_a_second_burst_after_the_end_is_told_under_the_same_id(play: Play) -> None:
    items = quiet_then_burst(12)
    ended_ms = play(CONFIG, items, items[-1][0].seen_ms + 60 * HOUR_MS).events[-1].updated_ms
    burst = [
        (mention_of(ended_ms + number * 3 * MINUTE_MS, f"{10**7 + number:032x}", 10**7 + number, 1, 0.9), ["entity/3"])
        for number in range(8)
    ]
    played = play(CONFIG, [*items, *burst])
    told = [event for event in played.events if event.change != "ongoing"]
    assert [event.change for event in told] == ["opened", "escalated", "resolved", "reopened"]
    assert {event.id for event in told} == {alert_id(SIGNAL, "volume", "entity/3", told[0].onset_ms)}
    assert [event.revision for event in played.events] == list(range(1, len(played.events) + 1))
    assert (told[-1].severity, told[-1].peak.hits) == ("critical", told[-2].peak.hits)
    assert told[-1].top_items[0].seen_ms >= ended_ms


def test_top_items_are_the_latest_negative_stories_of_the_window(play: Play) -> None:
    items = quiet_then_burst(12)
    played = play(CONFIG, items)
    for event in played.events:
        seen = [item.seen_ms for item in event.top_items]
        assert seen == sorted(seen, reverse=True)
        assert all(event.window.start_ms <= at < event.window.end_ms for at in seen)
        assert 0 < len(seen) <= 10
    newest = played.events[-1].top_items[0]
    named = played.events[-1].with_headlines({newest.id: Headline("A title", "A wire", "https://news.example/1")})
    assert named.top_items[0].title == "A title"
    assert named.top_items[1:] == played.events[-1].top_items[1:]
    assert AlertEvent.from_json(named.to_json()) == named


def test_the_wire_has_the_documented_fields(play: Play) -> None:
    event = msgspec.json.decode(play(CONFIG, quiet_then_burst(12)).events[0].to_json())
    assert {
        "id",
        "revision",
        "rule",
        "series",
        "state",
        "severity",
        "onset_ms",
        "window",
        "observed",
        "expected",
    } <= set(event)
    assert set(event["observed"]) == {"hits", "total"}
    assert set(event["expected"]) == {"hits", "rate", "interval"}
    assert len(event["id"]) == 32


def test_the_same_mentions_give_the_same_ids(play: Play) -> None:
    once, twice = (play(CONFIG, quiet_then_burst(12)) for _ in range(2))
    assert once.events == twice.events


def test_one_more_story_than_routine_is_no_alert(play: Play) -> None:
    played = play(CONFIG, quiet_then_burst(2))
    assert played.events == []
    _, found = explain(SIGNAL, "entity/3", "entity", played.states["entity/3"], played.stream, CONFIG)
    assert {finding.reason for finding in found} == {Reason.TOO_FEW}


def test_nothing_fires_before_the_warm_up(play: Play) -> None:
    played = play(CONFIG, quiet_then_burst(12, days=2))
    assert played.events == []
    reason, _ = explain(SIGNAL, "entity/3", "entity", played.states["entity/3"], played.stream, CONFIG)
    assert reason is Reason.WARMING_UP


def test_explain_names_what_is_open_and_what_is_not_watched(play: Play) -> None:
    played = play(CONFIG, quiet_then_burst(12))
    _, found = explain(SIGNAL, "entity/3", "entity", played.states["entity/3"], played.stream, CONFIG)
    by_rule = {rule: {finding.reason for finding in found if finding.rule == rule} for rule in ("volume", "share")}
    assert Reason.STILL_OPEN in by_rule["volume"]
    reason, _ = explain(SIGNAL, "source/x", "source", SeriesState(), StreamState(), CONFIG)
    assert reason is Reason.NOT_WATCHED


def test_a_rise_of_the_share_alone_opens_a_share_alert_which_the_volume_would_cover(play: Play) -> None:
    """Forty items a day, a tenth negative, then the same forty items nearly all negative."""
    items: list[tuple[Mention, list[str]]] = []
    for day in range(22):
        for part in range(40):
            number = len(items) + 1
            negative = int(part % 10 == 0) if day < 20 else int(part % 10 != 0)
            seen_ms = START_MS + (day * 24 * 60 + part * 36) * MINUTE_MS
            items.append((mention_of(seen_ms, f"{number:032x}", number, negative, 0.8), ["entity/busy"]))
    only_share = AlertConfig.from_mapping({"kinds": {"entity": {"budget_share": 1.0, "rules": ["share"]}}})
    assert [event.rule for event in play(only_share, items).opened] == ["share"]
    both = play(CONFIG, items)
    assert len(both.opened) == 1


@given(st.integers(1, 6), st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_routine_negative_items_never_fire(per_day: int, clump: int) -> None:
    """The same few negative items every day are this series' normal, alone or together."""
    state, stream = OneSeries("entity/a", CONFIG), StreamState()
    number = 0
    for day in range(30):
        for part in range(per_day):
            number += 1
            minute = 480 + part // clump * 97 + part % clump
            item = mention_of(START_MS + (day * 1440 + minute) * MINUTE_MS, f"{number:032x}", number, 1, 0.9)
            stream.add("entity/a", item.seen_ms, True)
            state.add(item)
            tick_ms = tick_of(item.seen_ms, CONFIG.hop_ms)
            stream.close_tick(tick_ms, CONFIG)
            assert state.close(stream, tick_ms) == []
