"""The alert rules: a mapping (a profile's `alerts.yaml`) checked once and turned into `AlertConfig`.

    mapping ──► msgspec (types, unknown keys) ──► checks across keys ──► AlertConfig
                        └───────── ConfigError: the key, what is wrong, what to write instead

The user's knob is `false_alarms_per_week`, over everything that is watched. It is split by kind of series,
by rule and by window, and divided by the number of tests made in a week: that is the level of a single
test. Every other number has a default with its reason beside it.

Example::

    config = AlertConfig.from_mapping({"false_alarms_per_week": 2, "kinds": {"entity": {"budget_share": 1}}})
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar

import msgspec

from alerts.clock import HOUR_MS, forgetting_per_day
from alerts.errors import ConfigError

__all__ = [
    "HORIZON_HOURS",
    "RULES",
    "SHARE",
    "VOLUME",
    "AlertConfig",
    "BaselineConfig",
    "EpisodeConfig",
    "KindConfig",
    "RuleConfig",
    "Window",
]

VOLUME: Final = "volume"
SHARE: Final = "share"
RULES: Final = (VOLUME, SHARE)

HORIZON_HOURS: Final = 24
"""How long an item stays in sight: the longest window, the span for collapsing copies, the baseline's lag."""

MOST_PANES: Final = 30
_PANES_SECONDS: Final = (30, 60, 120, 300, 600, 900, 1800, 3600)


class KindConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one kind of series (`entity`, `topic`, …) is watched."""

    budget_share: float
    rules: tuple[str, ...] = RULES
    prior_negative_per_day: float | None = None  # the baseline section's unless given


class RuleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule asks for besides being improbable, and when it calls an alert critical."""

    budget_share: float = 0.5
    minimum_negative: int = 3  # fewer is an anecdote, however rare
    minimum_stories: int = 3  # different signatures; matters where copies are not collapsed
    minimum_total: int = 3
    minimum_ratio: float = 1.5  # observed to expected: a busy series makes a 5 % rise significant, and nobody cares
    critical_negative: int = 6
    critical_ratio: float = 4.0
    critical_p_factor: float = 1e-3  # times the level of the test


class BaselineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is normal: how fast the past is forgotten and what is believed before there is any."""

    half_life_days: float = 14.0
    prior_negative_per_day: float = 0.5
    prior_events: float = 0.5  # weight of the kind's rate in a series' own, in negative items
    prior_share: float = 0.25
    clumping: float = 0.3  # an hour's variance beyond Poisson, per mean, before it was measured
    day_dispersion: float = 0.2  # the same of a day's count, per squared mean
    exclude_days: float = 3.0  # how much of an episode is left out of the baseline; then it is the new normal


class EpisodeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an alert ends, and how long the series is left alone afterwards."""

    resolve_level: float = 0.05  # p of every window must be above this (or too few items) …
    hold_minutes: float = 30.0  # … for so long
    cool_down_hours: float = 6.0
    far_worse_factor: float = 0.01  # breaks the cool-down: p below this times the last episode's best
    check_seconds: int = 300
    update_minutes: float = 60.0  # at most one `ongoing` update in so long


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sliding window kept as panes: it covers between `length - pane` and `length`."""

    length_ms: int
    pane_ms: int
    panes: int

    @classmethod
    def of_seconds(cls, length_seconds: int) -> Window:
        """The finest panes, of a round length, that need no more than 30 of them."""
        pane = next(p for p in _PANES_SECONDS if length_seconds / p <= MOST_PANES and length_seconds % p == 0)
        return cls(length_seconds * 1000, pane * 1000, length_seconds // pane)

    @property
    def seconds(self) -> int:
        return self.length_ms // 1000

    def start_ms(self, tick_ms: int) -> int:
        """The first instant covered at a tick (the window ends just before the tick)."""
        return ((tick_ms - 1) // self.pane_ms - self.panes + 1) * self.pane_ms


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mapping as written."""

    version: int = 1
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


