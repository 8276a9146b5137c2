"""The rule `each`: every new item that hits the signal, once, as information; grouped, and at most so often an hour."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import AlertConfig, AlertEvent, Mention, SeriesState
from alerts.noted import NAMED
from alerts.user_rules import with_rules
from tests.alerts.conftest import Play, Played
from tests.alerts.one_series import SIGNAL, mention_of
from tests.alerts.test_user_rules import BANKS, DAY_MS, HOUR_MS, MINUTE_MS, START_MS, document

PROFILE = AlertConfig.from_mapping({"signals": [SIGNAL], "kinds": {"entity": {"budget_share": 1.0}}})


def configured(**more: Any) -> AlertConfig:
    return with_rules(PROFILE, document({"name": "stories", "series": [BANKS], "detector": "each", **more}))


def at(minutes: list[float]) -> list[tuple[Mention, list[str]]]:
    return [
        (mention_of(START_MS + round(minute * MINUTE_MS), f"{number:032x}", number + 1, 1), [BANKS])
        for number, minute in enumerate(minutes)
    ]


def ids(events: list[AlertEvent]) -> list[str]:
    return [item.id for event in events for item in event.top_items]


def test_a_single_item_of_a_quiet_list_is_noted_at_the_next_tick(play: Play) -> None:
    [event] = play(configured(), at([3])).events
    assert (event.state, event.change, event.severity, event.detector) == ("noted", "noted", "info", "each")
    assert event.labels["severity"] == "info"
    assert event.updated_ms - (START_MS + 3 * MINUTE_MS) <= PROFILE.hop_ms
    assert event.reasons == ("1 new negative",)
    assert ids([event]) == [f"{0:032x}"]


def test_items_of_one_tick_are_one_event(play: Play) -> None:
    [event] = play(configured(), at([3.1, 3.2, 3.3])).events
    assert (event.observed.hits, len(event.top_items)) == (3, 3)


def test_copies_and_items_that_hit_nothing_are_not_noted(play: Play) -> None:
    items = at([1, 2, 3])
    copy = (mention_of(START_MS + 4 * MINUTE_MS, "c" * 32, 1, 1), [BANKS])
    plain = (mention_of(START_MS + 5 * MINUTE_MS, "d" * 32, 99, 0), [BANKS])
    assert len(ids(play(configured(), [*items, copy, plain]).events)) == 3


def test_beyond_so_many_events_an_hour_items_wait_and_come_together(play: Play) -> None:
    found = play(configured(at_most_per_hour=2), at([1, 5, 9, 13, 17]), START_MS + 3 * HOUR_MS)
    assert [event.observed.hits for event in found.events] == [1, 1, 3]
    assert found.events[2].updated_ms - found.events[0].updated_ms >= HOUR_MS
    assert len(set(ids(found.events))) == 5


def test_an_event_names_the_newest_and_counts_all(play: Play) -> None:
    found = play(
        configured(at_most_per_hour=1), at([1, *[2 + number / 100 for number in range(80)]]), START_MS + DAY_MS
    )
    assert [event.observed.hits for event in found.events] == [1, 80]
    assert len(found.events[1].top_items) == NAMED


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_every_item_is_noted_once_and_never_more_often_than_asked_for(minutes: list[int], limit: int) -> None:
    """Also when the series is read from its row again after every tick."""
    config, found = configured(at_most_per_hour=limit), Played(configured(at_most_per_hour=limit))
    for mention, series in at(sorted(map(float, minutes))):
        found.close(mention.seen_ms // config.hop_ms * config.hop_ms)
        found.add(mention, series)
        found.states[BANKS] = SeriesState.from_bytes(found.states[BANKS].to_bytes())
    found.close(START_MS + 2 * DAY_MS)
    named = ids(found.events)
    assert len(named) == len(set(named)) == len(minutes)
    ticks = [event.updated_ms for event in found.events]
    assert all(sum(0 <= tick - other < HOUR_MS for other in ticks) <= limit for tick in ticks)
    assert not found.schedule
