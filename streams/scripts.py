"""Scripts where words run together, and where a name ends in running text.

UNSPACED   Chinese, Japanese          no spaces: titles are cut anywhere, gazetteers may be written with padding
PAIRED     and Korean                 search goes by pairs of characters: particles follow a word without a space
_RUNNING   and Thai, Lao, Khmer, …    a name may begin and end inside a run of letters
"""

from __future__ import annotations

import re

__all__ = ["PAIRED", "UNSPACED", "continues", "is_paired", "is_unspaced", "may_be_paired"]

UNSPACED = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufa6d\ufa70-\ufad9"
    "\U00020000-\U0002a6df"
)
"""Letters of these scripts, as they are written between brackets of a regular expression."""

PAIRED = f"{UNSPACED}\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
"""Letters of which search takes neighbouring pairs for words: UNSPACED and those of Korean."""

_RUNNING = f"{PAIRED}\u0e01-\u0e4e\u0e81-\u0ecd\u1000-\u109f\u1780-\u17d3"
_FIRST, _FIRST_PAIRED = "\u0e01", "\u1100"
_REACHES_PAIRED = re.compile("[\u1100-\u11ff\u3005-\U0010ffff]").search
_IS_UNSPACED = re.compile(f"[{UNSPACED}]").match
_IS_PAIRED = re.compile(f"[{PAIRED}]").match
_IS_RUNNING = re.compile(f"[{_RUNNING}]").match


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script without spaces."""
    return character >= _FIRST_PAIRED and _IS_UNSPACED(character) is not None


def is_paired(character: str) -> bool:
    """Whether search takes it with its neighbour for a word."""
    return character >= _FIRST_PAIRED and _IS_PAIRED(character) is not None


def may_be_paired(text: str) -> bool:
    """Whether a text may hold such characters; a tenth of the time of looking for them (1 µs for 300 characters)."""
    return not text.isascii() and _REACHES_PAIRED(text) is not None


def continues(edge: str, neighbour: str) -> bool:
    """Whether `neighbour` continues the word that has `edge` as its first or last character.

    A letter or digit does, unless either is of a script where words run together: names are found in 贵州茅台股价,
    Apple股价 and 삼성전자가.
    """
    return neighbour.isalnum() and not (_runs(edge) or _runs(neighbour))


def _runs(character: str) -> bool:
    return character >= _FIRST and _IS_RUNNING(character) is not None
