"""Rules of a user on top of a profile's: budgets, windows, severities, schedules, labels, and the end of a rule."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from alerts import AlertConfig, AlertEvent
from alerts.rule_file import RulesDocument, series_pattern
from alerts.ruleset import matches
from alerts.user_rules import with_rules
from tests.alerts.conftest import Play, Played
from tests.alerts.one_series import SIGNAL, mention_of

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_735_516_800_000  # a Monday
BANKS, STEEL = "watchlist/banks", "entity/STEEL"
PROFILE = AlertConfig.from_mapping(
    {
        "signals": [SIGNAL],
        "kinds": {"watchlist": {"budget_share": 0.6}, "entity": {"budget_share": 0.4}},
        "warm_up_days": 0.5,
        "false_alarms_per_week": 50,
        "most_probable_level": 0.05,
        "episode": {"hold_minutes": 10, "cool_down_hours": 1, "update_minutes": 20},
    }
)


def document(*rules: dict[str, Any], **more: Any) -> RulesDocument:
    found = msgspec.convert({"rules": list(rules), **more}, RulesDocument)
    assert not list(found.mistakes())
    assert not [wrong for rule in found.rules for wrong in rule.mistakes()]
    return found


def configured(*rules: dict[str, Any], **more: Any) -> AlertConfig:
    return with_rules(PROFILE, document(*rules, **more))


def surge(series: str, day: int = 2) -> list[tuple[Any, list[str]]]:
    """An item a day, then ten within ten minutes at noon of `day`."""
    times = [at * DAY_MS for at in range(day)] + [day * DAY_MS + 12 * HOUR_MS + at * MINUTE_MS for at in range(10)]
    return [(mention_of(START_MS + ms, f"{number:032x}", number + 1, 1), [series]) for number, ms in enumerate(times)]


def played(play: Play, config: AlertConfig, series: str = BANKS, until_ms: int | None = None) -> Played:
    return play(config, surge(series), until_ms)


def opened_by(found: Played) -> dict[str, AlertEvent]:
    return {event.rule: event for event in found.opened}


def test_an_empty_file_changes_nothing() -> None:
    assert with_rules(PROFILE, RulesDocument()) == PROFILE


def test_a_rule_opens_alerts_of_its_own_with_its_labels_beside_the_profile_s(play: Play) -> None:
    rule = {"name": "runs", "series": [BANKS], "labels": {"team": "credit"}, "annotations": {"runbook": "https://r"}}
    found = opened_by(played(play, configured(rule)))
    assert set(found) == {"volume", "runs"}
    event = found["runs"]
    assert (event.detector, event.labels["alertname"], event.labels["team"]) == ("volume", "runs", "credit")
    assert event.annotations == {"runbook": "https://r"}
    assert "team" not in found["volume"].labels
    assert event.id != found["volume"].id


def test_without_the_profile_s_rules_only_what_a_rule_names_is_watched(play: Play) -> None:
    config = configured({"name": "runs", "series": [BANKS]}, profile_rules=False)
    assert set(opened_by(played(play, config))) == {"runs"}
    assert opened_by(played(play, config, "watchlist/other")) == {}
    assert not config.ruleset.watches(STEEL)


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_a_severity_of_its_own_is_that_of_all_its_alerts(severity: str, play: Play) -> None:
    events = played(play, configured({"name": "runs", "series": [BANKS], "severity": severity})).events
    found = {(event.severity, event.labels["severity"]) for event in events if event.rule == "runs"}
    assert found == {(severity, severity)}


def test_a_minimum_of_its_own_is_asked_for(play: Play) -> None:
    config = configured({"name": "runs", "series": [BANKS], "minimum_hits": 30})
    assert set(opened_by(played(play, config))) == {"volume"}


def test_a_rule_looks_at_its_own_windows_alone(play: Play) -> None:
    config = configured({"name": "runs", "series": [BANKS], "windows_seconds": [3600]})
    assert [window.seconds for window in config.windows] == [900, 3600, 7200, 86400]
    found = opened_by(played(play, config))
    assert found["runs"].window.seconds == 3600
    assert found["volume"].window.seconds != 3600


@pytest.mark.parametrize(("days", "opens"), [(["wed"], True), (["mon", "tue"], False)])
def test_a_rule_opens_nothing_while_it_is_off(days: list[str], opens: bool, play: Play) -> None:
    config = configured({"name": "runs", "series": [BANKS], "schedule": {"days": days}})
    assert ("runs" in opened_by(played(play, config))) is opens


def test_the_end_of_the_day_is_in_the_rule_s_time_zone(play: Play) -> None:
    schedule = {"from": "20:00", "to": "06:00", "time_zone": "Asia/Tokyo"}  # noon UTC is 21:00 there
    assert "runs" in opened_by(played(play, configured({"name": "runs", "series": [BANKS], "schedule": schedule})))


def test_budgets_are_parts_of_one_whole() -> None:
    config = configured(
        {"name": "a", "series": ["watchlist/*"], "budget_share": 0.5},
        {"name": "b", "series": ["entity/*", "watchlist/*"]},
    )
    parts = [rule.kind_share * rule.rule_share for rule in config.ruleset.rules]
    profile = sum(share for rule, share in zip(config.ruleset.rules, parts, strict=True) if rule.name in PROFILE.rules)
    assert profile == pytest.approx(0.25)  # b and the profile's share what a leaves
    by_name = dict(zip([rule.name for rule in config.ruleset.rules], parts, strict=True))
    assert by_name["a"] == pytest.approx(0.5)
    assert by_name["b"] == pytest.approx(0.125)  # in each of two kinds
    assert document({"name": "a", "series": [BANKS]}, false_alarms_per_week=7).false_alarms_per_week == 7


def test_the_whole_may_be_given_anew() -> None:
    assert configured(false_alarms_per_week=7).false_alarms_per_week == 7


def test_an_alert_whose_rule_is_removed_is_resolved_with_that_reason(play: Play) -> None:
    with_rule = configured({"name": "runs", "series": [BANKS], "labels": {"team": "credit"}})
    found = played(play, with_rule)
    [retired] = [rule for rule in with_rule.ruleset.rules if rule.name == "runs"]
    found.config = with_rules(PROFILE, RulesDocument(), [retired])
    before = len(found.events)
    found.close(max(found.schedule))
    [end] = [event for event in found.events[before:] if event.rule == "runs"]
    assert (end.change, end.state, end.labels["team"]) == ("resolved", "resolved", "credit")
    assert end.reasons == ("the rule no longer watches this series",)
    assert end.revision == max(event.revision for event in found.events[:before] if event.rule == "runs") + 1
    assert not found.states[BANKS].episodes["runs"].is_open


@pytest.mark.parametrize(
    ("pattern", "series", "is_of"),
    [
        ("entity/*", "entity/A", True),
        ("entity/A*", "entity/AB", True),
        ("entity/A", "entity/AB", False),
        ("all", "all", True),
        ("watchlist/a & topic/B", "both/watchlist/a & topic/B", True),
        ("all & topic/B & entity/C", "both/all & topic/B & entity/C", True),
        ("watchlist/a  &  topic/B", "both/watchlist/a & topic/B", True),
    ],
)
def test_a_pattern_is_a_name_or_the_begin_of_names(pattern: str, series: str, is_of: bool) -> None:
    assert matches(series_pattern(pattern), series) is is_of
