"""Words of a search text, and how a found title shows them."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["marked", "words_of"]

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def marked(title: str, words: Collection[str]) -> str:
    """The title with each of these words between « and »."""
    return _WORD.sub(lambda match: f"«{match[0]}»" if match[0].lower() in words else match[0], title)
