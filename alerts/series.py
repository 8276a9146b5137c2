"""One series' own state for one signal: panes, baseline and episodes.

    what a tick counts (`alerts.copies`) ──► panes per window ──(24 h later)──► History ──► Expectation
                          └─► latest hits                                   Episode per rule

Everything here follows from the mentions counted and the ticks closed. Nothing decays by being looked at,
so a series that is silent for a month costs nothing and comes back with the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from alerts.baseline import Expectation
from alerts.clock import DAY_MS, HOUR_MS
from alerts.config import AlertConfig
from alerts.episode import Episode
from alerts.history import HIT, TOTAL_MASK, History, HistoryRow, Sight
from alerts.memory import Held, Mention, Recent, hit_probability
from alerts.rows import decoded
from alerts.rules import Count
from alerts.sections import HORIZON_HOURS, MOST_PANES
from alerts.stream import KindView

__all__ = ["NEVER_MS", "RECENT_KEPT", "SeriesState"]

SERIES_VERSION: Final = 4
RECENT_KEPT: Final = 12
FORGOTTEN_ITEMS: Final = 1 / 64
"""So much of an item's weight is left when a series is forgotten: of one item after six half-lives, 84 days."""

NEVER_MS: Final = 1 << 62
_QUARTER_MS: Final = HOUR_MS // 4
_MOST_PANES: Final = 3 * MOST_PANES  # stale panes are dropped when a window is looked at, or beyond this

_encode = msgspec.msgpack.Encoder().encode


class _Row(msgspec.Struct, array_like=True):
    version: int
    tick_ms: int
    hour: int
    late: int
    lengths: tuple[int, ...]
    panes: list[dict[int, int]]
    hours: dict[int, int]
    quarters: dict[int, int]
    recent: list[Recent]
    history: HistoryRow
    episodes: dict[str, Episode]
    held: dict[str, Held]


