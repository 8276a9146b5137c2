"""Following topics as they grow, without a group: every reader sees all partitions, and holds nothing back.

    TailFrom(topic, back, most) ─► broker.tail ─► poll ─► Grown(topic, partition, records, passed), … ─► poll …

A reader that is interested in the newest records alone sets `most`: of more that wait the older ones are passed over,
so that reading costs the same however fast the topic grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from streams.engine.runs import Record

__all__ = ["Grown", "Place", "Tail", "TailFrom", "first_wanted", "share_of"]

Place = tuple[str, int]
"""A topic and one of its partitions."""


@dataclass(frozen=True, slots=True)
class TailFrom:
    """A topic to follow: from the last `back` records of it on (None: from its first), or from `at` by partition.

    `most` is how many of its records a poll may hand over, the newest ones; None: all, some at a time.
    """

    topic: str
    back: int | None = 0
    most: int | None = None
    at: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grown:
    """What a partition got, oldest first. About `passed` others were passed over, or deleted by retention."""

    topic: str
    partition: int
    records: Sequence[Record]
    next_offset: int
    passed: int = 0


class Tail(Protocol):
    """For one thread at a time."""

    @property
    def epochs(self) -> Mapping[str, str]:
        """The incarnation of each topic that is followed."""

    @property
    def next_offsets(self) -> Mapping[Place, int]:
        """Of each partition the offset that is read next."""

    def poll(self, wait_seconds: float) -> list[Grown]:
        """Returns what is there now, else what comes within the wait.

        Raises `TopicChanged`; `Retry` and `TransportError` where the broker fails. A broker that is away for a while
        may look like one where nothing happens.
        """

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def share_of(total: int | None, partitions: int) -> int | None:
    """Returns how many records each of the partitions may have of `total`; at least one."""
    return None if total is None else max(1, total // partitions)


def first_wanted(offset: int, first: int, end: int, most: int | None) -> int:
    """Returns the offset to read from, where `offset` is next, [first, end) exist and `most` are wanted at once."""
    newest = offset if most is None else end - most
    return max(offset, first, newest)
