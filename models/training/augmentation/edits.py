"""New texts from labelled ones, for a student to learn from: other names, no ticker, fewer words.

A sentence's sentiment does not depend on whose name is in it, so a text with another name keeps its labels; what it
is about may (a bank, a metal), so the topic of a text with another name is the teachers' to say. Of a text that lacks
words all is: teachers have never read it, so they answer with what they know and not with what they remember (on such
texts a student learns more, Jiao et al. 2020, arXiv 1909.10351, there with other words in the place of some).
"""

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from models.spans import Span
from models.text import leak_key
from models.training.data.example import EntityLabel, Example
from models.training.data.leaks import HeldOut

__all__ = [
    "Augmentation",
    "edited",
    "name_pool",
    "only_new",
    "unleaked",
    "with_other_names",
    "without_ticker",
    "without_words",
]

Augmentation = str

_TICKER = re.compile(r"^(?:\$[A-Z.]{1,6}\s?)+\s*[-:–—]\s*")
"""`$ALLY - Ally Financial pulls outlook`: most tweets of the sets begin so, few headlines do."""

LEFT_OUT = 0.15
"""Of a text's words, where some are left out."""

_LEAST_WORDS = 5


def edited(
    examples: Sequence[Example],
    kinds: Mapping[Augmentation, float],
    held_out: HeldOut,
    chance: random.Random,
    kept_heads: Collection[str],
) -> list[Example]:
    """Returns new examples: for each kind of `kinds` its share of the examples that it can change.

    A text with other names keeps its labels of `kept_heads` alone. None of them gives away a held-out text.
    """
    pool = name_pool(examples)
    made = [new for example in examples for new in _changed(example, kinds, pool, chance, kept_heads)]
    fewer = kinds.get("words", 0.0)
    made += [without_words(example, chance) for example in examples if fewer and chance.random() < fewer]
    return only_new(made, examples, held_out)


def only_new(made: Sequence[Example], examples: Sequence[Example], held_out: HeldOut) -> list[Example]:
    """Returns those of `made` whose text none of the `examples` has, and that give away no held-out text."""
    known = {leak_key(example.text) for example in examples}
    return unleaked([one for one in made if one.text and leak_key(one.text) not in known], held_out)


def unleaked(examples: Sequence[Example], held_out: HeldOut) -> list[Example]:
    """Returns the examples that give away no held-out text."""
    leaks = held_out.leaks(one.text for one in examples).any
    return [one for one, leaked in zip(examples, leaks, strict=True) if not leaked]


def name_pool(examples: Sequence[Example]) -> list[str]:
    """Returns the capitalised names that the examples mark, each once, in order."""
    found = (example.text[span.start : span.end] for example in examples for span in example.names or ())
    return list(dict.fromkeys(name for name in found if name[:1].isupper()))


def with_other_names(
    example: Example, pool: Sequence[str], chance: random.Random, kept_heads: Collection[str]
) -> Example:
    """Returns the example with each of its names replaced by another of `pool`, its places moved along.

    Of its labels those of `kept_heads` stay.
    """
    new: dict[Span, str] = {span: chance.choice(pool) for span in example.names or ()}
    text, moved, shift, before = "", {}, 0, 0
    for span, name in sorted(new.items(), key=lambda pair: pair[0].start):
        text += example.text[before : span.start] + name
        start = span.start + shift
        moved[span] = Span(start, start + len(name))
        shift += len(name) - (span.end - span.start)
        before = span.end
    text += example.text[before:]
    verdicts = {
        head: tuple(EntityLabel(moved.get(one.span, Span(0, 0)), one.label) for one in each)
        for head, each in example.entities.items()
        if all(one.span in moved for one in each)
    }
    labels = {head: label for head, label in example.labels.items() if head in kept_heads}
    return replace(example, text=text, labels=labels, entities=verdicts, names=tuple(moved.values()))


def without_ticker(example: Example) -> Example:
    """Returns the example without the tickers that it begins with; the same when there are none."""
    text = _TICKER.sub("", example.text)
    return example if example.names is not None else replace(example, text=text)


def without_words(example: Example, chance: random.Random) -> Example:
    """Returns the example without some of its words and all that was known of it; the same when it has too few."""
    words = example.text.split(" ")
    kept = [word for word in words if chance.random() >= LEFT_OUT]
    return Example(" ".join(kept), source=example.source) if len(kept) >= _LEAST_WORDS else example


def _changed(
    example: Example,
    kinds: Mapping[Augmentation, float],
    pool: Sequence[str],
    chance: random.Random,
    kept_heads: Collection[str],
) -> Iterator[Example]:
    if example.names and len(pool) > 1 and chance.random() < kinds.get("names", 0.0):
        yield with_other_names(example, pool, chance, kept_heads)
    if chance.random() < kinds.get("ticker", 0.0) and _TICKER.match(example.text):
        yield without_ticker(example)
