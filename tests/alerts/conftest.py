"""A small driver of the alerts core: what the watch stage does, in memory and without transport."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import settings

from alerts import (
    AlertConfig,
    AlertEvent,
    Copies,
    Heard,
    Mention,
    SeriesState,
    StreamState,
    close_tick,
    kind_of,
    tick_of,
)
from tests.alerts.one_series import SIGNAL, heard_by

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@dataclass
class Played:
    """What came out of a run of mentions, and the states at its end."""

    config: AlertConfig
    stream: StreamState = field(default_factory=StreamState)
    states: dict[str, SeriesState] = field(default_factory=dict)
    copies: Copies = field(default_factory=Copies)
    waiting: dict[int, list[Heard]] = field(default_factory=dict)
    schedule: dict[int, set[str]] = field(default_factory=dict)
    events: list[AlertEvent] = field(default_factory=list)
    _added: int = 0

    def add(self, mention: Mention, series: Iterable[str]) -> None:
        series = tuple(series)
        for name in series:
            self.stream.add(name, mention.seen_ms, bool(mention.hits))
            self.states.setdefault(name, SeriesState())
        self._added += 1
        heard = heard_by(mention, series, self._added)
        tick_ms = tick_of(mention.seen_ms, self.config.hop_ms)
        self.waiting.setdefault(tick_ms, []).append(heard)
        self.schedule.setdefault(tick_ms, set())

    def close(self, until_ms: int) -> None:
        """Closes every tick up to `until_ms`, in order; an open alert schedules its own checks."""
        while due := [tick_ms for tick_ms in self.schedule if tick_ms <= until_ms]:
            tick_ms = min(due)
            self.stream.close_tick(tick_ms, self.config)
            counted = self.copies.counted(tick_ms, sorted(self.waiting.pop(tick_ms, [])), self.config).by_series
            for name in sorted({*self.schedule.pop(tick_ms), *counted}):
                state = self.states[name]
                mentions = counted.get(name, ())
                found = close_tick(SIGNAL, name, kind_of(name), state, self.stream, tick_ms, self.config, mentions)
                self.events.extend(found)
                next_ms = state.next_due(self.config)
                if next_ms is not None:
                    self.schedule.setdefault(next_ms, set()).add(name)

    @property
    def opened(self) -> list[AlertEvent]:
        return [event for event in self.events if event.change == "opened"]


Play = Callable[..., Played]


@pytest.fixture
def play() -> Play:
    """`play(config, items, until_ms=None)`: items are (mention, series names), in order of time."""

    def run(config: AlertConfig, items: Iterable[tuple[Mention, Iterable[str]]], until_ms: int | None = None) -> Played:
        played = Played(config)
        last = 0
        for mention, series in items:
            played.close(mention.seen_ms // config.hop_ms * config.hop_ms)
            played.add(mention, series)
            last = mention.seen_ms
        played.close(until_ms if until_ms is not None else last + config.hop_ms)
        return played

    return run
