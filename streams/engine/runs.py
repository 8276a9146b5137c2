"""A run: what one fetch brought from one partition, handed over and acknowledged as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import msgspec

__all__ = ["Record", "Run"]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One raw record of a topic partition. `value` is None for a tombstone; `timestamp_ms` is the broker's.

    A Struct, because one is made for every record of every topic: a frozen dataclass takes eight times as long.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one topic partition, oldest first, at least one.

    `epoch` identifies this incarnation of the topic (Kafka's topic id, the embedded file's id), so that a
    topic that was deleted and made again does not look old. `partitions` is the topic's partition count.
    `end_offset` is the offset that the next record of the partition will get, as known at the fetch.
    """

    topic: str
    partition: int
    partitions: int
    epoch: str
    records: Sequence[Record]
    end_offset: int

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        return self.records[-1].offset

    @property
    def reaches_end(self) -> bool:
        """Whether nothing more stood in the partition when this run was fetched."""
        return self.last_offset + 1 >= self.end_offset

    def part(self, begin: int, end: int) -> Self:
        """The records numbered [begin, end) as a run; the run itself where that is all of them."""
        if begin == 0 and end == len(self.records):
            return self
        return replace(self, records=self.records[begin:end])

    def followed_by(self, run: Run) -> Self:
        """This run and the next one of the same partition and epoch as one."""
        return replace(self, records=[*self.records, *run.records], end_offset=run.end_offset)
