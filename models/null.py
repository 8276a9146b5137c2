"""The classifier that costs nothing."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.classifier import Probabilities
from models.spans import Places


class NullClassifier:
    """Gives each text scores drawn from its hash: no model, no meaning, the same every time.

    For measuring everything around a model, and for tests.
    """

    def __init__(self, labels: Mapping[str, tuple[str, ...]], *, name: str = "null", version: str = "1") -> None:
        self.name = name
        self.version = version
        self.labels = dict(labels)
        self.entity_labels: Mapping[str, tuple[str, ...]] = {}

    def classify(
        self,
        texts: Sequence[str],
        entities: Places | None = None,  # noqa: ARG002  # it judges whole texts alone
    ) -> Mapping[str, Probabilities]:
        """Returns for each head pseudo-probabilities, float32 [texts, labels], in the order of `texts`."""
        digests = b"".join(_digest(text) for text in texts)
        seeds = np.frombuffer(digests, dtype=np.uint64)[:, np.newaxis]
        scores = {}
        for number, (head, labels) in enumerate(self.labels.items(), start=1):
            columns = np.arange(1, len(labels) + 1, dtype=np.uint64) * np.uint64(2 * number + 1)
            drawn = 1.0 + (_mixed(seeds + columns) >> np.uint64(40)).astype(np.float64)
            scores[head] = (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)
        return scores

    def close(self) -> None:
        """Nothing to free."""


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatters numbers over 64 bits (the finaliser of SplitMix64; Steele, Lea, Flood, OOPSLA 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
