"""What `watch` writes down of a mentions partition: rows that it goes on from after a crash or on another worker.

    "p"              positions, progress and what all series share; written last, so it speaks for the rows before it
    "s/SIGNAL/SERIES" a series' state for a signal at the last tick that was closed for it
    "w/TICK/PART"    mentions that wait for their tick (`streams.stages.waiting`)
    "c/PART"         what was counted within 24 hours, so that copies are told apart (`alerts.copies`)
    "b/PROMOTION/PART"  baselines that wait for a promotion (`streams.serving.prepared`)
    "r", "u"         the rules that it judges by, and how far runs were begun by them (`streams.stages.watch_rules`)
    "t/OWN"          the limit of event time that held for a record, until the partition row is past it

A crash leaves rows that are ahead of the partition row, and each of them is exact all the same: a series' row says up
to which tick it has counted, and a tick is closed for a series once; waiting mentions carry their own offset, what was
counted its tick. An own offset is that of the record of the topic `mentions`, counted on from incarnation to
incarnation of it. No row grows with the time that the watermark is held, nor with how busy a series is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import msgspec

from alerts import AlertConfig, SeriesState, kind_of
from alerts.bands import hour_due
from streams.engine.positions import SourcePositions
from streams.engine.runs import Record
from streams.errors import check_version
from streams.records import MentionBatch

__all__ = [
    "COPIES_PREFIX",
    "LIMIT_PREFIX",
    "PARTITION_KEY",
    "SERIES_PREFIX",
    "KeptLimits",
    "PartitionRow",
    "Series",
    "SeriesRow",
    "changelogs_of",
    "progress_by_partition",
    "progress_of",
    "watched_key",
]

PARTITION_KEY = "p"
SERIES_PREFIX = "s/"
COPIES_PREFIX = "c/"
LIMIT_PREFIX = "t/"

ROW_VERSION = 4


class PartitionRow(msgspec.Struct):
    """What a mentions partition remembers as a whole; written after the series rows that it speaks for."""

    own_offset: int = -1
    positions: SourcePositions = msgspec.field(default_factory=SourcePositions)
    progress: dict[int, int] = msgspec.field(default_factory=dict)
    partitions: int = 1
    tick_ms: int = 0
    streams: dict[str, bytes] = msgspec.field(default_factory=dict)  # what all series share, by signal
    version: int = ROW_VERSION
    epochs: list[str] = msgspec.field(default_factory=list)  # of the own topic, in the order first seen
    promotion: int = 0  # the latest promotion whose mentions came
    cut_ms: int = 0  # up to here all is in the baselines that were prepared for it
    copies_part: int = 0  # the one of the parts "c/…" that grows

    @classmethod
    def restored(cls, row: bytes | None) -> Self:
        """From the row of key `PARTITION_KEY`, None where there is none yet.

        Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`.
        """
        found = msgspec.msgpack.decode(row, type=cls) if row else cls()
        check_version("the state of a mentions partition", found.version, ROW_VERSION)
        return found

    def hear(self, batch: MentionBatch, latest_ms: int | None = None) -> None:
        """Take over how far the source partition has come, at most `latest_ms`; its progress never goes back."""
        self.partitions = batch.partitions
        progress_ms = batch.progress_ms if latest_ms is None else min(batch.progress_ms, latest_ms)
        known = self.progress.get(batch.partition)
        if known is None or progress_ms > known:
            self.progress[batch.partition] = progress_ms

    def encoded(self) -> bytes:
        return _encoder.encode(self)


class KeptLimits:
    """The limits of event time that held for records which claimed more, by own offset.

    A limit follows the wall clock, and a redo has a later one. The ticks that a record closes must not depend on that,
    so a limit that took effect is written down before anything else of its run, and a redo takes it from there.
    """

    def __init__(self) -> None:
        self._limits: dict[int, int] = {}
        self._fresh: list[int] = []

    def restore(self, key: str, row: bytes) -> None:
        self._limits[int(key.removeprefix(LIMIT_PREFIX))] = msgspec.msgpack.decode(row, type=int)

    def get(self, own: int) -> int | None:
        return self._limits.get(own)

    def keep(self, own: int, latest_ms: int) -> None:
        self._limits[own] = latest_ms
        self._fresh.append(own)

    def take_rows(self) -> dict[str, bytes]:
        """Those kept since the last call."""
        fresh, self._fresh = self._fresh, []
        return {f"{LIMIT_PREFIX}{own}": _encoder.encode(self._limits[own]) for own in fresh}

    def take_spent(self, own_offset: int) -> list[str]:
        """The rows that the partition row has passed."""
        spent = [own for own in self._limits if own <= own_offset]
        for own in spent:
            del self._limits[own]
        return [f"{LIMIT_PREFIX}{own}" for own in spent]


class SeriesRow(msgspec.Struct, array_like=True):
    """A series' row. What must be known of all series at a restart stands before the state, which is read later.

    `promotion` is the promotion whose baselines it has; from the tick `forgotten_ms` on the series is as good as new.
    `hour_ms` is the end of the hour that is to be reported on, 0 where none is.
    """

    version: int
    promotion: int
    forgotten_ms: int
    is_open: bool
    state: msgspec.Raw
    hour_ms: int = 0

    @classmethod
    def of(cls, row: bytes) -> Self:
        """Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`."""
        found: Self = _series.decode(row)
        check_version("the state of a series", found.version, ROW_VERSION)
        return found


_series: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(SeriesRow)
_encoder = msgspec.msgpack.Encoder()


def progress_of(row: bytes) -> dict[int, int]:
    """Source partition to its progress in ms, from a row of key `PARTITION_KEY`; raises `msgspec.DecodeError`."""
    return msgspec.msgpack.decode(row, type=PartitionRow).progress


def changelogs_of(names: Iterable[str]) -> list[str]:
    """Returns those of the topics of the group `watch` that hold its rows."""
    return [name for name in names if name.endswith("-changelog")]


def progress_by_partition(changelog: Iterable[Record]) -> dict[int, dict[int, int]]:
    """Returns how far each source partition (to ms) had come in each mentions partition that has a row of its own."""
    rows = {record.key: record.value for record in changelog}
    found: dict[int, dict[int, int]] = {}
    for key, row in rows.items():
        partition, _, name = (key or b"").partition(b"|")
        if row and name == PARTITION_KEY.encode():
            found[int(partition)] = progress_of(row)
    return found


def watched_key(signal: str, series: str) -> str:
    """What a series' state for a signal is called: `SIGNAL/SERIES`."""
    return f"{signal}/{series}"


class Series:
    """A series in memory: its state for a signal, and the promotion whose baselines it has."""

    __slots__ = ("kind", "name", "promotion", "signal", "state")

    def __init__(self, key: str, promotion: int, state: SeriesState) -> None:
        self.signal, _, self.name = key.partition("/")
        self.kind = kind_of(self.name)
        self.promotion = promotion
        self.state = state

    @classmethod
    def new(cls, key: str, promotion: int) -> Self:
        """The `watched_key` of a series that was not mentioned yet."""
        return cls(key, promotion, SeriesState())

    @classmethod
    def restored(cls, key: str, row: SeriesRow) -> Self:
        """Raises `alerts.StateError`."""
        return cls(key, row.promotion, SeriesState.from_bytes(bytes(row.state)))

    def encoded(self, config: AlertConfig) -> bytes:
        state = self.state
        row = SeriesRow(
            ROW_VERSION,
            self.promotion,
            state.forgotten_ms(config),
            state.is_open,
            msgspec.Raw(state.to_bytes()),
            hour_due(state) or 0,
        )
        return _encoder.encode(row)
