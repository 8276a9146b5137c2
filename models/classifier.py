"""What a classifier promises, and the one that keeps it with an ONNX network.

texts ─ normalise ─ tokenise ─ token_budget_batches ─ network ─ calibrated ─> {head: [texts, labels]}
                                                          └ token_heads ─> verdicts on entities, names
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.artifact import NETWORK, Artifact, open_artifact
from models.batching import balanced_budget, token_budget_batches
from models.calibration import calibrated
from models.errors import ArtifactError, ModelError
from models.runtime import Network, accelerated, cores, open_network
from models.spans import Name, Places
from models.text import normalise
from models.token_heads import names_of, span_logits
from models.tokens import TokenTally, open_tokenizer, padded, unknown_token

Probabilities = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float64]

DEFAULT_TOKEN_BUDGET = 256
"""Tokens a batch, padding counted: about 12 headlines. Measured on one core with calls of 512, 128 and 32
texts, larger batches only padded more (1,024: 7, 13 and 27 % slower) and smaller ones gained nothing; a GPU
wants far more."""

LEAST_TOKENS = 128
"""What a batch for a core of its own has at least: fewer take longer to hand over than they save."""

MAX_ROWS = 64

FEW_TEXTS = 64
"""So many are tokenised where they are: the tokenizer's own threads would have to be waited for, on busy cores for
longer than they save."""


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
        """The labels of each head that judges a text, in the order of the columns."""

    @property
    def entity_labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of each head that judges an entity in a text; empty where there is none."""

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        """Returns for each head the probabilities, float32 [texts, labels], each row summing to 1.

        Rows are in the order of `texts`. No text raises, whatever it holds; no texts give arrays of 0 rows.
        With `entities`, as long as `texts` and places in their `normalise`d form, the heads of `entity_labels` answer
        too: float32 [entities of all texts, labels], in the order of the texts and of the entities in each.
        """

    def close(self) -> None:
        """Frees the model; a later `classify` raises `RuntimeError`."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the network said of distinct texts: logits of the text heads, and of the token heads, text by text."""

    texts: Sequence[str]
    row_of: Sequence[int]
    encodings: Sequence[Any]
    logits: Mapping[str, Logits]
    tokens: Mapping[str, Sequence[Logits]]


