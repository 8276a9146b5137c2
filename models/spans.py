"""Where an entity is in a text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Name", "Places", "Span", "find_span"]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` up to `end` of a text that `normalise` has cleaned; equal when it is nowhere."""

    start: int
    end: int


Places = Sequence[Sequence[Span]]
"""Where the entities of several texts are, text by text."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name that the model found: where it is, and the least probability of its words' tags."""

    text: str
    span: Span
    probability: float


def find_span(text: str, name: str) -> Span:
    """Returns where `name` first occurs in `text` as words of its own, else as a part of words, case aside.

    >>> find_span("Oreon rises as Ore Ltd falls", "Ore")
    Span(start=15, end=18)
    """
    escaped = re.escape(name.strip())
    for pattern in (rf"(?<!\w){escaped}(?!\w)", escaped):
        found = re.search(pattern, text, re.IGNORECASE)
        if found and found.group():
            return Span(*found.span())
    return Span(0, 0)
