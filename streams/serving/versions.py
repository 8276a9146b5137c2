"""Which version scores which offsets of a source partition. Pure; one row of the stage `score` a partition.

    epoch ─► [offset 0 ─► active models, offset 4,711 ─► other ones, …]

A line of the row, once an offset under it may have been scored, never changes. So other models begin at an offset
that no worker can have scored: see `streams.serving.swap`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from streams.errors import check_version

__all__ = ["ActiveModels", "Line", "VersionRow"]

ROW_VERSION = 2

LINES_KEPT = 32
"""Lines of an epoch: older ones speak for offsets that were committed long ago."""

EPOCHS_KEPT = 4


class ActiveModels(msgspec.Struct, frozen=True):
    """What scores: the model (name, version) of each language, and the watchlists that people changed.

    `promotion` is the number of the one that made it so, 0: the profile. `lists` is the digest of the watchlists
    (`streams.serving.watched`), `lists_change` the number of their change; 0: none was changed.
    """

    models: Mapping[str, tuple[str, str]]
    promotion: int = 0
    lists: str = ""
    lists_change: int = 0

    def follows(self, latest: ActiveModels) -> bool:
        """Whether the models are news: a worker that has not heard of the latest promotion takes none back."""
        is_same = self.promotion == latest.promotion
        return self.promotion > latest.promotion or (is_same and self.models != latest.models)

    def after(self, latest: ActiveModels) -> ActiveModels:
        """Returns what holds after `latest`, where this is wanted: of models and of lists the newer ones."""
        found = self if self.follows(latest) else latest
        newer = self if self.lists_change > latest.lists_change else latest
        return ActiveModels(found.models, found.promotion, newer.lists, newer.lists_change)


class Line(msgspec.Struct, frozen=True, array_like=True):
    """From this offset on, these models and lists."""

    first_offset: int
    active: ActiveModels


class VersionRow(msgspec.Struct):
    """The lines of each epoch of the source topic, in order of their offsets; epochs in the order first seen."""

    epochs: dict[str, list[Line]] = msgspec.field(default_factory=dict)
    version: int = ROW_VERSION

    def latest(self, epoch: str) -> ActiveModels | None:
        """What the newest line says; None when nothing of the epoch was scored yet."""
        lines = self.epochs.get(epoch)
        return lines[-1].active if lines else None

    def covering(self, epoch: str, first_offset: int, last_offset: int) -> Sequence[Line]:
        """The lines that speak for [first_offset, last_offset], in order. The first one speaks for all before, too."""
        lines = self.epochs[epoch]
        starts = [line.first_offset for line in lines]
        begin = max(bisect_right(starts, first_offset) - 1, 0)
        return lines[begin : max(bisect_right(starts, last_offset), begin + 1)]

    def extended(self, epoch: str, first_offset: int, active: ActiveModels) -> VersionRow:
        """Returns a row in which `active` holds for all from `first_offset` on."""
        lines = [line for line in self.epochs.get(epoch, ()) if line.first_offset < first_offset]
        lines.append(Line(first_offset, active))
        epochs = {name: kept for name, kept in self.epochs.items() if name != epoch}
        for name in list(epochs)[: max(0, len(epochs) + 1 - EPOCHS_KEPT)]:
            del epochs[name]
        return VersionRow({**epochs, epoch: lines[-LINES_KEPT:]})

    @property
    def digests(self) -> set[str]:
        """Those of the lists that a line needs."""
        return {line.active.lists for lines in self.epochs.values() for line in lines} - {""}

    def to_bytes(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes | None) -> VersionRow:
        """Raises `NewerVersion`, `OlderVersion`, or `msgspec.MsgspecError` for a damaged one."""
        if data is None:
            return cls()
        row = msgspec.msgpack.decode(data, type=cls)
        check_version("the row of the model's versions", row.version, ROW_VERSION)
        return row
