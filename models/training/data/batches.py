"""Texts as token numbers, and batches of texts of similar length. Knows no torch."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.training.data.dataset import NAMES_HEAD
from models.training.data.example import UNKNOWN, Example
from models.training.data.heads import HeadSpec
from models.training.data.soft import SoftLabels
from models.training.data.tags import bio_tags, touched

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
    soft: Mapping[str, Floats] = field(default_factory=dict)
    """What teachers think, by head: [labels], [entities, labels] or [tokens, labels]; zeros if not asked."""


@dataclass(frozen=True, slots=True)
class EntityBatch:
    """The entities of a batch: `rows` and `labels` int64 [entities], `tokens` float32 0 or 1 [entities, tokens]."""

    rows: Ints
    tokens: Floats
    labels: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class Batch:
    """A padded batch: `ids`, `mask` and `tags` int64 [rows, tokens]; labels int64 and weights float32 [rows].

    `soft` are float32 in the shape of the heads' answers, zeros where no teacher was asked; empty without teachers.
    """

    numbers: Sequence[int]
    ids: Ints
    mask: Ints
    labels: Mapping[str, Ints]
    weights: Mapping[str, Floats]
    entities: Mapping[str, EntityBatch]
    tags: Ints
    soft: Mapping[str, Floats] = field(default_factory=dict)


def encode(
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    max_tokens: int,
    soft: Sequence[SoftLabels | None] | None = None,
) -> list[Encoded]:
    """Tokenises `examples`, each cut at `max_tokens`, without padding; `soft` holds what teachers think of each."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    encodings = tokenizer.encode_batch([example.text for example in examples])
    labels = soft or [None] * len(examples)
    return [_encoded(number, *one) for number, one in enumerate(zip(examples, encodings, labels, strict=True))]


def _encoded(number: int, example: Example, encoding: Any, soft: SoftLabels | None) -> Encoded:
    ids, offsets, words = encoding.ids, encoding.offsets, encoding.word_ids
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
        soft={} if soft is None else _soft_arrays(example, offsets, words, soft),
    )


def _soft_arrays(
    example: Example, offsets: Sequence[tuple[int, int]], words: Sequence[int | None], soft: SoftLabels
) -> dict[str, Floats]:
    """Lays the teachers' labels over a text's entities and tokens; a word's first piece carries its label."""
    arrays = dict(soft.texts)
    for head, verdicts in example.entities.items():
        judged = soft.entities.get(head, {})
        if judged:
            nothing = np.zeros_like(next(iter(judged.values())))
            arrays[head] = np.array([judged.get(one.span, nothing) for one in verdicts])
    if soft.names:
        names = np.zeros((len(offsets), len(next(iter(soft.names.values())))), np.float32)
        before: int | None = None
        for at, (word, (start, _)) in enumerate(zip(words, offsets, strict=True)):
            if word is not None and word != before and start in soft.names:
                names[at] = soft.names[start]
            before = word
        arrays[NAMES_HEAD] = names
    return arrays


def bucketed(lengths: Sequence[int], batch_rows: int, chance: random.Random | None) -> Iterator[list[int]]:
    """Yields batches of row numbers, rows of similar length together.

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


def collate(rows: Sequence[Encoded], heads: Mapping[str, HeadSpec], pad: int) -> Batch:
    """Pads `rows` to the longest with the token `pad`; what a row says nothing about is `UNKNOWN`."""
    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, mask, tags = np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.full(shape, UNKNOWN, np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = row.ids
        mask[at, : len(row.ids)] = 1
        if row.tags is not None:
            tags[at, : len(row.tags)] = row.tags
    text_heads = [name for name, one in heads.items() if one.kind == "text"]
    entities = {name: _entity_batch(rows, name, shape[1]) for name, one in heads.items() if one.kind == "entity"}
    return Batch(
        numbers=[row.number for row in rows],
        ids=ids,
        mask=mask,
        labels={head: np.array([row.labels.get(head, UNKNOWN) for row in rows], np.int64) for head in text_heads},
        weights={head: np.array([row.weights.get(head, 1.0) for row in rows], np.float32) for head in text_heads},
        entities=entities,
        tags=tags,
        soft={name: _soft_batch(rows, name, one, shape[1]) for name, one in heads.items()} if _taught(rows) else {},
    )


def _taught(rows: Sequence[Encoded]) -> bool:
    return any(row.soft for row in rows)


def _soft_batch(rows: Sequence[Encoded], name: str, head: HeadSpec, width: int) -> Floats:
    """Lays the rows' soft labels of a head together in the shape of its answers."""
    labels = len(head.labels)
    if head.kind == "entity":
        each = [row.soft.get(name, np.zeros((len(row.entities.get(name, ())), labels), np.float32)) for row in rows]
        return np.concatenate(each).astype(np.float32)
    laid = np.zeros((len(rows), width, labels) if head.kind == "names" else (len(rows), labels), np.float32)
    for at, row in enumerate(rows):
        if name in row.soft and head.kind == "names":
            laid[at, : len(row.ids)] = row.soft[name]
        elif name in row.soft:
            laid[at] = row.soft[name]
    return laid


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
