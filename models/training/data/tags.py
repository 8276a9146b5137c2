"""From places in a text to places among its tokens, and to the tags O, B and I of its words (Ramshaw and Marcus 1995).

Only a word's first piece carries its tag; its other pieces and the special tokens are `UNKNOWN` and teach nothing.
"""

from collections.abc import Sequence

from models.spans import Span
from models.training.data.example import UNKNOWN

__all__ = ["bio_tags", "touched"]

Offsets = Sequence[tuple[int, int]]

_OUTSIDE, _BEGIN, _INSIDE = 0, 1, 2


def touched(offsets: Offsets, span: Span) -> list[int]:
    """Returns which tokens touch `span`; all of them when none does (its entity was cut off, or is not there).

    The same rule reads a verdict off a shipped model (`models.token_heads`).
    """
    hit = [number for number, (start, end) in enumerate(offsets) if max(start, span.start) < min(end, span.end)]
    return hit or list(range(len(offsets)))


def bio_tags(word_ids: Sequence[int | None], offsets: Offsets, names: Sequence[Span]) -> list[int]:
    """Returns each token's tag as a number, `UNKNOWN` for all but a word's first piece.

    `names` do not overlap. `word_ids` and `offsets` are the tokenizer's, one a token.
    """
    tags = []
    before: int | None = None
    inside: Span | None = None
    for word, (start, end) in zip(word_ids, offsets, strict=True):
        if word is None or word == before:
            tags.append(UNKNOWN)
        else:
            name = next((span for span in names if max(start, span.start) < min(end, span.end)), None)
            tags.append(_OUTSIDE if name is None else _INSIDE if name == inside else _BEGIN)
            inside = name
        before = word
    return tags
