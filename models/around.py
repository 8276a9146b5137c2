"""A classifier around another one, for what watches its calls."""

from collections.abc import Mapping, Sequence

from models.classifier import Classifier, Probabilities
from models.spans import Places


class ClassifierAround:
    """`models.Classifier` that answers as the one inside; a subclass adds to `classify` what it wants to see."""

    def __init__(self, inside: Classifier) -> None:
        self._inside = inside

    @property
    def name(self) -> str:
        """The name of the one inside."""
        return self._inside.name

    @property
    def version(self) -> str:
        """The version of the one inside."""
        return self._inside.version

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of the one inside."""
        return self._inside.labels

    @property
    def entity_labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of the one inside about entities."""
        return self._inside.entity_labels

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        """Returns what the one inside answers."""
        return self._inside.classify(texts, entities)

    def close(self) -> None:
        """Closes the one inside."""
        self._inside.close()
