"""A training set from feedback: what was agreed, with the texts that the archive holds.

    Review ─► items of the archive ─► OUT/feedback-HEAD.csv and OUT/feedback-HEAD.yaml     a data set for training
                                   └► left out: why, item by item

A fifth of each set, chosen by a hash of the text, is held out: the gate asks the candidate about corrections that it
has not been taught.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.text import normalise
from streams.archive.protocol import Archive
from streams.errors import MoodwireError
from streams.lifecycle.feedback import ENTITY, Review

__all__ = ["LeftOut", "TrainingSet", "build_training_set"]

TEST_SHARE = 0.2
_PAGE = 500


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An agreed verdict that teaches nothing, and why."""

    item: str
    head: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The descriptions written, rows by head, and what was left out."""

    descriptions: Sequence[Path]
    rows: Mapping[str, int]
    left_out: Sequence[LeftOut]


async def build_training_set(
    review: Review,
    archive: Archive,
    heads: Mapping[str, Sequence[str]],
    out: Path,
    *,
    entity_head: str = "",
    weight: float = 1.0,
) -> TrainingSet:
    """Write one data set a head into `out`. `heads` are the labels of each head of the model that is to learn.

    `entity_head` is the head that judges entities; empty: there is none. A row counts `weight` times. Raises
    `MoodwireError` when `out` cannot be
    written.
    """
    titles = await _titles(archive, sorted(review.agreed))
    rows: dict[str, dict[str, str]] = {}
    entities: dict[str, dict[str, str]] = {}
    left_out: list[LeftOut] = []
    for item, verdicts in review.agreed.items():
        for head, label in verdicts.items():
            of_entity = head.startswith(ENTITY)
            asked = entity_head if of_entity else head
            reason = _unusable(titles.get(item), label, heads.get(asked, ()), asked)
            if reason:
                left_out.append(LeftOut(item, head, reason))
            elif of_entity:
                entities.setdefault(titles[item], {})[head.removeprefix(ENTITY)] = label
            else:
                rows.setdefault(head, {})[titles[item]] = label
    if entities:
        rows[entity_head] = {text: repr(found) for text, found in entities.items()}
    written = [
        _write(out, head, found, heads[head], head == entity_head, weight) for head, found in sorted(rows.items())
    ]
    return TrainingSet(written, {head: len(found) for head, found in rows.items()}, left_out)


def _unusable(title: str | None, label: str, labels: Sequence[str], head: str) -> str:
    if title is None:
        return "the archive does not hold the item (any more)"
    if not labels:
        return f"the model has no head {head or 'for entities'}"
    return "" if label in labels else f"{label!r} is none of the labels of {head}: {', '.join(labels)}"


async def _titles(archive: Archive, ids: Sequence[str]) -> dict[str, str]:
    """What the classifier sees of an item is its title."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), _PAGE):
        for item in await archive.items_by_id(ids[start : start + _PAGE]):
            found[item.news.id] = normalise(item.news.title)
    return found


def _write(
    out: Path, head: str, rows: Mapping[str, str], labels: Sequence[str], of_entities: bool, weight: float
) -> Path:
    name = f"feedback-{''.join(letter if letter.isalnum() else '-' for letter in head)}"
    description = {
        "name": name,
        "licence": "as the news it is about",
        "source": "feedback",
        "kind": "entities" if of_entities else "text",
        "head": head,
        "head_labels": list(labels),
        "text": "text",
        "label": "label",
        "label_map": {label: label for label in labels},
        "splits": {"all": str((out / f"{name}.csv").absolute()), "test_share": TEST_SHARE},
        "weight": weight,
    }
    path = out / f"{name}.yaml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "label"))
            writer.writerows(sorted(rows.items()))
        path.write_text(yaml.safe_dump(description, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise MoodwireError(f"the training set cannot be written into {out} ({error}); name another folder") from error
    return path
