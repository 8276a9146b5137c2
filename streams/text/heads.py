"""What a profile says is scored and counted: heads, signals and kinds of series, as data; checked once, at start-up.

heads      what the classifier answers: the labels of each head, and for one with a direction each label's value
signals    what is counted: some labels of a head, by the largest label or from a least probability on
series     where it is counted: kinds, and what the series of each are made of
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from streams.userfiles import Keys, Mistake, suggestion

__all__ = [
    "HEAD_LABEL",
    "Head",
    "Judges",
    "Of",
    "SeriesKind",
    "Signal",
    "declaration_mistakes",
    "lacking_labels",
    "unknown",
]

HEAD_LABEL: Final = "/"
"""Between a head's name and that of a label that users added to it: `topic/Lawsuit`."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


class Judges(StrEnum):
    """What a head judges."""

    TEXT = "text"
    ENTITY = "entity"


class Of(StrEnum):
    """What the series of a kind are made of."""

    EVERYTHING = "everything"
    SOURCE = "source"
    ENTITIES = "entities"
    WATCHLISTS = "watchlists"
    LABELS = "labels"


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A head of the classifier. Without `labels` it answers whatever the classifier was trained on.

    `values` give each label a place between -1 and 1 (0 where it is not named), and so an item a score. With
    `probabilities` those of all `labels` are kept; they are for a head that a signal uses as well.
    """

    labels: tuple[str, ...] = ()
    values: dict[str, Annotated[float, Meta(ge=-1, le=1)]] = {}
    judges: Judges = Judges.TEXT
    probabilities: bool = False

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what its types cannot say."""
        if len(set(self.labels)) < len(self.labels):
            yield ("labels",), "names a label twice; name each once"
        for label in self.values:
            yield from unknown(("values",), label, self.labels)
        if self.probabilities and not self.labels:
            yield ("labels",), "is empty; list the labels of which the probabilities are kept"


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is counted: items to which `head` gives one of `labels`, the largest of all, or those labels together at
    least the probability `least`. Where the series is an entity that `entity_head` has judged, that head speaks.

    `words` are what people call it, by language.
    """

    head: str
    labels: Annotated[tuple[str, ...], Meta(min_length=1)]
    least: Annotated[float, Meta(gt=0, le=1)] | None = None
    entity_head: str | None = None
    words: dict[str, str] = {}

    @property
    def heads(self) -> tuple[str, ...]:
        return (self.head, self.entity_head) if self.entity_head else (self.head,)


class SeriesKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of series; `head` is the one of which the labels are, where it is made of labels.

    `label` is what people call the series of the kind, such as `Companies`; by default its name.
    """

    of: Of
    head: str | None = None
    label: str = ""

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what its types cannot say."""
        if (self.of is Of.LABELS) != (self.head is not None):
            yield ("head",), "goes with `of: labels`, which needs it; correct one of them"


def declaration_mistakes(
    heads: Mapping[str, Head], signals: Mapping[str, Signal], series: Mapping[str, SeriesKind]
) -> Iterator[Mistake]:
    """Yields what does not fit together."""
    if not heads:
        yield ("heads",), "is empty; name at least one head of the classifier"
    if not signals:
        yield ("signals",), "is empty; name at least one, such as {head: HEAD, labels: [LABEL]}"
    if not series:
        yield ("series",), "is empty; name at least one kind, such as all: {of: everything}"
    for section, named in (("heads", heads), ("signals", signals), ("series", series)):
        for name in named:
            if not _NAME.fullmatch(name):
                yield (
                    (section, name),
                    "is no name: take 1 to 50 lower-case letters (a to z), digits, '-' and '_'",
                )
    for name, signal in signals.items():
        yield from _of_signal(name, signal, heads)
    of_texts = [name for name, head in heads.items() if head.judges is Judges.TEXT]
    for name, kind in series.items():
        if kind.head is not None:
            yield from unknown(("series", name, "head"), kind.head, of_texts)


def _of_signal(name: str, signal: Signal, heads: Mapping[str, Head]) -> Iterator[Mistake]:
    for field, head, judges in (("head", signal.head, Judges.TEXT), ("entity_head", signal.entity_head, Judges.ENTITY)):
        if head is None:
            continue
        yield from unknown(("signals", name, field), head, [one for one, of in heads.items() if of.judges is judges])
        for label in signal.labels if head in heads else ():
            yield from unknown(("signals", name, "labels"), label, heads[head].labels)


def unknown(keys: Keys, name: str, names: Iterable[str]) -> Iterator[Mistake]:
    """Yields the mistake where `name` is none of `names`; it says which may have been meant."""
    names = list(names)
    if name not in names:
        yield keys, f"there is no {name!r}; {suggestion(name, names)}"


def lacking_labels(heads: Mapping[str, Head], answered: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Returns by head the labels that a profile declares and a classifier which has the head does not give."""
    found = {name: set(head.labels) - set(answered[name]) for name, head in heads.items() if name in answered}
    return {name: sorted(labels) for name, labels in found.items() if labels}
