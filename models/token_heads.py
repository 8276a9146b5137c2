"""What is read off single tokens: the verdict on an entity, and the names in a text.

A network with an `entity` head answers for each token t the logits W1·h(t) + W2·mean + b, where h are the token
vectors and mean is theirs over the text. The head being linear, the mean of these over an entity's tokens is its
verdict on [mean of the entity ; mean of the text]: any number of entities from one pass, and no further input.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from models.spans import Name, Span

__all__ = ["names_of", "span_logits"]

Logits = npt.NDArray[np.float64]


def span_logits(tokens: Logits, offsets: Sequence[tuple[int, int]], span: Span) -> Logits:
    """Returns the mean of `tokens`, float64 [tokens, labels], over those that touch `span`, float64 [labels].

    `offsets` are each token's first and last character. A span that no token touches, because it is empty or
    lies behind the last token kept, gets the mean over all: the text as a whole.
    """
    touched = [max(start, span.start) < min(end, span.end) for start, end in offsets]
    mean: Logits = tokens[touched].mean(axis=0) if any(touched) else tokens.mean(axis=0)
    return mean


def names_of(text: str, encoding: Any, probabilities: npt.NDArray[np.float32]) -> list[Name]:
    """Returns the names in `text` by the tags O, B, I of its tokens, float32 [tokens, 3], in order.

    A word has the tag of its first piece. An I that follows no B begins a name: an honest guess (the IOB2
    reading of Tjong Kim Sang and Buchholz 2000).
    """
    names: list[Name] = []
    opened = False
    for span, tags in _words(encoding, probabilities):
        tag = int(tags.argmax())
        sure = float(tags[tag])
        if tag == 2 and opened:
            last = names.pop()
            joined = Span(last.span.start, span.end)
            names.append(Name(text[joined.start : joined.end], joined, min(last.probability, sure)))
        elif tag:
            names.append(Name(text[span.start : span.end], span, sure))
        opened = tag != 0
    return names


def _words(encoding: Any, probabilities: npt.NDArray[np.float32]) -> Iterator[tuple[Span, npt.NDArray[np.float32]]]:
    pieces = zip(encoding.word_ids, encoding.offsets, probabilities, strict=True)
    for word, group in groupby(pieces, key=lambda piece: piece[0]):
        if word is not None:
            members = list(group)
            yield Span(members[0][1][0], members[-1][1][1]), members[0][2]
