"""Labels of an alert: what routes, silences and inhibition match."""

from __future__ import annotations

from alerts.records import labels_of


def test_an_alert_is_labelled_by_what_it_is_about() -> None:
    assert labels_of("volume", "negative", "entity/ACME", "entity", "warning") == {
        "alertname": "volume",
        "signal": "negative",
        "series": "entity/ACME",
        "kind": "entity",
        "severity": "warning",
        "name": "ACME",
    }


def test_a_series_that_is_its_own_kind_has_no_bare_name() -> None:
    assert "name" not in labels_of("volume", "negative", "all", "all", "warning")


def test_the_labels_of_a_rule_replace_none_of_the_alert() -> None:
    found = labels_of("volume", "negative", "all", "all", "critical", {"severity": "info", "team": "credit"})
    assert (found["severity"], found["team"]) == ("critical", "credit")


def test_a_name_with_line_breaks_and_controls_becomes_one_line() -> None:
    found = labels_of("volume", "negative", "source/a\r\nb\x1b[31m\u202e", "source", "warning", {"team": "x\ny"})
    assert (found["name"], found["series"], found["team"]) == ("a b [31m", "source/a b [31m", "x y")
