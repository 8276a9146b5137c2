"""Words in the place of like words: new texts about which the teachers alone know anything.

Like words are neighbours among an encoder's word vectors, where "rises" is near "falls" as well as near "climbs":
such a text keeps none of its labels. (Jiao et al. 2020, arXiv 1909.10351, do so before they distil.)
"""

import random
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.training.data.example import Example

__all__ = ["Synonyms", "cased", "with_synonyms"]

REPLACED = 0.25
"""Of a text's words that have like ones, where some are replaced."""

_LIKE = 12
_LEAST_LETTERS = 3
_WORD = re.compile(r"[A-Za-z]+")


class Synonyms:
    """The whole words of a vocabulary, and for each the few nearest by the cosine of their vectors."""

    def __init__(self, pieces: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        """Takes `pieces` and their `vectors`, float32 [pieces, width]; word pieces and short words are passed over."""
        rows = [row for row, piece in enumerate(pieces) if len(piece) >= _LEAST_LETTERS and _WORD.fullmatch(piece)]
        self._words = [pieces[row] for row in rows]
        self._row_of = {word: row for row, word in enumerate(self._words)}
        found = vectors[rows]
        self._unit = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
        self._found: dict[str, list[str]] = {}

    def of(self, word: str) -> list[str]:
        """Returns the words most like `word`, nearest first; none when it is unknown."""
        if word not in self._row_of:
            return []
        if word not in self._found:
            near = np.argsort(-(self._unit @ self._unit[self._row_of[word]]), kind="stable")[: _LIKE + 1]
            self._found[word] = [self._words[row] for row in near if self._words[row] != word][:_LIKE]
        return self._found[word]


def with_synonyms(example: Example, like: Synonyms, chance: random.Random) -> Example:
    """Returns the example with some of its words replaced by like ones, and all that was known of it gone.

    The same example when none was replaced.
    """

    def other(found: re.Match[str]) -> str:
        word = found.group()
        near = like.of(word.lower()) if chance.random() < REPLACED else []
        return cased(chance.choice(near), word) if near else word

    text = _WORD.sub(other, example.text)
    return example if text == example.text else Example(text, source=example.source)


def cased(word: str, like: str) -> str:
    """Returns the word in the case of another: Capitalised, CAPITALS or as it is."""
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
