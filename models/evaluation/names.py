"""How well a model finds the names in a text."""

from dataclasses import dataclass

from models.classifier import Classifier, OnnxClassifier
from models.errors import ModelError
from models.evaluation.labelled import LabelledNames

__all__ = ["NamesScore", "score_names"]


@dataclass(frozen=True, slots=True)
class NamesScore:
    """Precision, recall and F1 over whole names: a name counts when both its ends are right (as in CoNLL 2003)."""

    name: str
    texts: int
    names: int
    precision: float
    recall: float
    f1: float


def score_names(classifier: Classifier, one: LabelledNames) -> NamesScore:
    """Compares the names that `classifier` finds with those of the set.

    Raises `ModelError` when it finds none, and `ValueError` for a set without names.
    """
    if not isinstance(classifier, OnnxClassifier):
        raise ModelError(f"set {one.name} asks for names, which {classifier.name} does not find")
    wanted = {(row, span) for row, spans in enumerate(one.names) for span in spans}
    if not wanted:
        raise ValueError(f"set {one.name} holds no names")
    found = {(row, name.span) for row, names in enumerate(classifier.find_names(one.texts)) for name in names}
    hits = len(wanted & found)
    precision, recall = hits / max(1, len(found)), hits / len(wanted)
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return NamesScore(one.name, len(one.texts), len(wanted), precision, recall, f1)
