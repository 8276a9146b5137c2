"""Closing a tick of one series: the one entrance of the core.

close_tick ──► apply mentions ──► screened? ──no──► []
                                    │ something to look at
                                    ├─ open episode: update, escalate, calm, resolve
                                    └─ idle: judge every rule and window, open an episode
                                            └──► AlertEvent
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from alerts.clock import HOUR_MS
from alerts.config import AlertConfig
from alerts.episode import (
    IDLE,
    Episode,
    calm,
    close_if_calm,
    cooling,
    opened,
    reopened,
    unrest,
    update_due,
    updated,
)
from alerts.memory import Mention
from alerts.noted import About, ended, noted
from alerts.records import AlertEvent, Change, Expected, Observed, TopItem, WindowSpan, alert_id, labels_of, rounded
from alerts.rules import RULES, Count, Evidence, Reason, judge, level_of, screen
from alerts.ruleset import AlertRule
from alerts.sections import EACH
from alerts.series import SeriesState
from alerts.stream import StreamState

__all__ = ["Finding", "close_tick", "explain"]

_TOP_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a rule did (not) open an alert on a window; no `evidence` where a cheap question settled it."""

    rule: str
    count: Count
    reason: Reason
    evidence: Evidence | None = None


def close_tick(
    signal: str,
    series: str,
    kind: str,
    state: SeriesState,
    stream: StreamState,
    tick_ms: int,
    config: AlertConfig,
    mentions: Sequence[Mention] = (),
) -> list[AlertEvent]:
    """Counts the mentions that a tick closes; returns the changes of state of the series' alerts on `signal`.

    `state` and `stream` are those of the signal. Call it in increasing order of ticks, after
    ``stream.close_tick(tick_ms, config)``, for every series that has mentions at this tick (`Copies.counted`) or is
    due (`SeriesState.next_due`). A tick closed before changes nothing; one more call than needed changes nothing
    either. The result depends on the three states and the mentions alone.
    """
    if tick_ms <= state.tick_ms:
        return []
    rules = config.ruleset.of(signal, series)
    if not rules and not state.is_open:
        state.discard(tick_ms)
        return []
    if state.tick_ms < stream.start_ms:
        state.forget_past()  # the stream has begun again since: its exposure leaves out what was before
    about = About(signal, series, kind)
    counted, hits = state.apply(tick_ms, mentions, config, signal)
    events = [*ended(about, state, rules, config), *noted(about, state, rules, mentions, config)]
    if all(rule.detector == EACH for rule in rules):
        return events
    if state.is_open:
        if not counted and tick_ms % config.check_ms:
            return events
    elif not hits or state.horizon_hits() < config.fewest_hits:
        return events
    if tick_ms - stream.start_of(kind) < config.warm_up_ms:
        return events
    return [*events, *_Look(signal, series, kind, state, stream, config).events(counted > 0, hits > 0)]


def explain(
    signal: str, series: str, kind: str, state: SeriesState, stream: StreamState, config: AlertConfig
) -> tuple[Reason | None, list[Finding]]:
    """Returns why an alert did or did not open at the series' last closed tick, by window; changes nothing.

    The first part answers for the whole series, where one answer does: not watched, or warming up.
    """
    if not config.ruleset.of(signal, series):
        return Reason.NOT_WATCHED, []
    if state.tick_ms - stream.start_of(kind) < config.warm_up_ms:
        return Reason.WARMING_UP, []
    look = _Look(signal, series, kind, state, stream, config)
    return None, [finding for rule in look.rules for finding in look.findings(rule)]


