"""Which ticks can be decided: those that every partition of mentions has sealed. Pure.

    events ─► held ─┐
    seals ──────────┴─► horizon: the last tick that all have sealed ─► ready(): its events, in an order of their own

The order of a tick's events does not depend on how the partitions' records are mixed in the log.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from alerts.judge.entries import Event
from alerts.judge.rows import HELD, HeldRow, MetaRow, encoded

__all__ = ["Ticks"]


class Ticks:
    """Events that wait, and what the partitions sealed. `dirty` are rows to write down; `meta` is shared."""

    def __init__(self, meta: MetaRow, held: Iterable[HeldRow], dirty: dict[str, bytes | None]) -> None:
        self._meta = meta
        self._dirty = dirty
        self._heap: list[tuple[int, str, int]] = []
        self._held: dict[tuple[str, int], Event] = {}
        for row in held:
            self._push(Event(row.event, row.partition, row.tick_ms))

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, event: Event) -> None:
        """The event waits for its tick; one that waits already is passed over."""
        name = (event.alert.id, event.alert.revision)
        if name not in self._held:
            self._push(event)
            self._dirty[_key(*name)] = encoded(HeldRow(event.alert, event.partition, event.tick_ms))

    def seal(self, partition: int, of: int, tick_ms: int) -> None:
        """The partition has sent all up to the tick; it is waited for from now on."""
        meta = self._meta
        meta.of = max(meta.of, of, partition + 1)
        meta.sealed[partition] = max(tick_ms, meta.sealed.get(partition, tick_ms))
        if partition in meta.away:
            meta.away.remove(partition)

    def without(self, partitions: Iterable[int]) -> None:
        """These are not waited for until they seal again."""
        self._meta.away += [one for one in partitions if one not in self._meta.away and 0 <= one < self._meta.of]

    @property
    def away(self) -> tuple[int, ...]:
        """The partitions that ticks are decided without."""
        return tuple(sorted(self._meta.away))

    @property
    def horizon_ms(self) -> int | None:
        """The last tick that everyone waited for has sealed; None while one of them has sealed none."""
        meta = self._meta
        waited = [meta.sealed.get(one) for one in range(meta.of) if one not in meta.away]
        known = [tick for tick in waited if tick is not None]
        return min(known) if known and len(known) == len(waited) else None

    @property
    def lagging(self) -> tuple[int, ...]:
        """The partitions that the next tick waits for, while others have sealed it."""
        meta = self._meta
        newest = max(meta.sealed.values(), default=0)
        return tuple(one for one in range(meta.of) if one not in meta.away and meta.sealed.get(one, 0) < newest)

    def next_ms(self, horizon_ms: int | None) -> int | None:
        """The earliest tick that can be decided and has events; 0 is that of events which are not sealed."""
        if not self._heap or self._heap[0][0] > (horizon_ms or 0):
            return None
        return self._heap[0][0]

    def take(self, tick_ms: int) -> list[Event]:
        """The events of a tick, no longer held, in the order of their alerts' ids."""
        events: list[Event] = []
        while self._heap and self._heap[0][0] == tick_ms:
            _, alert, revision = heapq.heappop(self._heap)
            events.append(self._held.pop((alert, revision)))
            self._dirty[_key(alert, revision)] = None
        return events

    def _push(self, event: Event) -> None:
        name = (event.alert.id, event.alert.revision)
        self._held[name] = event
        heapq.heappush(self._heap, (event.tick_ms, *name))


def _key(alert: str, revision: int) -> str:
    return f"{HELD}{alert}.{revision}"
