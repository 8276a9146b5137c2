"""What a profile says is scored and counted: heads, signals and kinds of series, as data; checked once, at start-up.

heads      what the classifier answers: the labels of each head, and for one with a direction each label's value
signals    what is counted: some labels of a head, by the largest label or from a least probability on
series     where it is counted: kinds, and what the series of each are made of
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

import msgspec

from streams.errors import SettingsError

__all__ = [
    "HEAD_LABEL",
    "Head",
    "Judges",
    "Of",
    "SeriesKind",
    "Signal",
    "check_declarations",
    "check_known",
    "lacking_labels",
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
    values: dict[str, float] = {}
    judges: Judges = Judges.TEXT
    probabilities: bool = False


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is counted: items to which `head` gives one of `labels`, the largest of all, or those labels together at
    least the probability `least`. Where the series is an entity that `entity_head` has judged, that head speaks.

    `words` are what people call it, by language.
    """

    head: str
    labels: tuple[str, ...]
    least: float | None = None
    entity_head: str | None = None
    words: dict[str, str] = {}

    @property
    def heads(self) -> tuple[str, ...]:
        return (self.head, self.entity_head) if self.entity_head else (self.head,)


class SeriesKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of series; `head` is the one of which the labels are, where it is made of labels."""

    of: Of
    head: str | None = None


def check_declarations(
    heads: Mapping[str, Head], signals: Mapping[str, Signal], series: Mapping[str, SeriesKind], path: str
) -> None:
    """Raises `SettingsError` naming file, key and fix for what does not fit together."""
    check = _Check(path)
    check.some("heads", heads, "name at least one head of the classifier")
    check.some("signals", signals, "name at least one, such as {head: HEAD, labels: [LABEL]}")
    check.some("series", series, "name at least one kind, such as all: {of: everything}")
    for name, head in heads.items():
        check.name(f"heads.{name}", name)
        check.head(f"heads.{name}", head)
    for name, signal in signals.items():
        check.name(f"signals.{name}", name)
        check.signal(f"signals.{name}", signal, heads)
    for name, kind in series.items():
        check.name(f"series.{name}", name)
        check.series(f"series.{name}", kind, heads)


def check_known(path: str, key: str, name: str, names: Iterable[str]) -> None:
    """Raises `SettingsError` where `name` is none of `names`; it says which may have been meant."""
    names = list(names)
    if name in names:
        return
    near = get_close_matches(name, names, 1)
    meant = f"did you mean {near[0]!r}?" if near else f"take one of {', '.join(names) or '(none is declared)'}"
    raise SettingsError(f"{path}: {key}: there is no {name!r}; {meant}")


def lacking_labels(heads: Mapping[str, Head], answered: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Returns by head the labels that a profile declares and a classifier which has the head does not give."""
    found = {name: set(head.labels) - set(answered[name]) for name, head in heads.items() if name in answered}
    return {name: sorted(labels) for name, labels in found.items() if labels}


class _Check:
    """The checks of one file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _fail(self, key: str, problem: str) -> None:
        raise SettingsError(f"{self._path}: {key}: {problem}")

    def some(self, key: str, found: Mapping[str, object], fix: str) -> None:
        if not found:
            self._fail(key, f"is empty; {fix}")

    def name(self, key: str, name: str) -> None:
        if not _NAME.fullmatch(name):
            self._fail(key, "is no name: take 1 to 50 lower-case letters (a to z), digits, '-' and '_'")

    def known(self, key: str, name: str, names: Iterable[str]) -> None:
        check_known(self._path, key, name, names)

    def head(self, key: str, head: Head) -> None:
        if len(set(head.labels)) < len(head.labels):
            self._fail(f"{key}.labels", "names a label twice; name each once")
        for label, value in head.values.items():
            self.known(f"{key}.values", label, head.labels)
            if not -1.0 <= value <= 1.0:
                self._fail(f"{key}.values.{label}", f"{value:g} is outside -1 to 1; write a number between them")
        if head.probabilities and not head.labels:
            self._fail(f"{key}.labels", "is empty; list the labels of which the probabilities are kept")

    def signal(self, key: str, signal: Signal, heads: Mapping[str, Head]) -> None:
        for field, name, judges in (("head", signal.head, Judges.TEXT), ("entity_head", signal.entity_head, "entity")):
            if name is None:
                continue
            self.known(f"{key}.{field}", name, [known for known, head in heads.items() if head.judges == judges])
            for label in signal.labels:
                self.known(f"{key}.labels", label, heads[name].labels)
        self.some(f"{key}.labels", dict.fromkeys(signal.labels), "list the labels that count")
        if signal.least is not None and not 0.0 < signal.least <= 1.0:
            self._fail(f"{key}.least", f"{signal.least:g} is outside 0 to 1; write a probability, or leave it out")

    def series(self, key: str, kind: SeriesKind, heads: Mapping[str, Head]) -> None:
        if (kind.of is Of.LABELS) != (kind.head is not None):
            self._fail(f"{key}.head", "goes with `of: labels`, which needs it; correct one of them")
        if kind.head is not None:
            self.known(f"{key}.head", kind.head, [name for name, head in heads.items() if head.judges is Judges.TEXT])