class SeriesState:
    """The state of one series for one signal (see the module's text). `late` counts mentions that came too late.

    `is_open` while an episode is open, or a rule `each` holds items back.

    `tick_ms` is the last tick closed; closing it, or an earlier one, again changes nothing.
    """

    __slots__ = (
        "_expectation",
        "_lengths",
        "_panes",
        "episodes",
        "held",
        "history",
        "hour",
        "is_open",
        "late",
        "recent",
        "sight",
        "tick_ms",
    )

    def __init__(self) -> None:
        self.tick_ms = 0
        self.hour = 0
        self.is_open = False
        self.late = 0
        self._lengths: tuple[int, ...] = ()
        self._panes: list[dict[int, int]] = []
        self.sight = Sight()
        self.recent: list[Recent] = []
        self.history = History()
        self.episodes: dict[str, Episode] = {}
        self.held: dict[str, Held] = {}
        self._expectation: Expectation | None = None  # a cache: never packed

    def next_due(self, config: AlertConfig) -> int | None:
        """The next tick at which to look even without mentions: while an alert is open, else None."""
        if not self.is_open:
            return None
        return (self.tick_ms // config.check_ms + 1) * config.check_ms

    def keep(self, rule: str, episode: Episode) -> None:
        """Stores the next state of a rule's episode."""
        self.episodes[rule] = episode
        self._settle_open()

    def hold(self, rule: str, held: Held) -> None:
        """Stores what a rule `each` holds back."""
        self.held[rule] = held
        self._settle_open()

    def _settle_open(self) -> None:
        episodes, held = self.episodes.values(), self.held.values()
        self.is_open = any(kept.is_open for kept in episodes) or any(kept.count for kept in held)

    def discard(self, tick_ms: int) -> None:
        """Closes a tick of a series that is not watched: its mentions are dropped."""
        self.tick_ms = tick_ms

    def forget_past(self) -> None:
        """Drops all counts; an alert that is open stays open."""
        self._panes = [{} for _ in self._panes]
        self.sight, self.history = Sight(), History(spans=self.history.spans)
        self._expectation = None

    def apply(self, tick_ms: int, mentions: Sequence[Mention], config: AlertConfig, signal: str) -> tuple[int, int]:
        """Counts the mentions that the tick closes, in order; returns (how many counted, how many hit `signal`)."""
        self.tick_ms = tick_ms
        if self._lengths is not config.lengths:
            self._align(config)
        hour = (tick_ms - 1) // HOUR_MS
        if hour != self.hour:
            self._turn_hour(hour, config)
        counted = hits = 0
        first_hour = hour - HORIZON_HOURS + 1
        grain_ms, grain, packed = config.grain_ms, 0, 0
        for mention in mentions:
            if mention.seen_ms // HOUR_MS < first_hour:
                self.late += 1
                continue
            if packed and mention.seen_ms // grain_ms != grain:
                self._count(grain * grain_ms, packed, config)
                packed = 0
            grain = mention.seen_ms // grain_ms
            counted += 1
            packed += 1
            probability = hit_probability(mention.hits, signal) if mention.hits else None
            if probability is not None:
                hits += 1
                packed += HIT
                self._note(mention, probability)
        if packed:
            self._count(grain * grain_ms, packed, config)
        return counted, hits

    def _turn_hour(self, hour: int, config: AlertConfig) -> None:
        """Moves the hours that have left the horizon into the history."""
        self.hour = hour
        self.history.settle(self.sight, hour - HORIZON_HOURS + 1, config)

    def _align(self, config: AlertConfig) -> None:
        """Windows may have been changed in the settings since the row was written: a new one starts empty."""
        if self._lengths != config.lengths:
            known = dict(zip(self._lengths, self._panes, strict=True))
            self._panes = [known.get(length, {}) for length in config.lengths]
        self._lengths = config.lengths

    def _count(self, seen_ms: int, packed: int, config: AlertConfig) -> None:
        """Adds a grain's mentions to every pane that it falls in; a new pane is the rarer case of a busy series."""
        sight = self.sight
        for panes, pane_ms in zip(self._panes, config.panes_ms, strict=True):
            index = seen_ms // pane_ms
            if index in panes:
                panes[index] += packed
            else:
                _new_pane(panes, index, packed)
        hour = seen_ms // HOUR_MS
        if hour in sight.hours:
            sight.hours[hour] += packed
        else:
            _new_pane(sight.hours, hour, packed)
        if packed >= HIT:
            quarter = seen_ms // _QUARTER_MS
            sight.quarters[quarter] = sight.quarters.get(quarter, 0) + (packed >> 32)

    def _note(self, mention: Mention, probability: float) -> None:
        """Keeps the latest hits, each signature once."""
        if mention.signature:
            for at, kept in enumerate(self.recent):
                if kept[2] == mention.signature:
                    del self.recent[at]
                    break
        self.recent.append((mention.seen_ms, mention.id, mention.signature, probability))
        if len(self.recent) > RECENT_KEPT:
            del self.recent[0]

    def horizon_hits(self) -> int:
        """Hits of the last 24 hours (the hours in sight)."""
        return sum(self.sight.hours.values()) >> 32

    def horizon_items(self) -> int:
        """Items of the last 24 hours (the hours in sight)."""
        return sum(self.sight.hours.values()) & TOTAL_MASK

    def counts(self, config: AlertConfig) -> list[Count]:
        """What each window holds at the last tick closed, in the config's order."""
        tick_ms, found = self.tick_ms, []
        for window, panes in zip(config.windows, self._panes, strict=True):
            pane_ms = window.pane_ms
            first = (tick_ms - 1) // pane_ms - window.panes + 1
            if panes and next(iter(panes)) < first:
                _expire(panes, first)
            packed, start_ms = sum(panes.values()), first * pane_ms
            found.append(Count(window, start_ms, tick_ms, packed >> 32, packed & TOTAL_MASK))
        return found

    def expectation_at(self, view: KindView, config: AlertConfig) -> Expectation:
        """The series' beliefs at its last closed tick; kept while the hour, and so the view, is the same."""
        kept = self._expectation
        if kept is None or kept.view is not view:
            kept = self._expectation = Expectation(self.history, view, config)
        return kept

    def stories_since(self, start_ms: int) -> list[Recent]:
        """The latest hits seen at or after `start_ms`, newest first."""
        return sorted((kept for kept in self.recent if kept[0] >= start_ms), reverse=True)

    def to_bytes(self) -> bytes:
        """The row."""
        return _encode(
            _Row(
                SERIES_VERSION,
                self.tick_ms,
                self.hour,
                self.late,
                self._lengths,
                self._panes,
                self.sight.hours,
                self.sight.quarters,
                self.recent,
                self.history.row(),
                self.episodes,
                self.held,
            )
        )

    def forgotten_ms(self, config: AlertConfig) -> int:
        """The tick from which on the series is as good as new: so little of its past is left.

        While an alert is open that is never. It follows from the state alone, which does not change while the
        series is silent, so it is the same for whoever asks and whenever.
        """
        if self.is_open:
            return NEVER_MS
        kept = sum(self.history.total.values()) * self.history.factor(self.tick_ms // DAY_MS, config.forgetting)
        items = max(kept + sum(hour & TOTAL_MASK for hour in self.sight.hours.values()), 1.0)
        days = math.log(items / FORGOTTEN_ITEMS) / -math.log(config.forgetting)
        return self.tick_ms + math.ceil(days) * DAY_MS

    @classmethod
    def from_bytes(cls, data: bytes) -> SeriesState:
        """Raises `StateError`."""
        row = decoded(data, _Row, SERIES_VERSION, "a series")
        state = cls()
        state.tick_ms, state.hour, state.late = row.tick_ms, row.hour, row.late
        state._lengths, state._panes = row.lengths, row.panes
        state.sight = Sight(row.hours, row.quarters)
        state.recent = row.recent
        state.history = History.from_row(row.history)
        state.episodes, state.held = row.episodes, row.held
        state._settle_open()
        return state


def _new_pane(panes: dict[int, int], index: int, packed: int) -> None:
    """Opens a pane, keeping them in order of time, also for a mention that came late; old ones are dropped."""
    late = bool(panes) and index < next(reversed(panes))
    panes[index] = packed
    if late:
        ordered = sorted(panes.items())
        panes.clear()
        panes.update(ordered)
    elif len(panes) > _MOST_PANES:
        _expire(panes, index - MOST_PANES)


def _expire(panes: dict[int, int], first: int) -> None:
    while panes:
        index = next(iter(panes))
        if index >= first:
            return
        del panes[index]