class AlertConfig(msgspec.Struct, frozen=True):
    """The checked rules, in the units that the core computes in: see `from_mapping` and `default`."""

    hop_ms: int
    lateness_ms: int
    windows: tuple[Window, ...]
    collapse: bool
    warm_up_ms: int
    false_alarms_per_week: float
    most_probable_level: float
    kinds: dict[str, KindConfig]
    rules: dict[str, RuleConfig]
    baseline: BaselineConfig
    episode: EpisodeConfig
    forgetting: float  # per day
    fewest_negative: int  # below this no rule can fire: the first and cheapest screen
    check_ms: int
    lengths: tuple[int, ...]  # of the windows, in milliseconds
    panes_ms: tuple[int, ...]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], name: str = "alerts.yaml") -> AlertConfig:
        """Checks the mapping; `name` is the file's name for messages. Raises `ConfigError`."""
        file = _parse(mapping, name)
        rules = {rule: file.rules.get(rule, RuleConfig()) for rule in RULES}
        _check(file, rules, name)
        windows = tuple(Window.of_seconds(length) for length in sorted(file.windows_seconds))
        return cls(
            hop_ms=file.hop_seconds * 1000,
            lateness_ms=round(file.lateness_seconds * 1000),
            windows=windows,
            collapse=file.collapse,
            warm_up_ms=round(file.warm_up_days * 24 * HOUR_MS),
            false_alarms_per_week=file.false_alarms_per_week,
            most_probable_level=file.most_probable_level,
            kinds=file.kinds,
            rules=rules,
            baseline=file.baseline,
            episode=file.episode,
            forgetting=forgetting_per_day(file.baseline.half_life_days),
            fewest_negative=min(rule.minimum_negative for rule in rules.values()),
            check_ms=file.episode.check_seconds * 1000,
            lengths=tuple(window.length_ms for window in windows),
            panes_ms=tuple(window.pane_ms for window in windows),
        )

    @classmethod
    def default(cls, *kinds: str) -> AlertConfig:
        """Every default, watching these kinds of series with equal shares of the budget."""
        return cls.from_mapping({"kinds": {kind: {"budget_share": 1.0 / len(kinds)} for kind in kinds}})


def _parse(mapping: Mapping[str, Any], name: str) -> _File:
    """The file's sections; kinds and rules one by one, so that a message can name the one."""
    sections: dict[str, type[KindConfig | RuleConfig]] = {"kinds": KindConfig, "rules": RuleConfig}
    rest = {key: value for key, value in mapping.items() if key not in sections}
    named = {
        section: {
            key: _convert(value, of, f"{name}: {section}.{key}")
            for key, value in _convert(mapping.get(section, {}), dict[str, Any], f"{name}: {section}").items()
        }
        for section, of in sections.items()
    }
    return msgspec.structs.replace(_convert(rest, _File, f"{name}:"), **named)


T = TypeVar("T")


def _convert(value: Any, wanted: type[T], prefix: str) -> T:
    """`value` as `wanted`; raises `ConfigError` for the key that is unknown, missing or of the wrong type."""
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        keys = [key for key in path.strip("`").lstrip("$").split(".") if key]
        field = re.search(r"field `(\w+)`", problem)
        keys += [field.group(1)] if field else []
        joined = ".".join(keys)
        key = f"{prefix} {joined}" if prefix.endswith(":") else ".".join(filter(None, (prefix, joined)))
        raise ConfigError(key, problem, "correct it or leave the key out for the default") from None


class Require(Protocol):
    def __call__(self, holds: bool, key: str, problem: str, fix: str) -> None: ...


def _check(file: _File, rules: Mapping[str, RuleConfig], name: str) -> None:
    """Raises `ConfigError` for the first value that makes no sense."""

    def require(holds: bool, key: str, problem: str, fix: str) -> None:
        if not holds:
            raise ConfigError(f"{name}: {key}", problem, fix)

    require(file.version == 1, "version", f"{file.version} is not known", "write 1")
    require(
        5 <= file.hop_seconds <= 3600 and 3600 % file.hop_seconds == 0,
        "hop_seconds",
        f"{file.hop_seconds} does not divide an hour, or is below 5",
        "write a divisor of 3600 such as 30",
    )
    require(
        0 <= file.lateness_seconds <= 3600 * HORIZON_HOURS,
        "lateness_seconds",
        f"{file.lateness_seconds} is outside 0 to 86400",
        "write the disorder to wait for, such as 5",
    )
    _check_windows(file, require)
    _check_numbers(file, require)
    _check_kinds(file, require)
    for rule in file.rules:
        require(rule in RULES, f"rules.{rule}", "no such rule", f"use one of {', '.join(RULES)}")
    for rule, settings in rules.items():
        _check_rule(f"rules.{rule}", settings, require)
    total = sum(settings.budget_share for settings in rules.values())
    require(total <= 1.0 + 1e-9, "rules", f"budget shares add up to {total:g}", "let them add up to 1 or less")


