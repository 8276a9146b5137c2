"""A part of what a partition remembers of copies, and its row: 10 bytes a key.

    row    version, n, late, opened (s), first second | key * n | second - first * n | (key, second, tick) * late

A key counts at the tick after its second, but for a mention that came late: there the tick is written too. So a row
that is ahead can be cut back to any tick.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from alerts.errors import StateError

__all__ = ["Part", "packed", "unpacked"]

COPIES_VERSION: Final = 1
_HEAD = struct.Struct("<IIIIQ")
_LATE = struct.Struct("<QII")


@dataclass(slots=True)
class Part:
    """Keys with the second at which each was counted; `late` has the tick (s) of those that came late.

    `opened_ms` is the tick of the first key, 0 before there is one.
    """

    opened_ms: int = 0
    seconds: dict[int, int] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        return max(self.seconds.values())

    def until(self, tick_ms: int) -> Part:
        """What of it was counted when the tick was closed."""
        tick = tick_ms // 1000
        late = {key: counted for key, counted in self.late.items() if counted <= tick}
        kept = {
            key: second
            for key, second in self.seconds.items()
            if (key in late if key in self.late else second * 1000 < tick_ms)
        }
        return Part(self.opened_ms if kept else 0, kept, late)


def packed(part: Part) -> bytes:
    """The part's row."""
    timely = {key: second for key, second in part.seconds.items() if key not in part.late}
    count, base = len(timely), min(timely.values(), default=0)
    seconds = np.fromiter(timely.values(), np.int64, count) - base
    keys = np.fromiter(timely.keys(), np.uint64, count)
    late = b"".join(_LATE.pack(key, part.seconds[key], tick) for key, tick in part.late.items())
    head = _HEAD.pack(COPIES_VERSION, count, len(part.late), part.opened_ms // 1000, base)
    return head + keys.tobytes() + seconds.astype(np.uint16).tobytes() + late


def unpacked(row: bytes) -> Part:
    """The part of a row. Raises `StateError` when it is damaged or of another version."""
    try:
        version, count, late_count, opened, base = _HEAD.unpack_from(row)
    except struct.error as error:
        raise StateError(f"the memory of copies is damaged: {error}") from None
    if version != COPIES_VERSION:
        raise StateError(f"the memory of copies has version {version}, this moodwire reads {COPIES_VERSION}")
    end = _HEAD.size + 10 * count
    if len(row) != end + _LATE.size * late_count:
        raise StateError(f"the memory of copies is damaged: {len(row)} bytes for {count} and {late_count} keys")
    keys = np.frombuffer(row, np.uint64, count, _HEAD.size).tolist()
    seconds = (np.frombuffer(row, np.uint16, count, _HEAD.size + 8 * count).astype(np.int64) + base).tolist()
    part = Part(opened * 1000, dict(zip(keys, seconds, strict=True)))
    for key, second, tick in _LATE.iter_unpack(row[end:]):
        part.seconds[key] = second
        part.late[key] = tick
    return part
