"""What a classifier promises, and the one that keeps it with an ONNX network.

texts ─ normalise ─ tokenise ─ token_budget_batches ─ network ─ softmax ─> {head: [texts, labels]}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.artifact import NETWORK, TOKENIZER, Artifact, load_artifact
from models.batching import token_budget_batches
from models.errors import ArtifactError
from models.runtime import open_session
from models.text import normalise

Probabilities = npt.NDArray[np.float32]

DEFAULT_TOKEN_BUDGET = 256
"""Tokens a batch, padding counted: about 12 headlines. Measured on one core with calls of 512, 128 and 32
texts, larger batches only padded more (1,024: 7, 13 and 27 % slower) and smaller ones gained nothing; a GPU
wants far more."""

MAX_ROWS = 64


class Classifier(Protocol):
    """Scores texts. Synchronous and thread-safe: call it in a worker thread, off the event loop."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """The model's version: other weights, other version."""

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of each head, in the order of the columns."""

    def classify(self, texts: Sequence[str]) -> Mapping[str, Probabilities]:
        """Return for each head the probabilities, float32 [texts, labels], each row summing to 1.

        Rows stand in the order of `texts`. No text raises, whatever it holds; no texts give arrays of 0 rows.
        """

    def close(self) -> None:
        """Free the model; a later `classify` raises `RuntimeError`."""


class OnnxClassifier:
    """A model artifact run by onnxruntime.

    A score depends on the text alone. On one machine the same text gets the same bits whatever batch it
    came in: the shipped int8 network quantises each token by itself, padding is masked exactly, and the
    softmax is taken row by row in float64. Other processors round otherwise in the last digits.

    >>> with OnnxClassifier.load(shipped("finance-en-minilm-int8")) as model:     # doctest: +SKIP
    ...     model.classify(["Grain trader warns of bankruptcy"])["sentiment"]
    """

    def __init__(self, artifact: Artifact, session: Any, tokenizer: Tokenizer, token_budget: int) -> None:
        self.artifact = artifact
        self._session = session
        self._tokenizer = tokenizer
        self._token_budget = token_budget

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: int = 0,
        providers: Sequence[str] | None = None,
        token_budget: int = DEFAULT_TOKEN_BUDGET,
    ) -> Self:
        """Load the artifact in the folder `path`, check it, and warm it up.

        `threads` is the number of cores to use, 0 all that this process may run on. `providers` are
        onnxruntime's execution providers, best first; those that this machine lacks are passed over and the
        CPU stands last.

        Raises `ArtifactError` when a file is missing, truncated, altered or not what the manifest says, and
        `RuntimeMissingError` without onnxruntime.
        """
        artifact = load_artifact(path)
        session = open_session(artifact, threads, providers)
        _check_heads(artifact, session)
        classifier = cls(artifact, session, _open_tokenizer(artifact), token_budget)
        classifier._warm_up()
        return classifier

    @property
    def name(self) -> str:
        """The artifact's name."""
        return self.artifact.name

    @property
    def version(self) -> str:
        """The artifact's version."""
        return self.artifact.version

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of each head, in the order of the columns."""
        return self.artifact.labels

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, best first."""
        return tuple(self._open_session().get_providers())

    def classify(self, texts: Sequence[str]) -> Mapping[str, Probabilities]:
        """Return each head's probabilities, float32 [texts, labels], in the order of `texts`.

        Copies of a text are scored once.
        """
        session = self._open_session()
        rows: dict[str, int] = {}
        row_of = [rows.setdefault(normalise(text), len(rows)) for text in texts]
        encodings = self._tokenizer.encode_batch_fast(list(rows))
        tokens = [encoding.ids for encoding in encodings]
        logits = {name: np.zeros((len(rows), len(head.labels))) for name, head in self.artifact.heads.items()}
        for batch in token_budget_batches([len(ids) for ids in tokens], self._token_budget, MAX_ROWS):
            answers = session.run(list(logits), padded([tokens[row] for row in batch]))
            for name, answer in zip(logits, answers, strict=True):
                logits[name][batch] = answer
        return {name: softmax(logits[name] / head.temperature)[row_of] for name, head in self.artifact.heads.items()}

    def close(self) -> None:
        """Free the network's memory."""
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_session(self) -> Any:
        if self._session is None:
            raise RuntimeError(f"classifier {self.name} was closed; load it again")
        return self._session

    def _warm_up(self) -> None:
        """Run the smallest and the largest batch, so that the first real one does not pay for allocation."""
        longest = " ".join(["profit"] * self.artifact.max_tokens)
        distinct = [f"{number} {longest}" for number in range(self._token_budget // self.artifact.max_tokens)]
        scores = [self.classify(texts) for texts in (["profit"], distinct)]
        if not all(np.isfinite(array).all() for answer in scores for array in answer.values()):
            raise ArtifactError(f"model in {self.artifact.path} answers no finite numbers; export the model again")


def softmax(logits: npt.NDArray[np.float64]) -> Probabilities:
    """Turn logits, float64 [rows, labels], into probabilities, float32 of the same shape."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Probabilities = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def padded(rows: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[np.int64]]:
    """Pad token numbers to the longest row: `input_ids` and `attention_mask`, int64 [rows, longest]."""
    ids = np.zeros((len(rows), max(len(row) for row in rows)), dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def _check_heads(artifact: Artifact, session: Any) -> None:
    answered = {output.name: output.shape[-1] for output in session.get_outputs()}
    stated = {name: len(labels) for name, labels in artifact.labels.items()}
    if answered != stated:
        raise ArtifactError(
            f"{artifact.path / NETWORK} answers {answered} labels, the manifest lists {stated}; export the model again"
        )


def _open_tokenizer(artifact: Artifact) -> Tokenizer:
    content = artifact.read(TOKENIZER)
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the Rust side raises a bare Exception
        raise ArtifactError(f"{artifact.path / TOKENIZER} is no tokenizer ({error}); export the model again") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(artifact.max_tokens)
    return tokenizer
