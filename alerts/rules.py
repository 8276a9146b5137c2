"""A rule looks at one window of one series: how much was seen, how much was expected, how improbable is that.

    volume   hits against their expected number   negative-binomial tail
    share    hits among all items                 beta-binomial tail

    count ──► expected ──► screen (cheap: too few? no rise?) ──► look (the tail) ──► judge (open an alert?)

Each decision answers with a `Reason`, for whoever asks why nothing fired. The level of a single test is the
budget (false alarms a week) split by kind, rule and window and divided by the tests made in a week.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from alerts.baseline import Expectation
from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.detectors import (
    Interval,
    share_interval,
    share_tail,
    size_from_dispersion,
    volume_interval,
    volume_tail,
)
from alerts.ruleset import AlertRule
from alerts.sections import SHARE, VOLUME, RuleConfig, Window
from alerts.stream import KindView

__all__ = [
    "RULES",
    "Count",
    "Evidence",
    "Reason",
    "Rule",
    "expected_share",
    "expected_volume",
    "is_critical",
    "judge",
    "level_of",
    "look_share",
    "look_volume",
    "screen",
]

COVERAGE: Final = 0.95
UNSUSPICIOUS: Final = 1.0


class Reason(StrEnum):
    """Why a look at a series ended as it did; `Wording.reason` has the words for people."""

    NOT_WATCHED = "not_watched"
    WARMING_UP = "warming_up"
    TOO_FEW = "too_few"
    TOO_FEW_ITEMS = "too_few_items"
    TOO_FEW_STORIES = "too_few_stories"
    NOT_A_RISE = "not_a_rise"
    AS_EXPECTED = "as_expected"
    COOLING_DOWN = "cooling_down"
    COVERED = "covered"
    SWITCHED_OFF = "switched_off"
    OPENED = "opened"
    STILL_OPEN = "still_open"
    ESCALATED = "escalated"
    CALMING = "calming"
    CALM_TODAY = "calm_today"
    RESOLVED = "resolved"
    RULE_REMOVED = "rule_removed"


class Count(NamedTuple):
    """What one window of a series holds at a tick: [start, end), hits and all items."""

    window: Window
    start_ms: int
    end_ms: int
    hits: int
    total: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One rule's look at one window; `rate` is per hour (volume) or per item (share)."""

    rule: str
    count: Count
    expected: float
    rate: float
    p_value: float
    level: float
    interval: Callable[[], Interval]

    @property
    def ratio(self) -> float:
        """Observed to expected hits."""
        return self.count.hits / max(self.expected, 1e-9)

    @property
    def surprise(self) -> float:
        """p relative to the level: at most 1 is significant, smaller is worse; comparable between windows."""
        return self.p_value / self.level


def expected_volume(expectation: Expectation, count: Count) -> float:
    """Hits expected in this very span."""
    return expectation.hits(count.start_ms, count.end_ms)


def expected_share(expectation: Expectation, count: Count) -> float:
    """Hits expected among so many items."""
    alpha, beta = expectation.share(count.window)
    return count.total * alpha / (alpha + beta)


def look_volume(expectation: Expectation, count: Count, level: float) -> Evidence:
    """The tail is computed only above the expectation: below it nothing is suspicious."""
    mean = expected_volume(expectation, count)
    size = size_from_dispersion(expectation.dispersion(count.window, mean))
    return Evidence(
        rule=VOLUME,
        count=count,
        expected=mean,
        rate=mean * HOUR_MS / (count.end_ms - count.start_ms),
        p_value=volume_tail(count.hits, mean, size) if count.hits > mean else UNSUSPICIOUS,
        level=level,
        interval=lambda: volume_interval(mean, size, COVERAGE),
    )


def look_share(expectation: Expectation, count: Count, level: float) -> Evidence:
    """As `look_volume`, for the share of hits among the items."""
    alpha, beta = expectation.share(count.window)
    mean = expected_share(expectation, count)
    p_value = share_tail(count.hits, count.total, alpha, beta) if count.hits > mean else UNSUSPICIOUS
    return Evidence(
        rule=SHARE,
        count=count,
        expected=mean,
        rate=alpha / (alpha + beta),
        p_value=p_value,
        level=level,
        interval=lambda: share_interval(count.total, alpha, beta, COVERAGE),
    )


Expected = Callable[[Expectation, Count], float]
Look = Callable[[Expectation, Count, float], Evidence]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a rule looks at a window: how many hits it expects, which is cheap, and the evidence with its tail."""

    expected: Expected
    look: Look


RULES: Final[Mapping[str, Rule]] = {
    VOLUME: Rule(expected_volume, look_volume),
    SHARE: Rule(expected_share, look_share),
}
"""The rules by name. One more is a line here, its name in `sections.RULES` and its words in `messages/`."""


def level_of(rule: AlertRule, window: int, view: KindView, config: AlertConfig) -> float:
    """The level of one test: the rule's part of the budget in this kind, split by window, over its tests a week."""
    budget = config.false_alarms_per_week * rule.kind_share * rule.rule_share
    return min(budget / len(rule.windows) / view.tests[window], config.most_probable_level)


def screen(count: Count, expected: float, rule: RuleConfig) -> Reason | None:
    """The cheap questions: why no tail needs to be computed, or None when one does."""
    if count.hits < rule.minimum_hits:
        return Reason.TOO_FEW
    if count.total < rule.minimum_total:
        return Reason.TOO_FEW_ITEMS
    if count.hits < expected * rule.minimum_ratio:
        return Reason.NOT_A_RISE
    return None


def judge(evidence: Evidence, rule: RuleConfig, stories: int) -> Reason:
    """`OPENED` when evidence that passed the screen would open an alert, else what is missing."""
    if evidence.p_value > evidence.level:
        return Reason.AS_EXPECTED
    if stories < rule.minimum_stories:
        return Reason.TOO_FEW_STORIES
    return Reason.OPENED


def is_critical(evidence: Evidence, rule: RuleConfig) -> bool:
    """Far beyond the level, and by a multiple that matters; a rule may have a severity of its own."""
    if rule.severity is not None:
        return rule.severity == "critical"
    return (
        evidence.p_value <= evidence.level * rule.critical_p_factor
        and evidence.count.hits >= rule.critical_hits
        and evidence.ratio >= rule.critical_ratio
    )
