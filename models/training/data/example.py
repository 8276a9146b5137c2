"""One text with all that is known about it, for every head."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.spans import Span

__all__ = ["UNKNOWN", "EntityLabel", "Example"]

UNKNOWN = -100
"""Marks what a row says nothing about; cross entropy leaves it out (torch's `ignore_index`)."""


@dataclass(frozen=True, slots=True)
class EntityLabel:
    """The verdict on one entity: where it is in the text, and the number of its label."""

    span: Span
    label: int


@dataclass(frozen=True, slots=True)
class Example:
    """A normalised text and its labels by head; a head that is missing in `labels` is not known.

    `entities` holds verdicts by head. `names` are the places of all names in the text, None where they
    were not marked. `weights` say how much a head's label counts; 1 where missing. `settled` labels hold whatever a
    teacher thinks.
    """

    text: str
    labels: Mapping[str, int] = field(default_factory=dict)
    entities: Mapping[str, tuple[EntityLabel, ...]] = field(default_factory=dict)
    names: tuple[Span, ...] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    settled: bool = False
