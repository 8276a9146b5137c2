"""Labelled sets: texts with the right label of each, or with the names in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from models.classifier import Classifier, Probabilities
from models.errors import ModelError
from models.evaluation.scores import Labels
from models.spans import Span

__all__ = ["LabelledNames", "LabelledSet"]


@dataclass(frozen=True, slots=True)
class LabelledNames:
    """Texts, `normalise`d, and the places of all names in each."""

    name: str
    texts: Sequence[str]
    names: Sequence[Sequence[Span]]


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Rows of one head. Labels are names, because a model has an order of its own.

    `entities`, where the head judges an entity of the text, holds the entity's place in each text, which is
    then `normalise`d; `sources`, where known, says where each text came from. Both are empty or as long as `texts`.
    """

    name: str
    head: str
    texts: Sequence[str]
    labels: Sequence[str]
    sources: Sequence[str] = ()
    entities: Sequence[Span] = ()

    def __post_init__(self) -> None:
        for column in ("labels", "sources", "entities"):
            length = len(getattr(self, column))
            if length != len(self.texts) and (length or column == "labels"):
                raise ValueError(f"set {self.name}: {len(self.texts)} texts but {length} {column}")

    def first(self, rows: int) -> Self:
        """Returns the first `rows` rows."""
        columns = ("texts", "labels", "sources", "entities")
        return replace(self, **{column: getattr(self, column)[:rows] for column in columns})

    def known(self, classifier: Classifier) -> tuple[str, ...]:
        """Returns the classifier's labels of the set's head; raises `ModelError` when it has no such head."""
        heads = {**classifier.labels, **classifier.entity_labels}
        if self.head not in heads:
            raise ModelError(f"set {self.name} is for the head {self.head!r}; {classifier.name} has {', '.join(heads)}")
        return heads[self.head]

    def numbers(self, classifier: Classifier) -> Labels:
        """Returns the right labels as the classifier counts them, int64 [rows].

        Raises `ModelError` when the head or a label is none of the classifier's.
        """
        known = self.known(classifier)
        unknown = sorted(set(self.labels) - set(known))
        if unknown:
            raise ModelError(
                f"set {self.name} has labels that the head {self.head!r} of {classifier.name} does not: "
                f"{', '.join(unknown)}; correct the set's label map"
            )
        return np.array([known.index(label) for label in self.labels], np.int64)

    def answers(self, classifier: Classifier) -> Probabilities:
        """Returns the classifier's probabilities of the set's head, float32 [rows, labels]."""
        if self.entities and self.head not in classifier.entity_labels:
            raise ModelError(f"set {self.name} judges entities, which {classifier.name} does not")
        return classifier.classify(self.texts, [[span] for span in self.entities] or None)[self.head]

    def shown(self, row: int) -> str:
        """Returns the row's text for a reader, with the entity that is judged."""
        text = self.texts[row]
        return f"[{text[self.entities[row].start : self.entities[row].end]}] {text}" if self.entities else text
