"""Did you mean …? The one answer to a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest", "suggestion"]


def nearest(written: str, known: Iterable[str]) -> str | None:
    """Returns the known name that is spelt most alike; None if none is alike."""
    close = get_close_matches(written, list(known), 1)
    return close[0] if close else None


def suggestion(written: str, known: Iterable[str], otherwise: str = "", quote: str = "'") -> str:
    """Returns the fix for an unknown name: the one that is spelt alike, or `otherwise`, by default the list of all."""
    names = list(dict.fromkeys(known))
    close = nearest(written, names)
    if close is not None:
        return f"did you mean {quote}{close}{quote}?"
    return otherwise or f"take one of {', '.join(names) or '(none is declared)'}"
