"""The sections of the alert rules as they are written: types and defaults, each number with its reason.

RulesFile ─┬─ signals: those that are watched
           ├─ kinds: KindConfig per kind of series        ├─ baseline: BaselineConfig
           └─ rules: RuleConfig per rule                  └─ episode: EpisodeConfig
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

__all__ = [
    "COVERED_BY",
    "DEFAULT_RULES",
    "EACH",
    "HORIZON_HOURS",
    "MOST_PANES",
    "PANES_SECONDS",
    "RULES",
    "SHARE",
    "VOLUME",
    "BaselineConfig",
    "EpisodeConfig",
    "KindConfig",
    "RuleConfig",
    "RulesFile",
    "Window",
]

VOLUME: Final = "volume"
SHARE: Final = "share"
RULES: Final = (VOLUME, SHARE)
"""The rules that a profile may name; `alerts.rules` holds what they compute."""
EACH: Final = "each"
"""What a rule of the user may compute besides: every new item that hits the signal, once, as information."""
COVERED_BY: Final[Mapping[str, str]] = {SHARE: VOLUME}
"""Of the profile's rules, the one whose alert says it already: while it is open this one opens none."""
DEFAULT_RULES: Final = (VOLUME, SHARE)
"""The rules of a kind of series whose profile names none."""

HORIZON_HOURS: Final = 24
"""How long an item stays in sight: the longest window, the span for collapsing copies, the baseline's lag."""

MOST_PANES: Final = 30
PANES_SECONDS: Final = (30, 60, 120, 300, 600, 900, 1800, 3600)


class KindConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one kind of series (`entity`, `topic`, …) is watched."""

    budget_share: float
    rules: tuple[str, ...] = DEFAULT_RULES
    prior_hits_per_day: float | None = None  # the baseline section's unless given


class RuleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule asks for besides being improbable, and when it calls an alert critical."""

    budget_share: float = 0.5
    minimum_hits: int = 3  # fewer is an anecdote, however rare
    minimum_stories: int = 3  # different signatures; matters where copies are not collapsed
    minimum_total: int = 3
    minimum_ratio: float = 1.5  # observed to expected: a busy series makes a 5 % rise significant, but it is no news
    critical_hits: int = 6
    critical_ratio: float = 4.0
    critical_p_factor: float = 1e-3  # times the level of the test
    severity: Literal["warning", "critical"] | None = None  # of all its alerts; None: by the evidence


class BaselineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is normal: how fast the past is forgotten and what is believed before there is any."""

    half_life_days: float = 14.0
    prior_hits_per_day: float = 0.5
    prior_events: float = 0.5  # weight of the kind's rate in a series' own, in hits
    prior_share: float = 0.25
    clumping: float = 0.3  # an hour's variance beyond Poisson, per mean, before it was measured
    day_dispersion: float = 0.2  # the same of a day's count, per squared mean
    exclude_days: float = 3.0  # how much of an episode is left out of the baseline; then it is the new normal


class EpisodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an alert ends, and how long afterwards a relapse belongs to it."""

    resolve_level: float = 0.05  # p of every window must be above this (or too few items) …
    hold_minutes: float = 30.0  # … for so long, and at the same hours of the day before
    cool_down_hours: float = 6.0
    check_seconds: int = 300
    update_minutes: float = (
        60.0  # at least so long between `ongoing` updates; a quarter of what it has lasted if longer
    )


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sliding window kept as panes: it covers between `length - pane` and `length`."""

    length_ms: int
    pane_ms: int
    panes: int

    @classmethod
    def of_seconds(cls, length_seconds: int) -> Window:
        """The finest panes, of a round length, that need no more than 30 of them."""
        pane = next(p for p in PANES_SECONDS if length_seconds / p <= MOST_PANES and length_seconds % p == 0)
        return cls(length_seconds * 1000, pane * 1000, length_seconds // pane)

    @property
    def seconds(self) -> int:
        return self.length_ms // 1000

    def start_ms(self, tick_ms: int) -> int:
        """The first instant covered at a tick (the window ends just before the tick)."""
        return ((tick_ms - 1) // self.pane_ms - self.panes + 1) * self.pane_ms


class RulesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mapping as written."""

    version: int = 1
    signals: tuple[str, ...] = ()
    hop_seconds: int = 30
    lateness_seconds: float = 5.0
    windows_seconds: tuple[int, ...] = (900, 7200, 86400)
    collapse: bool = True
    warm_up_days: float = 3.0
    false_alarms_per_week: float = 1.0
    most_probable_level: float = 1.5e-3
    kinds: dict[str, KindConfig] = {}
    rules: dict[str, RuleConfig] = {}
    baseline: BaselineConfig = BaselineConfig()
    episode: EpisodeConfig = EpisodeConfig()
