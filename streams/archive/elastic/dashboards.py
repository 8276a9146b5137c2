"""Dashboards of a profile: the shipped objects of Kibana, filled with its signals and heads.

    deploy/kibana/*.ndjson ─► an object a signal, where it names one ─► words filled in ─► NDJSON that Kibana imports

In the shipped objects words between `@` stand for what a profile says:

    @signal@  @word@  @Word@   a signal's name and what people call it
    @head@  @label@            its head, and the first of the labels that count
    @kind@  @Kind@  @labels@   the first kind of series that is made of labels, and their head
    @first@                    the head of the first signal

An object that names a signal is made for each of them. What needs labels is left out for a profile without such a kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

__all__ = ["ChartedSignal", "Charts", "dashboards_of"]

_OF_A_SIGNAL = ("@signal@", "@word@", "@Word@", "@head@", "@label@")
_OF_LABELS = ("@kind@", "@Kind@", "@labels@")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChartedSignal:
    """A signal: its name, what people call it, its head, and the first of the labels that count."""

    name: str
    word: str
    head: str
    label: str

    def words(self) -> dict[str, str]:
        capital = self.word[:1].upper() + self.word[1:]
        return dict(zip(_OF_A_SIGNAL, (self.name, self.word, capital, self.head, self.label), strict=True))


@dataclass(frozen=True, slots=True)
class Charts:
    """What a profile shows: its signals, at least one, and the kind of series made of labels with its head, if any."""

    signals: tuple[ChartedSignal, ...]
    kind: str = ""
    labels: str = ""

    def words(self) -> dict[str, str]:
        of_labels = (self.kind, self.kind[:1].upper() + self.kind[1:], self.labels)
        named = dict(zip(_OF_LABELS, of_labels, strict=True)) if self.kind else {}
        return {**named, "@first@": self.signals[0].head}


def dashboards_of(ndjson: bytes, charts: Charts) -> bytes:
    """Returns the shipped objects as those of a profile, one a line."""
    made = [one for line in ndjson.splitlines() if line.strip() for one in _filled(line.decode(), charts)]
    left_out = {(one["type"], one["id"]) for one in made if one["type"] == "lens" and _lacks_words(one)}
    kept = [_without(one, left_out) for one in made if (one["type"], one["id"]) not in left_out]
    return b"".join(msgspec.json.encode(one) + b"\n" for one in kept)


def _filled(line: str, charts: Charts) -> Iterator[Json]:
    """The object of a line, or one for each signal."""
    signals = charts.signals if any(word in line for word in _OF_A_SIGNAL) else charts.signals[:1]
    for signal in signals:
        yield msgspec.json.decode(_replaced(line, {**signal.words(), **charts.words()}))


def _replaced(line: str, words: Mapping[str, str]) -> str:
    for word, text in words.items():
        line = line.replace(word, msgspec.json.encode(text).decode()[1:-1])
    return line


def _lacks_words(found: Any) -> bool:
    """Whether a word is left that the profile has nothing for."""
    text = msgspec.json.encode(found).decode()
    return any(word in text for word in _OF_LABELS)


def _without(one: Json, left_out: set[tuple[str, str]]) -> Json:
    """The object without columns, panels and controls that show what is left out."""
    attributes = dict(one["attributes"])
    if one["type"] == "search":
        attributes["columns"] = [name for name in attributes["columns"] if not _lacks_words(name)]
    if one["type"] != "dashboard":
        return one | {"attributes": attributes}
    references = [each for each in one["references"] if (each["type"], each["id"]) not in left_out]
    names = {each["name"] for each in references}
    panels = msgspec.json.decode(attributes["panelsJSON"])
    shown = [each for each in panels if f"{each['panelIndex']}:{each['panelRefName']}" in names]
    attributes["panelsJSON"] = msgspec.json.encode(shown).decode()
    controls, gone = _controls(attributes["controlGroupInput"]["panelsJSON"])
    attributes["controlGroupInput"] = attributes["controlGroupInput"] | {"panelsJSON": controls}
    return one | {"attributes": attributes, "references": [each for each in references if each["name"] not in gone]}


def _controls(panels_json: str) -> tuple[str, set[str]]:
    """The controls whose field the profile has, and the names of the references of the others."""
    panels = msgspec.json.decode(panels_json)
    kept = {name: panel for name, panel in panels.items() if not _lacks_words(panel)}
    gone = {f"controlGroup_{name}:optionsListDataView" for name in panels.keys() - kept.keys()}
    return msgspec.json.encode(kept).decode(), gone
