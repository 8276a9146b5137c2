"""Training rows that give away a held-out text: the same text, or nearly so, links and case aside.

Candidates come from MinHash with locality-sensitive hashing (Broder 1997; Leskovec et al., Mining of Massive
Datasets, ch. 3) over runs of two words; what counts is then their exact Jaccard similarity.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rensa import RMinHash, RMinHashLSH

from models.text import leak_key

__all__ = ["NEAR", "HeldOut", "Leaks", "shingles", "similarity"]

NEAR = 0.7
"""Jaccard similarity from which two texts count as one story. A headline of ten words with one word changed has
0.64 to 0.82; another analyst's call on another company, written after the same pattern, stays below 0.5."""

_PERMUTATIONS = 128
_BANDS = 32
"""With 4 rows a band a pair of similarity 0.7 is found with 99.99 %."""
_SEED = 42
_WORD = re.compile(r"[^\W_]+(?:[.,][0-9]+)*")


@dataclass(frozen=True, slots=True)
class Leaks:
    """What was found among rows: whether each gives away a held-out text, and how."""

    exact: Sequence[bool]
    near: Sequence[bool]

    @property
    def any(self) -> list[bool]:
        """Whether each row leaks, either way."""
        return [one or other for one, other in zip(self.exact, self.near, strict=True)]


class HeldOut:
    """Texts that training must not see, ready to be asked about others."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._keys = {leak_key(text) for text in texts}
        self._shingles = [shingles(key) for key in sorted(self._keys)]
        self._index = RMinHashLSH(threshold=NEAR, num_perm=_PERMUTATIONS, num_bands=_BANDS)
        for number, words in enumerate(self._shingles):
            if words:
                self._index.insert(number, _sketch(words))

    def leaks(self, texts: Iterable[str]) -> Leaks:
        """Returns which of `texts` equal a held-out one, and which others are nearly one."""
        keys = [leak_key(text) for text in texts]
        exact = [key in self._keys for key in keys]
        near = [not same and self._is_near(key) for key, same in zip(keys, exact, strict=True)]
        return Leaks(exact, near)

    def _is_near(self, key: str) -> bool:
        words = shingles(key)
        if not words:
            return False
        return any(similarity(words, self._shingles[number]) >= NEAR for number in self._index.query(_sketch(words)))


def shingles(text: str) -> frozenset[str]:
    """Returns the runs of two words in `text`, without punctuation; the word itself where there is one alone."""
    words = _WORD.findall(text.casefold())
    return frozenset(" ".join(pair) for pair in itertools.pairwise(words)) or frozenset(words)


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Returns the Jaccard similarity: the share of all runs that both have."""
    return len(one & other) / max(1, len(one | other))


def _sketch(words: frozenset[str]) -> RMinHash:
    sketch = RMinHash(num_perm=_PERMUTATIONS, seed=_SEED)
    sketch.update(sorted(words))
    return sketch