class OnnxClassifier:
    """A model artifact run by onnxruntime.

    A score depends on the text alone. On one machine the same text gets the same bits whatever batch it
    came in: the shipped int8 network quantises each token by itself, padding is masked exactly, and the
    probabilities are taken row by row in float64. Other processors round otherwise in the last digits.

    >>> with OnnxClassifier.load(shipped("finance-en-minilm-int8")) as model:     # doctest: +SKIP
    ...     model.classify(["Grain trader warns of bankruptcy"])["sentiment"]
    """

    def __init__(
        self, artifact: Artifact, network: Network, tokenizer: Tokenizer, token_budget: int, workers: int = 1
    ) -> None:
        self.artifact = artifact
        self._network: Network | None = network
        self._tokenizer = tokenizer
        self._token_budget = token_budget
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="classifier") if workers > 1 else None
        self._unknown = unknown_token(tokenizer)
        self._tallying = threading.Lock()
        self.tally = TokenTally()

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: int = 0,
        providers: Sequence[str] | None = None,
        token_budget: int = DEFAULT_TOKEN_BUDGET,
        workers: int = 0,
    ) -> Self:
        """Loads the artifact in the folder `path`, checks it and warms it up.

        `threads` is the number of cores to use, 0 all that this process may run on. `providers` are
        onnxruntime's execution providers, best first; those that this machine lacks are passed over and the
        CPU is last. `workers` batches run at a time and share the cores: on the CPU 0 stands for one a core,
        which is up to 1.4 times as fast as all cores on one batch; on an accelerator for one.

        Raises `ValueError` for less than no worker, `ArtifactError` when a file is missing, truncated, altered or
        not what the manifest says, and `RuntimeMissingError` without onnxruntime.
        """
        if workers < 0:
            raise ValueError(f"a classifier has 1 worker or more, or 0 for as many as suit it, not {workers}")
        artifact, threads = open_artifact(path), threads or cores()
        workers = workers or (1 if accelerated(providers) else threads)
        network = open_network(artifact, max(1, threads // workers), providers)
        _check_heads(artifact, network)
        classifier = cls(artifact, network, open_tokenizer(artifact), token_budget, workers)
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
        """The labels of each head that judges a text, in the order of the columns."""
        return {name: head.labels for name, head in self.artifact.of_kind("text").items()}

    @property
    def entity_labels(self) -> Mapping[str, tuple[str, ...]]:
        """The labels of each head that judges an entity in a text; empty where the artifact has none."""
        return {name: head.labels for name, head in self.artifact.of_kind("entity").items()}

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, best first."""
        return self._open_network().providers

    def classify(self, texts: Sequence[str], entities: Places | None = None) -> Mapping[str, Probabilities]:
        """Returns each head's probabilities, float32 [texts, labels], in the order of `texts`.

        Copies of a text are scored once. `entities`, as long as `texts`, are the places of each text's entities
        in its `normalise`d form; with them the heads of `entity_labels` answer too, from the same pass of the
        encoder: float32 [entities of all texts, labels], in the order of the texts and of the entities in each.

        Raises `ValueError` when `entities` and `texts` differ in length.
        """
        if entities is not None and len(entities) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(entities)} lists of entities")
        asked = list(self.entity_labels) if entities is not None else []
        reading = self._read(texts, asked)
        answers = {name: self._probabilities(name, logits)[reading.row_of] for name, logits in reading.logits.items()}
        for name in asked:
            rows = [
                span_logits(reading.tokens[name][row], reading.encodings[row].offsets, span)
                for row, spans in zip(reading.row_of, entities or (), strict=True)
                for span in spans
            ]
            answers[name] = self._probabilities(name, np.reshape(rows, (-1, len(self.entity_labels[name]))))
        return answers

    def find_names(self, texts: Sequence[str]) -> list[list[Name]]:
        """Returns the names in each text, in order; their places are those in its `normalise`d form.

        Raises `ModelError` when the artifact has no head for names.
        """
        heads = list(self.artifact.of_kind("names"))
        if not heads:
            raise ModelError(f"{self.name} {self.version} finds no names; export a model that was trained to")
        reading = self._read(texts, heads[:1])
        found = [
            names_of(text, encoding, self._probabilities(heads[0], logits))
            for text, encoding, logits in zip(reading.texts, reading.encodings, reading.tokens[heads[0]], strict=True)
        ]
        return [found[row] for row in reading.row_of]

    def close(self) -> None:
        """Frees the network's memory and the workers' threads."""
        self._network = None
        if self._pool is not None:
            self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, texts: Sequence[str], token_heads: Sequence[str]) -> _Reading:
        network = self._open_network()
        rows: dict[str, int] = {}
        row_of = [rows.setdefault(normalise(text), len(rows)) for text in texts]
        encodings = self._encoded(list(rows), places=bool(token_heads))
        ids = [encoding.ids for encoding in encodings]
        self._count(rows, ids)
        logits = {name: np.zeros((len(rows), len(labels))) for name, labels in self.labels.items()}
        tokens: dict[str, list[Logits]] = {name: [np.empty((0, 0))] * len(rows) for name in token_heads}
        lengths = [len(one) for one in ids]
        budget = balanced_budget(lengths, self._token_budget, self._workers, least=LEAST_TOKENS)
        batches = token_budget_batches(lengths, budget, MAX_ROWS)[::-1]  # the costliest first
        runs = (self._pool.map if self._pool is not None and len(batches) > 1 else map)(
            lambda batch: network.run([*logits, *tokens], padded([ids[row] for row in batch])), batches
        )
        for batch, answers in zip(batches, runs, strict=True):
            for name, answer in zip((*logits, *tokens), answers, strict=True):
                if name in logits:
                    logits[name][batch] = answer
                    continue
                for row, line in zip(batch, answer, strict=True):
                    tokens[name][row] = line[: len(ids[row])].astype(np.float64)
        return _Reading(list(rows), row_of, encodings, logits, tokens)

    def _encoded(self, texts: Sequence[str], *, places: bool) -> Sequence[Any]:
        """Tokens of each text; the fast way for many knows no places."""
        if len(texts) <= FEW_TEXTS:
            return [self._tokenizer.encode(text) for text in texts]
        return self._tokenizer.encode_batch(texts) if places else self._tokenizer.encode_batch_fast(texts)

    def _count(self, texts: Iterable[str], ids: Sequence[list[int]]) -> None:
        unknown = sum(row.count(self._unknown) for row in ids)
        characters, tokens = sum(map(len, texts)), sum(map(len, ids))
        with self._tallying:
            done = self.tally
            self.tally = TokenTally(done.characters + characters, done.tokens + tokens, done.unknown + unknown)

    def _probabilities(self, head: str, logits: Logits) -> Probabilities:
        return calibrated(logits, self.artifact.heads[head].scaling).astype(np.float32)

    def _open_network(self) -> Network:
        if self._network is None:
            raise RuntimeError(f"classifier {self.name} was closed; load it again")
        return self._network

    def _warm_up(self) -> None:
        """Runs the smallest and the largest batch, so that the first real one does not pay for allocation."""
        longest = " ".join(["profit"] * self.artifact.max_tokens)
        count = max(1, self._workers * self._token_budget // self.artifact.max_tokens)
        distinct = [f"{number} {longest}" for number in range(count)]
        try:
            scores = [self.classify(texts) for texts in (["profit"], distinct)]
        except Exception as error:  # onnxruntime's own exceptions share no other base class
            raise ArtifactError(
                f"model in {self.artifact.path} cannot read texts of {self.artifact.max_tokens} tokens ({error}); "
                "export the model again"
            ) from error
        if not all(np.isfinite(array).all() for answer in scores for array in answer.values()):
            raise ArtifactError(f"model in {self.artifact.path} answers no finite numbers; export the model again")


def _check_heads(artifact: Artifact, network: Network) -> None:
    answered = {name: (len(shape), shape[-1]) for name, shape in network.outputs.items()}
    stated = {name: (2 if head.kind == "text" else 3, len(head.labels)) for name, head in artifact.heads.items()}
    if answered != stated:
        raise ArtifactError(
            f"{artifact.path / NETWORK} answers {_sizes(answered)} labels, the manifest lists {_sizes(stated)}; "
            "export the model again"
        )


def _sizes(heads: Mapping[str, tuple[int, int | str | None]]) -> dict[str, str]:
    return {name: f"{labels} a {'text' if rank == 2 else 'token'}" for name, (rank, labels) in heads.items()}
