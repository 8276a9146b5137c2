"""What needs no test of counts: items that a rule `each` notes one by one, and alerts of rules that are gone.

mentions of a tick ─► hits ─► at most so many events an hour ─► one event with all that is new, as information
                                          └─► held back until the next one may be sent

an open alert without a rule ─► resolved
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.episode import Episode, withdrawn
from alerts.memory import Held, Mention, Recent, hit_probability
from alerts.records import AlertEvent, Expected, Observed, Peak, TopItem, WindowSpan, alert_id, labels_of, rounded
from alerts.ruleset import AlertRule
from alerts.sections import EACH, HORIZON_HOURS, RULES
from alerts.series import SeriesState

__all__ = ["NAMED", "About", "ended", "noted"]

NAMED: Final = 50
"""So many items an event names, the newest; more are counted."""


class About(NamedTuple):
    """What is looked at."""

    signal: str
    series: str
    kind: str


def noted(
    about: About, state: SeriesState, rules: Sequence[AlertRule], mentions: Sequence[Mention], config: AlertConfig
) -> list[AlertEvent]:
    """Returns an event for each rule `each` that has something new and may send it; `state` keeps the rest."""
    found = []
    for rule in rules:
        if rule.detector == EACH and (mentions or rule.name in state.held):
            held = _taken(state.held.get(rule.name, Held()), _hits(rule, about.signal, state.tick_ms, mentions))
            sent_ms = tuple(tick_ms for tick_ms in held.ticks_ms if tick_ms > state.tick_ms - HOUR_MS)
            if held.count and len(sent_ms) < rule.at_most_per_hour:
                found.append(_noted(rule, about, state.tick_ms, held, config))
                held = Held(ticks_ms=(*sent_ms, state.tick_ms))
            state.hold(rule.name, held)
    return found


def _hits(rule: AlertRule, signal: str, tick_ms: int, mentions: Sequence[Mention]) -> list[Recent]:
    """The items of the tick that hit, while the rule is on."""
    first_hour = (tick_ms - 1) // HOUR_MS - HORIZON_HOURS + 1
    if not rule.is_on(tick_ms):
        return []
    found = []
    for one in mentions:
        weight = hit_probability(one.hits, signal)
        if weight is not None and one.seen_ms // HOUR_MS >= first_hour:
            found.append((one.seen_ms, one.id, one.signature, weight))
    return found


def _taken(held: Held, fresh: Sequence[Recent]) -> Held:
    if not fresh:
        return held
    newest = sorted((*held.newest, *fresh), reverse=True)[:NAMED]
    return Held(held.count + len(fresh), tuple(newest), held.ticks_ms)


def _noted(rule: AlertRule, about: About, tick_ms: int, held: Held, config: AlertConfig) -> AlertEvent:
    start_ms = min(min(one[0] for one in held.newest), tick_ms - config.hop_ms)
    seconds, severity = (tick_ms - start_ms) // 1000, "info"
    reason = config.wording.evidence(
        about.signal, EACH, hits=held.count, total=held.count, seconds=seconds, expected=0, interval=(0, 0), p_value=1
    )
    return AlertEvent(
        id=alert_id(about.signal, rule.name, about.series, tick_ms),
        revision=1,
        signal=about.signal,
        rule=rule.name,
        detector=EACH,
        series=about.series,
        kind=about.kind,
        state="noted",
        change="noted",
        severity=severity,
        onset_ms=tick_ms,
        updated_ms=tick_ms,
        window=WindowSpan(start_ms, tick_ms, seconds),
        observed=Observed(held.count, held.count),
        expected=Expected(0, 0, (0, 0)),
        p_value=1,
        level=1,
        peak=Peak(tick_ms, seconds, held.count, held.count, 0, (0, 0), 1),
        reasons=(reason,),
        top_items=tuple(TopItem(id=name, seen_ms=seen_ms, weight=weight) for seen_ms, name, _, weight in held.newest),
        labels=labels_of(rule.name, *about, severity, rule.labels),
        annotations=rule.annotations,
    )


def ended(about: About, state: SeriesState, rules: Sequence[AlertRule], config: AlertConfig) -> list[AlertEvent]:
    """Returns the end of every open alert whose rule no longer looks at the series."""
    if not state.is_open:
        return []
    names = {rule.name for rule in rules}
    for name in set(state.held) - names:
        state.hold(name, Held())
    found = []
    for name in sorted(set(state.episodes) - names):
        if state.episodes[name].is_open:
            end = withdrawn(state.episodes[name], state.tick_ms)
            state.keep(name, end)
            state.history.close_span((state.tick_ms - 1) // HOUR_MS)
            found.append(_ended(name, about, state.tick_ms, end, config))
    return found


def _ended(name: str, about: About, tick_ms: int, end: Episode, config: AlertConfig) -> AlertEvent:
    peak = end.peak
    assert peak is not None  # an episode has one from its opening
    peak = msgspec.structs.replace(peak, p_value=rounded(peak.p_value))
    rule = config.ruleset.named(name)
    return AlertEvent(
        id=alert_id(about.signal, name, about.series, end.onset_ms),
        revision=end.version,
        signal=about.signal,
        rule=name,
        detector=rule.detector if rule else name if name in RULES else "",
        series=about.series,
        kind=about.kind,
        state=end.state,
        change="resolved",
        severity=end.severity,
        onset_ms=end.onset_ms,
        updated_ms=tick_ms,
        window=WindowSpan(peak.at_ms - peak.seconds * 1000, peak.at_ms, peak.seconds),
        observed=Observed(peak.hits, peak.total),
        expected=Expected(peak.expected, 0, peak.interval),
        p_value=peak.p_value,
        level=1,
        peak=peak,
        reasons=(config.wording.reason("rule_removed"),),
        top_items=(),
        labels=labels_of(name, *about, end.severity, rule.labels if rule else None),
        annotations=rule.annotations if rule else {},
    )
