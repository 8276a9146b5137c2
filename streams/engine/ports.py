"""What a stage may do to the world. Real ones stand in `transport`, `archive` and `app`; tests use small fakes.

Order of effects, always: archive, outbox, state rows, partition row, then the commit (the transport's acknowledgement).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from streams.engine.isolation import Culprit
from streams.engine.runs import Run

__all__ = ["Outbox", "Parking", "Send", "Stage", "StateStore"]


class Send(msgspec.Struct, frozen=True, gc=False):
    """One record to produce. `topic` is a full topic name; `partition` overrides the key's."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None


class Outbox(Protocol):
    """Produces records in the order given, per target partition."""

    async def send(self, sends: Sequence[Send]) -> None:
        """Returns when the broker has acknowledged all of them; raises `Retry` or `TransportError` otherwise."""


class StateStore(Protocol):
    """Rows of one stage, kept per own partition, restored after a restart."""

    def get(self, partition: int, key: str) -> bytes | None: ...

    def items(self, partition: int) -> Iterable[tuple[str, bytes]]: ...

    async def put(self, partition: int, rows: Mapping[str, bytes | None]) -> None:
        """Writes rows (None deletes) and returns when they are acknowledged; the order of keys is kept."""


class Stage(Protocol):
    """A step of the pipeline: takes a run, does its effects in order, returns when all are acknowledged."""

    async def handle(self, run: Run) -> None: ...

    async def idle(self, partition: int, now_ms: int) -> None:
        """Called about once a second for an owned partition that is read to its end."""

    def forget(self, partition: int) -> None:
        """The partition was revoked: drop every cache that speaks for it."""


class Parking(Protocol):
    """Where records go that their stage cannot handle."""

    async def park(self, run: Run, culprits: Sequence[Culprit]) -> None:
        """Returns when the records of the run are parked durably; parking one again changes nothing.

        Raises `Retry`, `TransportError` or `LeaseLost`; then none may be acknowledged.
        """