class _Look:
    """One look at one series at its last closed tick, for one signal."""

    __slots__ = (
        "_config",
        "_counts",
        "_expectation",
        "_kind",
        "_series",
        "_signal",
        "_state",
        "_tick_ms",
        "_view",
        "rules",
    )

    def __init__(
        self, signal: str, series: str, kind: str, state: SeriesState, stream: StreamState, config: AlertConfig
    ) -> None:
        self._signal = signal
        self._series = series
        self._kind = kind
        self._state = state
        self._config = config
        self._tick_ms = state.tick_ms
        self._view = stream.view(kind, state.tick_ms, config)
        self._expectation = state.expectation_at(self._view, config)
        self._counts = state.counts(config)
        self.rules = [rule for rule in config.ruleset.of(signal, series) if rule.detector in RULES]

    def events(self, news: bool, new_hits: bool) -> list[AlertEvent]:
        """Steps every rule of the series, in their order."""
        found = []
        for rule in self.rules:
            episode = self._state.episodes.get(rule.name, IDLE)
            event = None
            if episode.is_open:
                event = self._follow(rule, episode, news)
            elif new_hits and rule.is_on(self._tick_ms) and self._covered(rule) is None:
                event = self._open(rule, episode)
            if event is not None:
                found.append(event)
        return found

    def findings(self, rule: AlertRule) -> list[Finding]:
        """The judgement of each window."""
        return [self._judge(rule, at) for at in rule.windows]

    def _judge(self, rule: AlertRule, at: int) -> Finding:
        count, settings = self._counts[at], rule.settings
        if count.hits < settings.minimum_hits:
            return Finding(rule.name, count, Reason.TOO_FEW)
        reason = screen(count, RULES[rule.detector].expected(self._expectation, count), settings)
        if reason is not None:
            return Finding(rule.name, count, reason)
        evidence = self._evidence(rule, at)
        stories = len(self._state.stories_since(count.start_ms))
        reason = judge(evidence, settings, stories)
        if reason is Reason.OPENED:
            reason = self._barred(rule) or reason
        return Finding(rule.name, count, reason, evidence)

    def _evidence(self, rule: AlertRule, at: int) -> Evidence:
        level = level_of(rule, at, self._view, self._config)
        return RULES[rule.detector].look(self._expectation, self._counts[at], level)

    def _barred(self, rule: AlertRule) -> Reason | None:
        """An episode that is open already, or one that says it; or the rule is off."""
        if self._state.episodes.get(rule.name, IDLE).is_open:
            return Reason.STILL_OPEN
        return self._covered(rule) if rule.is_on(self._tick_ms) else Reason.SWITCHED_OFF

    def _covered(self, rule: AlertRule) -> Reason | None:
        """One cause, one alert: the share opens none while an alert on the volume is open, and shortly after."""
        if rule.covered_by is None:
            return None
        covering = self._state.episodes.get(rule.covered_by, IDLE)
        if covering.is_open:
            return Reason.COVERED
        return Reason.COOLING_DOWN if cooling(covering, self._tick_ms, self._config.episode) else None

    def _open(self, rule: AlertRule, episode: Episode) -> AlertEvent | None:
        """Opens an episode, or the one that ended a short while ago again, on the most surprising window that asks."""
        best: Evidence | None = None
        settings = rule.settings
        for at in rule.windows:
            if self._counts[at].hits < settings.minimum_hits:
                continue
            finding = self._judge(rule, at)
            evidence = finding.evidence
            if finding.reason is Reason.OPENED and evidence is not None:
                best = evidence if best is None or evidence.surprise < best.surprise else best
        if best is None:
            return None
        again = cooling(episode, self._tick_ms, self._config.episode)
        episode = reopened(episode, best, self._tick_ms, settings) if again else opened(best, self._tick_ms, settings)
        self._state.keep(rule.name, episode)
        self._state.history.open_span(best.count.start_ms // HOUR_MS)
        return self._event(rule, "reopened" if again else "opened", episode, best)

    def _follow(self, rule: AlertRule, episode: Episode, news: bool) -> AlertEvent | None:
        """Updates, escalates or resolves an open episode.

        Without news nothing can become worse: one window that is not calm settles that all stays as it is.
        """
        settings, config = rule.settings, self._config.episode
        if not news and self._still_elevated(rule, episode):
            return None
        looks = [self._evidence(rule, at) for at in rule.windows]
        if calm(looks, settings, config):
            longer = (look for look in looks if look.count.window.seconds >= episode.window_seconds)
            worst = next(longer, looks[-1])  # its window may be none of the rule's any more
            episode, reason = close_if_calm(episode, self._tick_ms, config)
            change = "resolved" if reason is Reason.RESOLVED else ""
        else:
            worst = min(looks, key=lambda look: look.surprise)
            episode, reason, tell = updated(episode, worst, self._tick_ms, settings, config)
            change = ("escalated" if reason is Reason.ESCALATED else "ongoing") if tell else ""
        self._state.keep(rule.name, episode)
        if reason is Reason.RESOLVED:
            self._state.history.close_span((self._tick_ms - 1) // HOUR_MS)
        return self._event(rule, change, episode, worst) if change else None

    def _still_elevated(self, rule: AlertRule, episode: Episode) -> bool:
        """The cheap half of `_follow`: whether the longest window alone keeps the episode open, untold."""
        settings, config = rule.settings, self._config.episode
        if episode.calm_since_ms or update_due(episode, self._tick_ms, config):
            return False
        if calm([self._evidence(rule, rule.windows[-1])], settings, config):
            return False
        restless = unrest(episode, self._tick_ms)
        if restless is not episode:
            self._state.keep(rule.name, restless)
        return True

    def _event(self, rule: AlertRule, change: Change, episode: Episode, evidence: Evidence) -> AlertEvent:
        count, interval, peak = evidence.count, evidence.interval(), episode.peak
        assert peak is not None  # an episode has one from its opening
        return AlertEvent(
            id=alert_id(self._signal, rule.name, self._series, episode.onset_ms),
            revision=episode.version,
            signal=self._signal,
            rule=rule.name,
            detector=rule.detector,
            series=self._series,
            kind=self._kind,
            state=episode.state,
            change=change,
            severity=episode.severity,
            onset_ms=episode.onset_ms,
            updated_ms=self._tick_ms,
            window=WindowSpan(count.start_ms, count.end_ms, count.window.seconds),
            observed=Observed(count.hits, count.total),
            expected=Expected(rounded(evidence.expected), rounded(evidence.rate), (interval.low, interval.high)),
            p_value=rounded(evidence.p_value),
            level=rounded(evidence.level),
            peak=msgspec.structs.replace(peak, p_value=rounded(peak.p_value)),
            reasons=self._reasons(),
            top_items=self._top_items(count.start_ms),
            labels=labels_of(rule.name, self._signal, self._series, self._kind, episode.severity, rule.labels),
            annotations=rule.annotations,
        )

    def _reasons(self) -> tuple[str, ...]:
        """Every window, of any rule, that is beyond its level, the most surprising first; each sentence once."""
        beyond = []
        for rule in self.rules:
            for at in rule.windows:
                evidence = self._evidence(rule, at)
                if self._counts[at].hits >= rule.settings.minimum_hits and evidence.surprise <= 1:
                    beyond.append(evidence)
        beyond.sort(key=lambda one: one.surprise)
        return tuple(dict.fromkeys(self._sentence(evidence) for evidence in beyond))

    def _sentence(self, evidence: Evidence) -> str:
        count, interval = evidence.count, evidence.interval()
        return self._config.wording.evidence(
            self._signal,
            evidence.rule,
            hits=count.hits,
            total=count.total,
            seconds=count.window.seconds,
            expected=evidence.expected,
            interval=(interval.low, interval.high),
            p_value=evidence.p_value,
        )

    def _top_items(self, start_ms: int) -> tuple[TopItem, ...]:
        stories = self._state.stories_since(start_ms)[:_TOP_ITEMS]
        return tuple(TopItem(id=identity, seen_ms=seen_ms, weight=weight) for seen_ms, identity, _, weight in stories)
