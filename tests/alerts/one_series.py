"""One series as a partition of `watch` drives it: mentions wait for their tick, copies are told apart."""

from __future__ import annotations

from collections.abc import Sequence

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
from alerts.memory import Recent
from alerts.rules import Count

__all__ = ["SIGNAL", "OneSeries", "heard_by", "mention_of"]

SIGNAL = "negative"


def mention_of(seen_ms: int, identity: str, signature: int, hit: int, probability: float = 0.9) -> Mention:
    """A mention that hits `SIGNAL`, or nothing."""
    return Mention(seen_ms, identity, signature, ((SIGNAL, probability),) if hit else ())


def heard_by(mention: Mention, series: tuple[str, ...], number: int) -> Heard:
    """The mention as the one of these series that item `number` made."""
    return Heard(mention.seen_ms, mention.id, mention.signature, mention.hits, series, number, number)


class OneSeries:
    """A series and all that its rows say; `restarted` is what a restart makes of them."""

    def __init__(self, series: str, config: AlertConfig) -> None:
        self.series = series
        self.config = config
        self.state = SeriesState()
        self.copies = Copies()
        self.waiting: list[Heard] = []
        self._added = 0

    def add(self, mention: Mention) -> None:
        self._added += 1
        self.waiting.append(heard_by(mention, (self.series,), self._added))

    def pending_ticks(self) -> tuple[int, ...]:
        open_tick = self.state.tick_ms + self.config.hop_ms
        return tuple(sorted({max(tick_of(one.seen_ms, self.config.hop_ms), open_tick) for one in self.waiting}))

    def close(self, stream: StreamState, tick_ms: int) -> list[AlertEvent]:
        due = sorted(one for one in self.waiting if one.seen_ms < tick_ms)
        self.waiting = [one for one in self.waiting if one.seen_ms >= tick_ms]
        counted: Sequence[Mention] = ()
        if due:
            counted = self.copies.counted(tick_ms, due, self.config).by_series.get(self.series, ())
        kind = kind_of(self.series)
        return close_tick(SIGNAL, self.series, kind, self.state, stream, tick_ms, self.config, counted)

    def next_due(self) -> int | None:
        return self.state.next_due(self.config)

    def counts(self) -> list[Count]:
        return self.state.counts(self.config)

    def stories(self) -> list[Recent]:
        return self.state.stories_since(0)

    def rows(self) -> tuple[bytes, dict[int, bytes]]:
        """That of the series, and all of the copies."""
        return self.state.to_bytes(), dict(self.copies.taking_rows())

    def restarted(self, rows: dict[int, bytes]) -> OneSeries:
        """`rows` are those of copies that were written before; it takes what is new."""
        state, parts = self.rows()
        rows |= parts
        for number in self.copies.take_spent():
            del rows[number]
        again = OneSeries(self.series, self.config)
        again.state = SeriesState.from_bytes(state)
        for _ in again.copies.restore(rows, self.copies.open_part, self.state.tick_ms):
            pass
        again.waiting, again._added = self.waiting, self._added
        return again