def _check_windows(file: _File, require: Require) -> None:
    lengths = file.windows_seconds
    require(len(lengths) > 0, "windows_seconds", "is empty", "list window lengths, such as [900, 7200, 86400]")
    require(len(set(lengths)) == len(lengths), "windows_seconds", "lists a length twice", "list each once")
    for length in lengths:
        fits = 60 <= length <= 3600 * HORIZON_HOURS and any(
            length / pane <= MOST_PANES and length % pane == 0 for pane in _PANES_SECONDS
        )
        require(
            fits and length >= file.hop_seconds,
            "windows_seconds",
            f"{length} is below a minute or the hop, above a day, or no round number of panes",
            "use round lengths such as 900, 3600, 7200, 21600, 86400",
        )


def _check_numbers(file: _File, require: Require) -> None:
    base, episode = file.baseline, file.episode
    positive = {
        "false_alarms_per_week": file.false_alarms_per_week,
        "baseline.half_life_days": base.half_life_days,
        "baseline.prior_negative_per_day": base.prior_negative_per_day,
        "baseline.prior_events": base.prior_events,
        "episode.update_minutes": episode.update_minutes,
    }
    for key, value in positive.items():
        require(value > 0, key, f"{value:g} is not above 0", "write a positive number")
    not_negative = {
        "warm_up_days": file.warm_up_days,
        "baseline.clumping": base.clumping,
        "baseline.day_dispersion": base.day_dispersion,
        "baseline.exclude_days": base.exclude_days,
        "episode.hold_minutes": episode.hold_minutes,
        "episode.cool_down_hours": episode.cool_down_hours,
    }
    for key, value in not_negative.items():
        require(value >= 0, key, f"{value:g} is below 0", "write 0 or more")
    probabilities = {
        "most_probable_level": file.most_probable_level,
        "baseline.prior_share": base.prior_share,
        "episode.resolve_level": episode.resolve_level,
    }
    for key, value in probabilities.items():
        require(0 < value < 1, key, f"{value:g} is not between 0 and 1", "write a probability")
    require(
        0 < episode.far_worse_factor <= 1,
        "episode.far_worse_factor",
        f"{episode.far_worse_factor:g} is outside 0 to 1",
        "write a factor such as 0.01",
    )
    require(
        episode.check_seconds > 0 and episode.check_seconds % file.hop_seconds == 0,
        "episode.check_seconds",
        f"{episode.check_seconds} is no multiple of hop_seconds ({file.hop_seconds})",
        "write a multiple of it, such as 300",
    )


def _check_kinds(file: _File, require: Require) -> None:
    require(len(file.kinds) > 0, "kinds", "no kind of series is watched", "list kinds, such as entity")
    for kind, settings in file.kinds.items():
        require(
            0 < settings.budget_share <= 1,
            f"kinds.{kind}.budget_share",
            f"{settings.budget_share:g} is outside 0 to 1",
            "write its part of false_alarms_per_week",
        )
        for rule in settings.rules:
            require(
                rule in RULES,
                f"kinds.{kind}.rules",
                f"{rule!r} is no rule",
                f"use some of {', '.join(RULES)}",
            )
        prior = settings.prior_negative_per_day
        require(
            prior is None or prior > 0,
            f"kinds.{kind}.prior_negative_per_day",
            f"{prior} is not above 0",
            "write how many negative items a day a new series is expected to have",
        )
    total = sum(settings.budget_share for settings in file.kinds.values())
    require(total <= 1.0 + 1e-9, "kinds", f"budget shares add up to {total:g}", "let them add up to 1 or less")


def _check_rule(key: str, rule: RuleConfig, require: Require) -> None:
    require(rule.minimum_negative >= 1, f"{key}.minimum_negative", "is below 1", "write 1 or more, such as 3")
    require(
        1 <= rule.minimum_stories <= 10,
        f"{key}.minimum_stories",
        f"{rule.minimum_stories} is outside 1 to 10",
        "write how many different stories an alert needs",
    )
    require(0 < rule.budget_share <= 1, f"{key}.budget_share", "is outside 0 to 1", "write its part of the budget")
    require(rule.minimum_ratio >= 1, f"{key}.minimum_ratio", "is below 1", "write 1 or more, such as 1.5")
    require(
        0 < rule.critical_p_factor <= 1,
        f"{key}.critical_p_factor",
        "is outside 0 to 1",
        "write a factor such as 0.001",
    )
