"""What all series of a partition share for one signal: `StreamState`, the pooled history per kind of series.

    add(series, seen, hit) ───► recent hours per kind ──(24 h later)──► counts per hour of the week
                                                              view(kind, tick) ──► KindView ──► baseline

It is fed with the mentions that each tick closes, revisions left out, and never from a `SeriesState`, and counts enter
its beliefs a day late, in steps of six hours. Both make it a function of what was seen before the tick alone: whoever
redoes a run after a crash, or receives mentions in another order, believes the same at the same tick.

One record with a date of long ago is no history. While the stream is younger than the warm-up, it begins again after a
gap in which nothing was heard; one that is past the warm-up keeps its start over an outage.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.clock import DAY_MS, HOUR_MS, WEEK_HOURS, day_cell, exposure_hours, fold_week, week_hour
from alerts.config import AlertConfig
from alerts.history import HIT, TOTAL_MASK
from alerts.profile import KindCounts, KindSnapshot, snapshot
from alerts.rows import decoded
from alerts.ruleset import kind_of
from alerts.sections import HORIZON_HOURS, KindConfig

__all__ = ["KindView", "StreamState"]

STREAM_VERSION: Final = 4
_STEP_HOURS: Final = 6
_SKETCH_BITS: Final = 2048  # names are counted within 3 % up to 5,000 series, 10 % up to 12,000
_ROUTES_KEPT: Final = 100_000

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KindView:
    """A kind at one hour, in the plain numbers that a series' baseline needs.

    `behind` has, for this hour and the 24 before it, newest first, (rhythm, day cell, that cell's expected
    hours). `exposure` (48) is in hours, `expected_hours` (48) is exposure times rhythm; `exposure_total`
    their sum; `hour_squares` and `day_squares` are the sums of the squared rhythm of each hour, and of each
    day, which scale the second moments.
    """

    hour: int
    day: int
    behind: list[tuple[float, int, float]]
    exposure: list[float]
    expected_hours: list[float]
    exposure_total: float
    hour_squares: float
    day_squares: float
    hourly: float
    share: float
    tests: tuple[float, ...]


class _KindRow(msgspec.Struct, array_like=True):
    start_ms: int
    day: int
    hits: bytes
    total: bytes
    recent: dict[int, int]
    settled: bytes
    pending: dict[int, int]


class _Row(msgspec.Struct, array_like=True):
    version: int
    start_ms: int
    settled_hour: int
    late: int
    heard_ms: int
    gap_ms: int
    kinds: dict[str, _KindRow]


class _Kind:
    """Counts of one kind; `settled` is a bitmap of series names, `pending` the first hours of newer ones.

    `start_ms` is when the kind began to be counted, if that was later than the stream.
    """

    __slots__ = ("day", "hits", "pending", "recent", "settled", "start_ms", "total")

    def __init__(self) -> None:
        self.start_ms = 0
        self.day = 0
        self.hits: Array = np.zeros(WEEK_HOURS)
        self.total: Array = np.zeros(WEEK_HOURS)
        self.recent: dict[int, int] = {}
        self.settled = bytearray(_SKETCH_BITS // 8)
        self.pending: dict[int, int] = {}

    def settle(self, before_hour: int, forgetting: float) -> None:
        """Moves the hours before `before_hour` into the counts per hour of the week, oldest first."""
        for hour in sorted(hour for hour in self.recent if hour < before_hour):
            packed = self.recent.pop(hour)
            day = hour // 24
            if day > self.day:
                self.hits *= forgetting ** (day - self.day)
                self.total *= forgetting ** (day - self.day)
                self.day = day
            self.hits[week_hour(hour)] += packed >> 32
            self.total[week_hour(hour)] += packed & TOTAL_MASK
        for bit in [bit for bit, hour in self.pending.items() if hour < before_hour]:
            del self.pending[bit]
            self.settled[bit >> 3] |= 1 << (bit & 7)

    def counts(self, today: int, forgetting: float) -> KindCounts:
        factor = forgetting ** (today - self.day)
        unset = _SKETCH_BITS - int.from_bytes(self.settled, "little").bit_count()
        series = _SKETCH_BITS * math.log(_SKETCH_BITS / max(unset, 1))
        return KindCounts(self.hits * factor, self.total * factor, series)


class StreamState:
    """The partition's history per kind (see the module's text). Bounded: about 3 KB per kind when packed.

    `start_ms` is the first `seen` of the stream (0 before any), or of what came after a gap during the warm-up; `late`
    counts mentions that came more than a day late and were left out: they are in no baseline, and the stream did not
    start with them. `tick_ms` is the last tick closed, `heard_ms` the last that counted a mention, `gap_ms` the longest
    gap that the warm-up bears: a day, and twice as long each time that it began again, so that a feed with an item a
    week ends it too.
    """

    __slots__ = (
        "_begins_again",
        "_exposed",
        "_first_hour",
        "_kinds",
        "_routes",
        "_snapshots",
        "_views",
        "gap_ms",
        "heard_ms",
        "late",
        "settled_hour",
        "start_ms",
        "tick_ms",
    )

    def __init__(self) -> None:
        self.start_ms = 0
        self.settled_hour = 0
        self.late = 0
        self.tick_ms = 0
        self.heard_ms = 0
        self.gap_ms = DAY_MS
        self._kinds: dict[str, _Kind] = {}
        self._routes: dict[str, tuple[_Kind, int]] = {}
        self._snapshots: dict[str, tuple[int, KindSnapshot]] = {}
        self._views: dict[str, KindView] = {}
        self._exposed: tuple[int, dict[int, Array]] = 0, {}
        # of the last tick closed; never packed, for a tick is closed before it is fed
        self._first_hour = 0  # in sight
        self._begins_again = False  # with the next mention

    def add(self, series: str, seen_ms: int, hit: bool) -> None:
        """Counts one mention of one series, which hits the signal or not; once per mention and series, in any order.

        To be called once the tick that counts the mention is closed (`close_tick`): what is a day older is late.
        """
        hour = seen_ms // HOUR_MS
        if hour < self._first_hour or hour < self.settled_hour:
            self.late += 1
            return
        if self.heard_ms < self.tick_ms:
            self._hear()
        route = self._routes.get(series)
        kind, bit = route if route is not None else self._enter(series)
        recent = kind.recent
        recent[hour] = recent.get(hour, 0) + (HIT + 1 if hit else 1)
        if seen_ms < self.start_ms or self.start_ms == 0:
            self.start_ms = seen_ms
            self._forget_views()
        if not kind.settled[bit >> 3] >> (bit & 7) & 1 and kind.pending.get(bit, hour + 1) > hour:
            kind.pending[bit] = hour

    def begin_kind(self, kind: str, now_ms: int) -> None:
        """A kind of series is counted from now on: its baseline and its warm-up begin here."""
        if kind not in self._kinds:
            self._kinds[kind] = _Kind()
            self._kinds[kind].start_ms = now_ms
            self._forget_views()

    def adopt(self, without: Iterable[str]) -> None:
        """Other rules from now on; the kinds of series that they do not watch are forgotten."""
        for kind in without:
            self._kinds.pop(kind, None)
        self._routes.clear()
        self._forget_views()

    def start_of(self, kind: str) -> int:
        """Returns since when the kind has been counted (ms)."""
        known = self._kinds.get(kind)
        return self.start_ms if known is None else max(self.start_ms, known.start_ms)

    def _forget_views(self) -> None:
        self._views, self._snapshots, self._exposed = {}, {}, (0, {})

    def _hear(self) -> None:
        """The first mention of a tick; it follows from the tick alone, so the order of a tick's mentions is free."""
        self.heard_ms = self.tick_ms
        if self._begins_again:
            self._begins_again = False
            self.start_ms = 0
            self.gap_ms *= 2
            self._kinds, self._routes = {}, {}
            self._forget_views()

    def leave_out(self, mentions: int) -> None:
        """Counts mentions of series that came more than a day late."""
        self.late += mentions

    def _enter(self, series: str) -> tuple[_Kind, int]:
        if len(self._routes) >= _ROUTES_KEPT:
            self._routes.clear()
        name = kind_of(series)
        kind = self._kinds.setdefault(name, _Kind())
        route = self._routes[series] = (kind, zlib.crc32(series.encode()) % _SKETCH_BITS)
        return route

    def close_tick(self, tick_ms: int, config: AlertConfig) -> None:
        """Call before the series of this tick are evaluated. Cheap unless a step of six hours has passed."""
        hour = (tick_ms - 1) // HOUR_MS
        self.tick_ms = tick_ms
        self._first_hour = hour - HORIZON_HOURS + 1
        young = self.heard_ms - self.start_ms < config.warm_up_ms
        self._begins_again = young and 0 < self.heard_ms < tick_ms - self.gap_ms
        settled = hour // _STEP_HOURS * _STEP_HOURS - HORIZON_HOURS
        if settled > self.settled_hour:
            self.settled_hour = settled
            for name in sorted(self._kinds):
                self._kinds[name].settle(settled, config.forgetting)

    def view(self, kind: str, tick_ms: int, config: AlertConfig) -> KindView:
        """The kind as believed at this tick; kept for the hour."""
        hour = (tick_ms - 1) // HOUR_MS
        view = self._views.get(kind)
        if view is None or view.hour != hour:
            view = self._views[kind] = self._new_view(kind, hour, config)
        return view

    def _snapshot(self, kind: str, settings: KindConfig, config: AlertConfig) -> KindSnapshot:
        kept = self._snapshots.get(kind)
        if kept is not None and kept[0] == self.settled_hour:
            return kept[1]
        today = (self.settled_hour - 1) // 24
        pool = {name: self._kinds[name].counts(today, config.forgetting) for name in sorted(self._kinds)}
        nothing = np.zeros(WEEK_HOURS)
        made = snapshot(
            pool.get(kind, KindCounts(nothing, nothing, 0.0)),
            sum((counts.total for counts in pool.values()), nothing),
            exposure_hours(self.start_of(kind) // HOUR_MS, self.settled_hour, today, config.forgetting),
            exposure_hours(self.start_ms // HOUR_MS, self.settled_hour, today, config.forgetting),
            config,
            settings,
        )
        self._snapshots[kind] = (self.settled_hour, made)
        return made

    def _new_view(self, kind: str, hour: int, config: AlertConfig) -> KindView:
        made = self._snapshot(kind, config.kinds[kind], config)
        exposure = self._exposure(kind, hour, config)
        expected = exposure * made.rhythm
        expected_hours = fold_week(expected).tolist()
        hours = range(hour, hour - HORIZON_HOURS - 1, -1)
        return KindView(
            hour=hour,
            day=hour // 24,
            behind=[(made.hours[week_hour(h)], day_cell(h), expected_hours[day_cell(h)]) for h in hours],
            exposure=fold_week(exposure).tolist(),
            expected_hours=expected_hours,
            exposure_total=sum(expected_hours),
            hour_squares=float(expected @ made.rhythm),
            day_squares=float(exposure.reshape(7, 24).mean(axis=1) @ made.days**2),
            hourly=made.hourly,
            share=made.share,
            tests=made.tests,
        )

    def _exposure(self, kind: str, hour: int, config: AlertConfig) -> Array:
        """Hours of each hour of the week that the kind's baselines of this hour rest on, shape (168,)."""
        if self._exposed[0] != hour:
            self._exposed = hour, {}
        start_hour, known = self.start_of(kind) // HOUR_MS, self._exposed[1]
        if start_hour not in known:
            known[start_hour] = exposure_hours(start_hour, hour - HORIZON_HOURS + 1, hour // 24, config.forgetting)
        return known[start_hour]

    def to_bytes(self) -> bytes:
        kinds = {
            name: _KindRow(
                kind.start_ms,
                kind.day,
                kind.hits.tobytes(),
                kind.total.tobytes(),
                kind.recent,
                bytes(kind.settled),
                kind.pending,
            )
            for name, kind in self._kinds.items()
        }
        ticks = self.heard_ms, self.gap_ms  # which ticks were closed without a mention may differ at a redo
        return msgspec.msgpack.encode(_Row(STREAM_VERSION, self.start_ms, self.settled_hour, self.late, *ticks, kinds))

    @classmethod
    def from_bytes(cls, data: bytes) -> StreamState:
        """Raises `StateError`."""
        row = decoded(data, _Row, STREAM_VERSION, "a partition")
        state = cls()
        state.start_ms, state.settled_hour, state.late = row.start_ms, row.settled_hour, row.late
        state.tick_ms, state.heard_ms, state.gap_ms = row.heard_ms, row.heard_ms, row.gap_ms
        for name, packed in row.kinds.items():
            kind = state._kinds[name] = _Kind()
            kind.start_ms, kind.day = packed.start_ms, packed.day
            kind.recent, kind.pending = packed.recent, packed.pending
            kind.hits = np.frombuffer(packed.hits).copy()
            kind.total = np.frombuffer(packed.total).copy()
            kind.settled = bytearray(packed.settled)
        return state
