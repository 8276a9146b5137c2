"""Scripts that put no spaces between words (Chinese and Japanese), and where a name ends in running text."""

from __future__ import annotations

import re

__all__ = ["UNSPACED", "continues", "is_unspaced", "may_be_unspaced"]

UNSPACED = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufa6d\ufa70-\ufad9"
    "\U00020000-\U0002a6df"
)
"""Letters of these scripts, as they are written between brackets of a regular expression."""

_FIRST = "\u3005"
_REACHES_FIRST = re.compile(f"[{_FIRST}-\U0010ffff]").search
_IS_UNSPACED = re.compile(f"[{UNSPACED}]").match


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script without spaces."""
    return character >= _FIRST and _IS_UNSPACED(character) is not None


def may_be_unspaced(text: str) -> bool:
    """Whether a text may hold such characters; a tenth of the time of looking for them (1 µs for 300 characters)."""
    return not text.isascii() and _REACHES_FIRST(text) is not None


def continues(edge: str, neighbour: str) -> bool:
    """Whether `neighbour` continues the word that has `edge` as its first or last character.

    A letter or digit does, unless either is of a script without spaces: names are found in 贵州茅台股价, Apple股价.
    """
    return neighbour.isalnum() and not (is_unspaced(edge) or is_unspaced(neighbour))
