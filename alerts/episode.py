"""The life of an alert, per rule and series: a pure step from one state to the next.

    idle ──(significant, on a new hit)──► firing ──(critical)──► escalated
      ▲                                              ▲ └─────────┬────────────┘
      │                                  (significant again)     │
      └──(cool-down over)── resolved ────────────────┘           │
                               ▲                                 │
                               └──(every window calm for the hold time, and at the same hours of the day before)

    opened -> ongoing* -> escalated? -> ongoing* -> resolved -> (reopened -> … -> resolved)*
                                                                    one `version` each, rising from 1

Hysteresis: it takes a p below the level of a test (about 1e-4) to open and a p above `resolve_level`
(0.05), or fewer items than the minimum, in all windows, for `hold_minutes`, to end. A night or a Sunday is quiet
in a crisis too, so the same hours of the previous day must have been calm as well; what was before the onset was.
A relapse within the cool-down is the same crisis: it opens the same alert again, under its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.records import Peak, rounded
from alerts.rules import Evidence, Reason, is_critical
from alerts.sections import EpisodeConfig, RuleConfig

__all__ = [
    "IDLE",
    "Episode",
    "calm",
    "close_if_calm",
    "cooling",
    "opened",
    "reopened",
    "unrest",
    "update_due",
    "updated",
    "withdrawn",
]

_DAY_HOURS: Final = 24
_UNREST_HOURS: Final = (1 << 2 * _DAY_HOURS + 1) - 1  # a day back, before it a hold time of a day at most


class Episode(msgspec.Struct, frozen=True, array_like=True):
    """Where the alert of one rule on one series stands. `onset_ms` names the episode; all else is its course.

    `peak` is the look with the smallest p so far (kept after the end, for the cool-down); `calm_since_ms` is 0
    unless every window is calm; `told_ms` is when the last event was sent, `told_hits` the count that it gave.
    `unrest` has a bit for each hour in which a look was not calm: the lowest for `unrest_hour` (since the epoch), the
    next for the hour before.
    """

    is_open: bool = False
    onset_ms: int = 0
    window_seconds: int = 0
    version: int = 0
    critical: bool = False
    escalated: bool = False
    peak: Peak | None = None
    calm_since_ms: int = 0
    resolved_ms: int = 0
    told_ms: int = 0
    told_hits: int = 0
    unrest: int = 0
    unrest_hour: int = 0

    @property
    def state(self) -> str:
        if not self.is_open:
            return "resolved"
        return "escalated" if self.escalated else "firing"

    @property
    def severity(self) -> str:
        return "critical" if self.critical else "warning"

    @property
    def best_p(self) -> float:
        return self.peak.p_value if self.peak else 1.0


IDLE: Final = Episode()


def cooling(episode: Episode, tick_ms: int, settings: EpisodeConfig) -> bool:
    """Whether the last episode ended so short a while ago that a relapse belongs to it."""
    return episode.resolved_ms > 0 and tick_ms < episode.resolved_ms + settings.cool_down_hours * HOUR_MS


def opened(evidence: Evidence, tick_ms: int, rule: RuleConfig) -> Episode:
    """A new episode, from the evidence that opens it."""
    return Episode(
        is_open=True,
        onset_ms=tick_ms,
        window_seconds=evidence.count.window.seconds,
        version=1,
        critical=is_critical(evidence, rule),
        peak=_peak(evidence, tick_ms),
        told_ms=tick_ms,
        told_hits=evidence.count.hits,
        unrest=1,
        unrest_hour=tick_ms // HOUR_MS,
    )


def reopened(episode: Episode, evidence: Evidence, tick_ms: int, rule: RuleConfig) -> Episode:
    """An episode that ended goes on, from the evidence that would open one; severity and peak never fall."""
    peak = _peak(evidence, tick_ms) if evidence.p_value < episode.best_p else episode.peak
    told = _told(episode, evidence, tick_ms, peak)
    return msgspec.structs.replace(
        told,
        is_open=True,
        window_seconds=evidence.count.window.seconds,
        critical=episode.critical or is_critical(evidence, rule),
        resolved_ms=0,
    )


def unrest(episode: Episode, tick_ms: int) -> Episode:
    """The episode with a look in it that was not calm; the same object where its hour has one already."""
    hour = tick_ms // HOUR_MS
    passed = hour - episode.unrest_hour
    if passed <= 0 and episode.unrest:
        return episode
    earlier = episode.unrest << passed if passed <= 2 * _DAY_HOURS else 0
    return msgspec.structs.replace(episode, unrest=(earlier | 1) & _UNREST_HOURS, unrest_hour=hour)


def _calm_the_day_before(episode: Episode, tick_ms: int, settings: EpisodeConfig) -> bool:
    """Whether no look was other than calm in the hours of the hold time, a day earlier."""
    hold_ms = round(settings.hold_minutes * MINUTE_MS)
    newest = tick_ms // HOUR_MS - _DAY_HOURS
    oldest = (tick_ms - hold_ms) // HOUR_MS - _DAY_HOURS
    hours = range(max(oldest, episode.unrest_hour - 2 * _DAY_HOURS), min(newest, episode.unrest_hour) + 1)
    return not any(episode.unrest >> (episode.unrest_hour - hour) & 1 for hour in hours)


def _peak(evidence: Evidence, tick_ms: int) -> Peak:
    count, interval = evidence.count, evidence.interval()
    return Peak(
        at_ms=tick_ms,
        seconds=count.window.seconds,
        hits=count.hits,
        total=count.total,
        expected=rounded(evidence.expected),
        interval=(interval.low, interval.high),
        p_value=evidence.p_value,
    )


def calm(looks: Sequence[Evidence], rule: RuleConfig, settings: EpisodeConfig) -> bool:
    """Whether every window, the short and the long, is back within what is expected."""
    return all(look.count.hits < rule.minimum_hits or look.p_value > settings.resolve_level for look in looks)


def update_due(episode: Episode, tick_ms: int, settings: EpisodeConfig) -> bool:
    """Whether the last event is so old that an `ongoing` one may follow; the longer it lasts, the rarer they are."""
    wait_ms = max(settings.update_minutes * MINUTE_MS, (episode.told_ms - episode.onset_ms) / 4)
    return tick_ms - episode.told_ms >= wait_ms


def updated(
    episode: Episode, worst: Evidence, tick_ms: int, rule: RuleConfig, settings: EpisodeConfig
) -> tuple[Episode, Reason, bool]:
    """A look at an open episode that is not calm: (next state, reason, whether to tell)."""
    episode = unrest(episode, tick_ms)
    peak = _peak(worst, tick_ms) if worst.p_value < episode.best_p else episode.peak
    if not episode.critical and is_critical(worst, rule):
        told = _told(episode, worst, tick_ms, peak)
        return msgspec.structs.replace(told, critical=True, escalated=True), Reason.ESCALATED, True
    if update_due(episode, tick_ms, settings) and worst.count.hits != episode.told_hits:
        return _told(episode, worst, tick_ms, peak), Reason.STILL_OPEN, True
    if peak is not episode.peak or episode.calm_since_ms:
        episode = msgspec.structs.replace(episode, peak=peak, calm_since_ms=0)
    return episode, Reason.STILL_OPEN, False


def _told(episode: Episode, worst: Evidence, tick_ms: int, peak: Peak | None) -> Episode:
    return msgspec.structs.replace(
        unrest(episode, tick_ms),
        version=episode.version + 1,
        peak=peak,
        calm_since_ms=0,
        told_ms=tick_ms,
        told_hits=worst.count.hits,
    )


def close_if_calm(episode: Episode, tick_ms: int, settings: EpisodeConfig) -> tuple[Episode, Reason]:
    """A look at an open episode whose windows are all calm."""
    since = episode.calm_since_ms or tick_ms
    if tick_ms - since < settings.hold_minutes * MINUTE_MS:
        if episode.calm_since_ms == 0:
            episode = msgspec.structs.replace(episode, calm_since_ms=tick_ms)
        return episode, Reason.CALMING
    if not _calm_the_day_before(episode, tick_ms, settings):
        return episode, Reason.CALM_TODAY
    return withdrawn(episode, tick_ms), Reason.RESOLVED


def withdrawn(episode: Episode, tick_ms: int) -> Episode:
    """The episode, ended at this tick."""
    return msgspec.structs.replace(
        episode, is_open=False, version=episode.version + 1, resolved_ms=tick_ms, told_ms=tick_ms
    )
