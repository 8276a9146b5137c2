"""What every rule keeps to, so that another one is a line in `RULES`, its tail and its words."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args, get_type_hints

import pytest

from alerts import AlertConfig, ConfigError, SeriesState, StreamState
from alerts.baseline import Expectation
from alerts.detectors import SMALLEST_P
from alerts.rule_file import WrittenRule
from alerts.rules import RULES, Count
from alerts.sections import COVERED_BY, DEFAULT_RULES, EACH, Window
from alerts.sections import RULES as NAMES
from alerts.wording import Wording, languages
from tests.alerts.one_series import SIGNAL

NOW_MS = 1_735_516_800_000
TOTAL = 40
LEVEL = 1e-3

CONFIG = AlertConfig.from_mapping({"signals": [SIGNAL], "kinds": {"entity": {"budget_share": 1.0}}})

rules = pytest.mark.parametrize("rule", RULES)
windows = pytest.mark.parametrize("seconds", [900, 7200, 86400])


def expectation() -> Expectation:
    """What a series without a history expects."""
    stream = StreamState()
    return SeriesState().expectation_at(stream.view("entity", NOW_MS, CONFIG), CONFIG)


def count_of(hits: int, seconds: int) -> Count:
    window = Window.of_seconds(seconds)
    return Count(window, window.start_ms(NOW_MS), NOW_MS, hits, TOTAL)


def test_a_profile_may_name_every_rule_and_no_other() -> None:
    assert set(NAMES) == set(RULES)
    assert set(DEFAULT_RULES) <= set(RULES)


def test_a_rule_that_a_profile_does_not_use_takes_nothing_of_its_budget() -> None:
    for rule in RULES:
        kinds = {"entity": {"budget_share": 1.0, "rules": [rule]}}
        config = AlertConfig.from_mapping({"kinds": kinds, "rules": {rule: {"budget_share": 1.0}}})
        assert config.kinds["entity"].rules == (rule,)
    with pytest.raises(ConfigError, match="budget shares add up"):
        AlertConfig.from_mapping(
            {
                "kinds": {"entity": {"budget_share": 1.0}},
                "rules": {rule: {"budget_share": 0.9} for rule in DEFAULT_RULES},
            }
        )


@rules
@windows
def test_more_hits_are_never_less_surprising(rule: str, seconds: int) -> None:
    looks = [RULES[rule].look(expectation(), count_of(hits, seconds), LEVEL) for hits in range(TOTAL + 1)]
    assert all(SMALLEST_P <= look.p_value <= 1.0 for look in looks)
    assert all(more.p_value <= less.p_value * (1 + 1e-9) for less, more in pairwise(looks))
    assert looks[-1].p_value < LEVEL < looks[0].p_value == 1.0


@rules
@windows
def test_evidence_says_what_was_expected(rule: str, seconds: int) -> None:
    count = count_of(12, seconds)
    expected = RULES[rule].expected(expectation(), count)
    evidence = RULES[rule].look(expectation(), count, LEVEL)
    interval = evidence.interval()
    assert (evidence.rule, evidence.count, evidence.level) == (rule, count, LEVEL)
    assert evidence.expected == expected > 0
    assert evidence.rate > 0
    assert 0 <= interval.low <= interval.high
    assert interval.low <= expected + 1
    assert evidence.surprise == evidence.p_value / LEVEL


@rules
def test_it_is_covered_by_a_rule_that_has_no_cover_itself(rule: str) -> None:
    by = COVERED_BY.get(rule)
    assert by is None or (by != rule and by not in COVERED_BY)


@rules
@pytest.mark.parametrize("language", languages())
def test_it_has_words_in_every_language_of_messages(rule: str, language: str) -> None:
    wording = Wording.of(language)
    assert rule in wording.texts.evidence
    text = wording.evidence(SIGNAL, rule, hits=7, total=20, seconds=7200, expected=0.3, interval=(0, 2), p_value=4e-5)
    assert all(part in text for part in ("7", SIGNAL, "0.3", "4e-05"))


def test_a_rule_of_a_user_may_have_every_detector() -> None:
    assert set(get_args(get_type_hints(WrittenRule)["detector"])) == {*NAMES, EACH}
