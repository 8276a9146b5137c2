"""The series of a partition: those that speak are in memory, quiet ones are a row, forgotten ones nothing.

    of ──► in memory? ──no──► its row, if it is not forgotten by then ──► a new series
    touch ──► taking_rows ──(the partition row is written)──► settle: quiet ones are rows alone

A series is forgotten when so little of its past is left that it is as good as new. Its row says from which tick on that
is, and what speaks after it begins anew whether the row is still there or not: so rows are deleted at leisure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from alerts import AlertConfig
from streams.stages.watch_rows import SERIES_PREFIX, Series, SeriesRow
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["NoRows", "SeriesRows", "SeriesShelf"]

QUIET_MS: Final = DAY_MS
"""A series in memory takes 4 KB, and 50 µs to read again: so long after its last tick it is a row alone."""

_SURELY_KNOWN_MS: Final = 30 * DAY_MS


class SeriesRows(Protocol):
    """The rows of series that are written down."""

    def get(self, name: str) -> bytes | None: ...

    def names(self) -> Iterable[str]: ...


class NoRows:
    """Nothing is written down: all is in memory."""

    def get(self, name: str) -> bytes | None:  # noqa: ARG002  # it has none
        return None

    def names(self) -> Iterable[str]:
        return ()


class SeriesShelf:
    """The series of a partition by name. `len` is the number of those in memory."""

    def __init__(self, config: AlertConfig, rows: SeriesRows) -> None:
        self._config = config
        self._rows = rows
        self._awake: dict[str, Series] = {}
        self._dirty: dict[str, Series] = {}
        self._packed: dict[str, bytes] = {}  # not in memory and not taken yet
        self._spent: list[str] = []
        self._settled_hour = 0

    def __len__(self) -> int:
        return len(self._awake)

    def adopt(self, config: AlertConfig) -> None:
        """Other rules from now on."""
        self._config = config

    def of(self, name: str, tick_ms: int, promotion: int) -> Series:
        """The series as it is at this tick; `promotion` is the present one, whose baselines a new series has."""
        entry = self._awake.get(name)
        if entry is None:
            entry = self._read(name, tick_ms)
        elif tick_ms - entry.state.tick_ms > _SURELY_KNOWN_MS and tick_ms >= entry.state.forgotten_ms(self._config):
            entry = None
        if entry is None:
            entry = Series.new(name, promotion)
        self._awake[name] = entry
        return entry

    def _read(self, name: str, tick_ms: int) -> Series | None:
        data = self._packed.get(name)
        row = self._rows.get(name) if data is None else data
        if row is None:
            return None
        found = SeriesRow.of(row)
        return Series.restored(name, found) if tick_ms < found.forgotten_ms else None

    def touch(self, name: str, entry: Series) -> None:
        """Its row must be written."""
        self._packed.pop(name, None)
        self._dirty[name] = entry

    def put_away(self, name: str) -> None:
        """It is not needed in memory: a promotion touches all series, and they may be many."""
        entry = self._awake[name]
        if entry.state.is_open:
            return
        del self._awake[name]
        if self._dirty.pop(name, None) is not None:
            self._packed[name] = entry.encoded(self._config)

    def restore(self, name: str, row: bytes, tick_ms: int) -> tuple[Series | None, int]:
        """Looks at a row after a restart: the series when its alert is open, for that one is looked at by the clock.

        With it the end of the hour that is to be reported on, 0 where none is.

        Raises `NewerVersion`, `msgspec.DecodeError` or `alerts.StateError`.
        """
        found = SeriesRow.of(row)
        if found.is_open:
            entry = self._awake[name] = Series.restored(name, found)
            return entry, found.hour_ms
        if tick_ms >= found.forgotten_ms:
            self._spent.append(SERIES_PREFIX + name)
        return None, found.hour_ms

    def names(self) -> list[str]:
        """All series that are known, in order."""
        return sorted({*self._awake, *self._packed, *self._rows.names()})

    def is_awake(self, name: str) -> bool:
        return name in self._awake

    def states(self) -> dict[str, bytes]:
        """Each series' state as a row holds it."""
        awake = {name: entry.state.to_bytes() for name, entry in self._awake.items()}
        asleep = {name: bytes(SeriesRow.of(row).state) for name, row in self._packed.items()}
        return asleep | awake

    def taking_rows(self) -> Iterator[tuple[str, bytes]]:
        """The rows that have changed since the last call."""
        dirty, self._dirty = self._dirty, {}
        packed, self._packed = self._packed, {}
        for name, row in packed.items():
            yield SERIES_PREFIX + name, row
        for name, entry in dirty.items():
            yield SERIES_PREFIX + name, entry.encoded(self._config)

    def take_spent(self) -> list[str]:
        """The rows of forgotten series that were found since the last call."""
        spent, self._spent = self._spent, []
        return [key for key in spent if key.removeprefix(SERIES_PREFIX) not in self._awake]

    def settle(self, tick_ms: int) -> Iterator[None]:
        """Once all that was taken is written, in steps: once an hour the quiet leave, once a day the forgotten."""
        hour = tick_ms // HOUR_MS
        if hour == self._settled_hour:
            return
        is_new_day, self._settled_hour = hour // 24 != self._settled_hour // 24, hour
        for name in [name for name, entry in self._awake.items() if self._is_quiet(name, entry, tick_ms)]:
            del self._awake[name]
        if is_new_day:
            yield from self._sweep(tick_ms)

    def _is_quiet(self, name: str, entry: Series, tick_ms: int) -> bool:
        return tick_ms - entry.state.tick_ms > QUIET_MS and not entry.state.is_open and name not in self._dirty

    def _sweep(self, tick_ms: int) -> Iterator[None]:
        for name in self._rows.names():
            row = self._rows.get(name)
            if row is not None and name not in self._awake and tick_ms >= SeriesRow.of(row).forgotten_ms:
                self._spent.append(SERIES_PREFIX + name)
            yield
