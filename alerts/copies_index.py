"""Key to the second at which it was counted, for the parts that do not change any more: compact and quick in bulk.

Few keys are held in a dictionary (100 bytes each), many in sorted arrays (12 bytes each). Two arrays of about one size
are merged into one, up to a million keys, so that there are few to search and none takes long to make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["KeyIndex"]

FEW_KEYS: Final = 65_536
"""As many are in the dictionary, 7 MB: a look into an array costs 10 µs for each tick, and quiet streams need none."""

_MOST_MERGED: Final = 1 << 20  # sorting them takes 0.1 s


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Keys in order, each with its second; `newest` is the largest of those."""

    keys: NDArray[np.uint64]
    seconds: NDArray[np.uint32]
    newest: int

    @classmethod
    def of(cls, keys: NDArray[np.uint64], seconds: NDArray[np.uint32], newest: int) -> _Sorted:
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], seconds[order], newest)

    def merged(self, other: _Sorted) -> _Sorted:
        keys, seconds = np.concatenate((self.keys, other.keys)), np.concatenate((self.seconds, other.seconds))
        return _Sorted.of(keys, seconds, max(self.newest, other.newest))


class KeyIndex:
    """`recent` holds the keys of small parts; those of large ones are asked for in bulk, with `found`."""

    __slots__ = ("_small", "_sorted", "recent")

    def __init__(self) -> None:
        self.recent: dict[int, int] = {}
        self._small: list[tuple[int, Mapping[int, int]]] = []
        self._sorted: list[_Sorted] = []

    def add(self, seconds: Mapping[int, int], newest: int) -> None:
        """Takes the keys of a part that does not change any more."""
        if len(self.recent) + len(seconds) <= FEW_KEYS:
            self.recent.update(seconds)
            self._small.append((newest, seconds))
            return
        count = len(seconds)
        made = _Sorted.of(
            np.fromiter(seconds.keys(), np.uint64, count), np.fromiter(seconds.values(), np.uint32, count), newest
        )
        while self._sorted and self._sorted[-1].keys.size <= made.keys.size < _MOST_MERGED:
            made = self._sorted.pop().merged(made)
        self._sorted.append(made)

    def found(self, keys: Sequence[Sequence[int]]) -> dict[int, int]:
        """Those of the keys that are in large parts, each with its latest second."""
        found: dict[int, int] = {}
        if not self._sorted:
            return found
        asked: NDArray[Any] = np.unique(np.fromiter(_flat(keys), np.uint64))
        for run in self._sorted:
            _find(run, asked, found)
        return found

    def expire(self, expired: int) -> None:
        """Drops what was counted up to the second `expired`, as far as all beside it was too."""
        self._sorted = [run for run in self._sorted if run.newest > expired]
        for newest, seconds in self._small:
            if newest <= expired:
                for key, second in seconds.items():
                    if self.recent.get(key) == second:
                        del self.recent[key]
        self._small = [(newest, seconds) for newest, seconds in self._small if newest > expired]

    def __len__(self) -> int:
        return len(self.recent) + sum(run.keys.size for run in self._sorted)


def _flat(keys: Sequence[Sequence[int]]) -> Iterable[int]:
    return (key for of_one in keys for key in of_one)


def _find(run: _Sorted, asked: NDArray[np.uint64], found: dict[int, int]) -> None:
    """The last of equal keys is the one that was added last."""
    at = np.searchsorted(run.keys, asked, side="right")
    hits = np.flatnonzero((at > 0) & (run.keys[at - 1] == asked))
    for key, second in zip(asked[hits].tolist(), run.seconds[at[hits] - 1].tolist(), strict=True):
        found[key] = max(second, found.get(key, 0))
