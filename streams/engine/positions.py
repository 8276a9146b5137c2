"""Positions: how `watch` counts every mention once, although a crash makes `score` send some twice.

Two rules (`tests/engine/test_positions_property.py` breaks them on purpose to show that they are needed):

- row rule: a series row remembers the own offset up to which it is applied; older records change nothing in it;
- partition rule: the partition row remembers the own offset up to which all rows are applied and, per source
  partition, the last source offset that was seen; mentions not newer than that are skipped.
"""

from __future__ import annotations

import msgspec

from streams.records import MentionBatch, MentionItem

__all__ = ["SourcePositions"]


class SourcePositions(msgspec.Struct):
    """The last (epoch number, offset) seen of each source partition.

    Epochs are numbered in the order in which they are first seen, so a topic that was deleted and made
    again (offsets from 0) is newer than its predecessor, and what is left of the old one stays old.
    """

    epochs: list[str] = msgspec.field(default_factory=list)
    last: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)

    def fresh(self, batch: MentionBatch) -> tuple[MentionItem, ...]:
        """The batch's items that were not seen before."""
        number = self._number(batch.epoch)
        last_number, last_offset = self.last.get(batch.partition, (-1, -1))
        if number > last_number:
            return batch.items
        if number < last_number:
            return ()
        return tuple(item for item in batch.items if item.offset > last_offset)

    def advance(self, batch: MentionBatch) -> None:
        """Remember the batch as seen."""
        if not batch.items:
            return
        newest = (self._number(batch.epoch), batch.items[-1].offset)
        if newest > self.last.get(batch.partition, (-1, -1)):
            self.last[batch.partition] = newest

    def _number(self, epoch: str) -> int:
        if epoch not in self.epochs:
            self.epochs.append(epoch)
        return self.epochs.index(epoch)
