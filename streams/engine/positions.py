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


MOST_EPOCHS = 64
"""Epochs that are remembered: a topic is seldom made again, and anybody may write a record that names one."""


class SourcePositions(msgspec.Struct):
    """The last offset seen of each source partition, by epoch; the epoch that was heard last stands last.

    Each incarnation of a topic has offsets of its own, so one that was deleted and made again does not look old, and
    a record that names an epoch which never was silences no other.
    """

    last: dict[str, dict[int, int]] = msgspec.field(default_factory=dict)

    def fresh(self, batch: MentionBatch) -> tuple[MentionItem, ...]:
        """The batch's items that were not seen before."""
        last_offset = self.last.get(batch.epoch, {}).get(batch.partition, -1)
        return tuple(item for item in batch.items if item.offset > last_offset)

    def advance(self, batch: MentionBatch) -> None:
        """Remember the batch as seen."""
        if not batch.items:
            return
        offsets = self.last[batch.epoch] = self.last.pop(batch.epoch, {})
        offsets[batch.partition] = max(offsets.get(batch.partition, -1), batch.items[-1].offset)
        if len(self.last) > MOST_EPOCHS:
            del self.last[next(iter(self.last))]
