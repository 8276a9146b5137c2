"""What `watch` writes down of a mentions partition: rows that it goes on from after a crash or on another worker.

    "p"              positions, progress and what all series share; written last, so it speaks for the rows before it
    "s/SERIES"       a series' state, and the own offset up to which it counts
    "b/CHANGE/PART"  baselines that wait for a promotion (`streams.learning.prepared`)

An own offset is that of the record of the topic `mentions`, counted on from incarnation to incarnation of it.
"""

from __future__ import annotations

from typing import Self

import msgspec

from alerts import SeriesState, kind_of
from streams.engine.positions import SourcePositions
from streams.errors import NewerVersion
from streams.records import MentionBatch

__all__ = ["PARTITION_KEY", "SERIES_PREFIX", "PartitionRow", "Series", "progress_of"]

PARTITION_KEY = "p"
SERIES_PREFIX = "s/"

ROW_VERSION = 1


class PartitionRow(msgspec.Struct):
    """What a mentions partition remembers as a whole; written after the series rows that it speaks for."""

    own_offset: int = -1
    positions: SourcePositions = msgspec.field(default_factory=SourcePositions)
    progress: dict[int, int] = msgspec.field(default_factory=dict)
    partitions: int = 1
    tick_ms: int = 0
    stream: bytes = b""
    version: int = ROW_VERSION
    epochs: list[str] = msgspec.field(default_factory=list)  # of the own topic, in the order first seen
    change: int = 0  # the latest promotion whose mentions came
    cut_ms: int = 0  # up to here all is in the baselines that were prepared for it

    @classmethod
    def restored(cls, row: bytes | None) -> Self:
        """From the row of key `PARTITION_KEY`, None where there is none yet.

        Raises `NewerVersion` or `msgspec.DecodeError`.
        """
        found = msgspec.msgpack.decode(row, type=cls) if row else cls()
        if found.version > ROW_VERSION:
            raise NewerVersion("the state of a mentions partition", found.version, ROW_VERSION)
        return found

    def hear(self, batch: MentionBatch, latest_ms: int | None = None) -> None:
        """Take over how far the batch's source partition has come, at most `latest_ms`; its progress never goes back.

        A partition that the source topic no longer has is not limited: it moves nothing ahead by itself.
        """
        self.partitions = batch.partitions
        progress_ms = batch.progress_ms
        if latest_ms is not None and batch.partition < batch.partitions:
            progress_ms = min(progress_ms, latest_ms)
        known = self.progress.get(batch.partition)
        if known is None or progress_ms > known:
            self.progress[batch.partition] = progress_ms

    def encoded(self) -> bytes:
        return _encoder.encode(self)


class _SeriesRow(msgspec.Struct, array_like=True):
    own_offset: int
    state: bytes


_series = msgspec.msgpack.Decoder(_SeriesRow)
_encoder = msgspec.msgpack.Encoder()


def progress_of(row: bytes) -> dict[int, int]:
    """Source partition to its progress in ms, from a row of key `PARTITION_KEY`; raises `msgspec.DecodeError`."""
    return msgspec.msgpack.decode(row, type=PartitionRow).progress


class Series:
    """A series in memory: its state, and the own offset up to which it is applied."""

    __slots__ = ("kind", "own_offset", "state")

    def __init__(self, kind: str, own_offset: int, state: SeriesState) -> None:
        self.kind = kind
        self.own_offset = own_offset
        self.state = state

    @classmethod
    def new(cls, name: str) -> Self:
        """A series of which nothing was heard yet."""
        return cls(kind_of(name), -1, SeriesState())

    @classmethod
    def restored(cls, name: str, row: bytes) -> Self:
        """From the row of key `SERIES_PREFIX` and the name; raises `msgspec.DecodeError` or `alerts.StateError`."""
        found = _series.decode(row)
        return cls(kind_of(name), found.own_offset, SeriesState.from_bytes(found.state))

    def encoded(self) -> bytes:
        return _encoder.encode(_SeriesRow(self.own_offset, self.state.to_bytes()))
