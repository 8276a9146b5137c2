"""Texts as token numbers, and batches of texts of similar length. Knows no torch."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.training.example import UNKNOWN, Example
from models.training.tags import bio_tags, touched

__all__ = ["Batch", "Encoded", "EntityBatch", "EntityTokens", "bucketed", "collate", "encode"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

POOL_BATCHES = 50
"""Batches' worth of rows that are sorted together: little padding, and still other neighbours every epoch."""


@dataclass(frozen=True, slots=True)
class EntityTokens:
    """An entity as the tokens that touch it, and its label."""

    tokens: Sequence[int]
    label: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as token numbers. `number` is its place in the list that it came from."""

    number: int
    ids: Sequence[int]
    labels: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    entities: Mapping[str, Sequence[EntityTokens]] = field(default_factory=dict)
    tags: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class EntityBatch:
    """The entities of a batch: `rows` and `labels` int64 [entities], `tokens` float32 0 or 1 [entities, tokens]."""

    rows: Ints
    tokens: Floats
    labels: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class Batch:
    """A padded batch: `ids`, `mask` and `tags` int64 [rows, tokens]; labels int64 and weights float32 [rows]."""

    numbers: Sequence[int]
    ids: Ints
    mask: Ints
    labels: Mapping[str, Ints]
    weights: Mapping[str, Floats]
    entities: Mapping[str, EntityBatch]
    tags: Ints


def encode(tokenizer: Tokenizer, examples: Sequence[Example], max_tokens: int) -> list[Encoded]:
    """Tokenise `examples`, each cut at `max_tokens`, without padding."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    encodings = tokenizer.encode_batch([example.text for example in examples])
    return [_encoded(number, *pair) for number, pair in enumerate(zip(examples, encodings, strict=True))]


def _encoded(number: int, example: Example, encoding: object) -> Encoded:
    ids, offsets, words = (getattr(encoding, part) for part in ("ids", "offsets", "word_ids"))
    return Encoded(
        number=number,
        ids=ids,
        labels=example.labels,
        weights=example.weights,
        entities={
            head: [EntityTokens(touched(offsets, verdict.span), verdict.label) for verdict in verdicts]
            for head, verdicts in example.entities.items()
        },
        tags=None if example.names is None else bio_tags(words, offsets, example.names),
    )


def bucketed(lengths: Sequence[int], batch_rows: int, chance: random.Random | None) -> Iterator[list[int]]:
    """Yield batches of row numbers, rows of similar length together.

    With `chance` the rows are shuffled, cut into pools, sorted by length inside a pool, and the batches shuffled;
    without it they come in order of length, shortest first.
    """
    order = list(range(len(lengths)))
    pool = POOL_BATCHES * batch_rows if chance else max(1, len(order))
    if chance:
        chance.shuffle(order)
    batches = []
    for start in range(0, len(order), pool):
        near = sorted(order[start : start + pool], key=lambda row: lengths[row])
        batches += [near[at : at + batch_rows] for at in range(0, len(near), batch_rows)]
    if chance:
        chance.shuffle(batches)
    yield from batches


def collate(rows: Sequence[Encoded], heads: Sequence[str], entity_heads: Sequence[str], pad: int) -> Batch:
    """Pad `rows` to the longest with the token `pad`; what a row says nothing about is `UNKNOWN`."""
    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, mask, tags = np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.full(shape, UNKNOWN, np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = row.ids
        mask[at, : len(row.ids)] = 1
        if row.tags is not None:
            tags[at, : len(row.tags)] = row.tags
    return Batch(
        numbers=[row.number for row in rows],
        ids=ids,
        mask=mask,
        labels={head: np.array([row.labels.get(head, UNKNOWN) for row in rows], np.int64) for head in heads},
        weights={head: np.array([row.weights.get(head, 1.0) for row in rows], np.float32) for head in heads},
        entities={head: _entity_batch(rows, head, shape[1]) for head in entity_heads},
        tags=tags,
    )


def _entity_batch(rows: Sequence[Encoded], head: str, width: int) -> EntityBatch:
    found = [(at, entity, row) for at, row in enumerate(rows) for entity in row.entities.get(head, ())]
    tokens = np.zeros((len(found), width), np.float32)
    for number, (_, entity, _) in enumerate(found):
        tokens[number, list(entity.tokens)] = 1.0
    return EntityBatch(
        rows=np.array([at for at, _, _ in found], np.int64),
        tokens=tokens,
        labels=np.array([entity.label for _, entity, _ in found], np.int64),
        weights=np.array([row.weights.get(head, 1.0) for _, _, row in found], np.float32),
    )
