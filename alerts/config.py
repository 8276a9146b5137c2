"""The alert rules: a mapping (a profile's `alerts.yaml`) checked once and turned into `AlertConfig`.

    mapping ──► msgspec (types, unknown keys) ──► checks across keys ──► RulesFile ──► AlertConfig
                        └───────── ConfigError: the key, what is wrong, what to write instead

Who has checked rules already, as the reader of a profile has, begins at `of`.

The user's knob is `false_alarms_per_week`, over everything that is watched. It is split evenly by signal, then by
kind of series, by rule and by window, and divided by the number of tests made in a week: that is the level of a
single test. Every other number has a default with its reason beside it.

Example::

    config = AlertConfig.from_mapping(
        {"signals": ["outage"], "false_alarms_per_week": 2, "kinds": {"entity": {"budget_share": 1}}}
    )
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import gcd
from typing import Any, TypeVar

import msgspec

from alerts.checks import rules_mistakes
from alerts.clock import HOUR_MS, forgetting_per_day
from alerts.errors import ConfigError
from alerts.ruleset import AlertRule, RuleSet
from alerts.sections import (
    COVERED_BY,
    RULES,
    BaselineConfig,
    EpisodeConfig,
    KindConfig,
    RuleConfig,
    RulesFile,
    Window,
)
from alerts.wording import Wording

__all__ = ["AlertConfig"]


class AlertConfig(msgspec.Struct, frozen=True):
    """The checked rules, in the units that the core computes in: see `from_mapping`, `of` and `default`.

    `signals` are those that are watched, in the order of the file; `ruleset` has the rules that look at a series;
    `wording` says what an alert is about.
    """

    signals: tuple[str, ...]
    hop_ms: int
    lateness_ms: int
    windows: tuple[Window, ...]
    collapse: bool
    warm_up_ms: int
    false_alarms_per_week: float
    most_probable_level: float
    kinds: dict[str, KindConfig]
    rules: dict[str, RuleConfig]
    ruleset: RuleSet
    baseline: BaselineConfig
    episode: EpisodeConfig
    forgetting: float  # per day
    fewest_hits: int  # below this no rule can fire: the first and cheapest screen
    check_ms: int
    lengths: tuple[int, ...]  # of the windows, in milliseconds
    panes_ms: tuple[int, ...]
    grain_ms: int  # divides panes and quarters of an hour: what one grain holds falls into the same of each
    wording: Wording = msgspec.field(default_factory=Wording.of)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], name: str = "alerts.yaml") -> AlertConfig:
        """Checks the mapping; `name` is the file's name for messages. Raises `ConfigError`."""
        file = _parse(mapping, name)
        for wrong in rules_mistakes(file):
            raise ConfigError(f"{name}: {wrong.key}", wrong.problem, wrong.fix)
        return cls.of(file)

    @classmethod
    def of(cls, file: RulesFile) -> AlertConfig:
        """Returns the rules of a file in which `rules_mistakes` finds none."""
        rules = {rule: file.rules.get(rule, RuleConfig()) for rule in RULES}
        windows = tuple(Window.of_seconds(length) for length in sorted(file.windows_seconds))
        return cls(
            signals=file.signals,
            hop_ms=file.hop_seconds * 1000,
            lateness_ms=round(file.lateness_seconds * 1000),
            windows=windows,
            collapse=file.collapse,
            warm_up_ms=round(file.warm_up_days * 24 * HOUR_MS),
            false_alarms_per_week=file.false_alarms_per_week / max(len(file.signals), 1),
            most_probable_level=file.most_probable_level,
            kinds=file.kinds,
            rules=rules,
            ruleset=RuleSet(_default_rules(file, rules, len(windows))),
            baseline=file.baseline,
            episode=file.episode,
            forgetting=forgetting_per_day(file.baseline.half_life_days),
            fewest_hits=min(rule.minimum_hits for rule in rules.values()),
            check_ms=file.episode.check_seconds * 1000,
            lengths=tuple(window.length_ms for window in windows),
            panes_ms=tuple(window.pane_ms for window in windows),
            grain_ms=gcd(HOUR_MS // 4, *(window.pane_ms for window in windows)),
        )

    @classmethod
    def default(cls, *kinds: str, signal: str) -> AlertConfig:
        """Returns every default, watching one signal in these kinds of series with equal shares of the budget."""
        return cls.from_mapping(
            {"signals": [signal], "kinds": {kind: {"budget_share": 1.0 / len(kinds)} for kind in kinds}}
        )


def _default_rules(file: RulesFile, rules: Mapping[str, RuleConfig], windows: int) -> Iterator[AlertRule]:
    """The profile's rules: each detector of each kind of series, over all windows."""
    for kind, settings in file.kinds.items():
        for name in settings.rules:
            yield AlertRule(
                name=name,
                detector=name,
                signals=file.signals,
                series=(kind, f"{kind}/*"),
                settings=rules[name],
                windows=tuple(range(windows)),
                kind_share=settings.budget_share,
                rule_share=rules[name].budget_share,
                covered_by=COVERED_BY.get(name),
            )


def _parse(mapping: Mapping[str, Any], name: str) -> RulesFile:
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
    return msgspec.structs.replace(_convert(rest, RulesFile, f"{name}:"), **named)


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
