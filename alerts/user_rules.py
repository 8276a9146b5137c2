"""The rules of a user on top of a profile's: one configuration of all.

AlertConfig of the profile ─┐
RulesDocument ──────────────┴─► with_rules ─► AlertConfig: their windows, kinds, signals and parts of the budget
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import gcd

import msgspec

from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.rule_file import RulesDocument, WrittenRule, series_pattern
from alerts.ruleset import AlertRule, RuleSet, kind_of
from alerts.sections import EACH, KindConfig, RuleConfig, Window

__all__ = ["with_rules"]


def with_rules(config: AlertConfig, document: RulesDocument, retired: Iterable[AlertRule] = ()) -> AlertConfig:
    """Returns the profile's configuration with the rules of the document, and the profile's own where they are on.

    An empty document changes nothing. `retired` are rules that were removed.
    """
    lengths = {window.seconds for window in config.windows}
    for rule in document.rules:
        lengths.update(rule.windows_seconds)
    windows = tuple(Window.of_seconds(length) for length in sorted(lengths))
    places = {window.seconds: at for at, window in enumerate(windows)}
    own = tuple(places[window.seconds] for window in config.windows)
    rules = [
        _profile_rule(rule, own, document.profile_share) for rule in config.ruleset.rules if document.profile_rules
    ]
    rules += [_rule(rule, document.share_of(rule), places, own, config) for rule in document.rules]
    kinds = {kind_of(pattern): None for rule in rules for pattern in rule.series}
    accepted = config.false_alarms_per_week
    if document.false_alarms_per_week is not None:
        accepted = document.false_alarms_per_week / max(len(config.signals), 1)
    return msgspec.structs.replace(
        config,
        signals=tuple(dict.fromkeys([*config.signals, *(name for rule in rules for name in rule.signals)])),
        false_alarms_per_week=accepted,
        kinds={kind: config.kinds.get(kind, KindConfig(0.0, ())) for kind in {**config.kinds, **kinds}},
        ruleset=RuleSet(rules, retired),
        windows=windows,
        fewest_hits=min((rule.settings.minimum_hits for rule in rules if rule.detector != EACH), default=1),
        **_derived(windows),
    )


def _derived(windows: tuple[Window, ...]) -> Mapping[str, object]:
    panes = tuple(window.pane_ms for window in windows)
    return {
        "lengths": tuple(window.length_ms for window in windows),
        "panes_ms": panes,
        "grain_ms": gcd(HOUR_MS // 4, *panes),
    }


def _profile_rule(rule: AlertRule, windows: tuple[int, ...], share: float) -> AlertRule:
    return msgspec.structs.replace(rule, windows=windows, kind_share=rule.kind_share * share)


def _rule(
    written: WrittenRule, share: float, places: Mapping[int, int], own: tuple[int, ...], config: AlertConfig
) -> AlertRule:
    """The rule's budget is split evenly over its signals and its kinds of series."""
    series = tuple(series_pattern(pattern) for pattern in written.series)
    signals = written.signals or config.signals
    settings = config.rules.get(written.detector, RuleConfig(minimum_hits=1))
    return AlertRule(
        name=written.name,
        detector=written.detector,
        signals=signals,
        series=series,
        settings=msgspec.structs.replace(settings, **written.settings),
        windows=tuple(sorted(places[length] for length in written.windows_seconds)) or own,
        kind_share=1.0 / len({kind_of(pattern) for pattern in series}),
        rule_share=share * max(len(config.signals), 1) / max(len(signals), 1),
        schedule=written.schedule,
        labels=written.labels,
        annotations=written.annotations,
        at_most_per_hour=written.at_most_per_hour or 4,
        often_per_day=written.often_per_day,
    )
