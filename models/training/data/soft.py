"""What teachers think of a text: probabilities for every head, kept in files that later runs read. Knows no torch.

Names are kept by the character that their word starts at, so that a student may have another tokenizer.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.spans import Span
from models.training.data.example import UNKNOWN, EntityLabel, Example
from models.training.errors import TrainingError

__all__ = ["SoftLabels", "mean_of", "read_soft", "settled", "sharpened", "with_entities", "write_soft"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """One text: `texts` [labels] by head, `entities` [labels] by head and place, `names` [tags] by a word's start."""

    texts: Mapping[str, Floats] = field(default_factory=dict)
    entities: Mapping[str, Mapping[Span, Floats]] = field(default_factory=dict)
    names: Mapping[int, Floats] = field(default_factory=dict)


def mean_of(teachers: Sequence[SoftLabels]) -> SoftLabels:
    """Returns the mean of the teachers' labels of one text; of entities and words, those that all were asked about."""
    first = teachers[0]
    return SoftLabels(
        texts={head: _mean(one.texts[head] for one in teachers) for head in first.texts},
        entities={
            head: {
                span: _mean(one.entities[head][span] for one in teachers)
                for span in spans
                if all(span in one.entities[head] for one in teachers)
            }
            for head, spans in first.entities.items()
        },
        names={
            start: _mean(one.names[start] for one in teachers)
            for start in first.names
            if all(start in one.names for one in teachers)
        },
    )


def sharpened(probabilities: Floats, temperature: float) -> Floats:
    """Returns the probabilities [.., labels] at another temperature: above 1 flatter, below 1 sharper."""
    raised = np.maximum(probabilities, 1e-7) ** (1 / temperature)
    return (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)


def with_entities(example: Example, soft: SoftLabels) -> Example:
    """Returns the example with the entities that only the teachers judged; their label is `UNKNOWN`."""
    found = {
        head: tuple(EntityLabel(span, UNKNOWN) for span in spans)
        for head, spans in soft.entities.items()
        if spans and not example.entities.get(head)
    }
    return replace(example, entities={**example.entities, **found}) if found else example


def settled(example: Example, soft: SoftLabels, smoothing: float) -> SoftLabels:
    """Returns what is to be learnt of an example: where its labels are settled, these in the teachers' stead.

    `smoothing` is the share that goes to all labels evenly, as in the loss of hard labels.
    """
    if not example.settled:
        return soft
    texts = {
        head: _sure(one, example.labels[head], smoothing) if head in example.labels else one
        for head, one in soft.texts.items()
    }
    entities = {head: dict(spans) for head, spans in soft.entities.items()}
    for head, each in example.entities.items():
        for one in each:
            if one.span in entities.get(head, {}):
                entities[head][one.span] = _sure(entities[head][one.span], one.label, smoothing)
    return replace(soft, texts=texts, entities=entities)


def _sure(like: Floats, label: int, smoothing: float) -> Floats:
    sure = np.full_like(like, smoothing / len(like))
    sure[label] += 1 - smoothing
    return sure


def write_soft(path: Path, labels: Sequence[SoftLabels], teacher: str, texts: Sequence[str]) -> None:
    """Writes the labels of `texts` and the teacher's name; the file is whole or not there."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for head in labels[0].texts if labels else ():
        arrays[f"text/{head}"] = np.array([one.texts[head] for one in labels], np.float16)
    for head in labels[0].entities if labels else ():
        rows = [(at, span, soft) for at, one in enumerate(labels) for span, soft in one.entities[head].items()]
        arrays[f"entity/{head}/places"] = np.array([(at, one.start, one.end) for at, one, _ in rows], np.int32)
        arrays[f"entity/{head}/soft"] = np.array([soft for _, _, soft in rows], np.float16)
    words = [(at, start, soft) for at, one in enumerate(labels) for start, soft in one.names.items()]
    arrays["names/places"] = np.array([(at, start) for at, start, _ in words], np.int32)
    arrays["names/soft"] = np.array([soft for _, _, soft in words], np.float16)
    about = json.dumps({"teacher": teacher, "texts": list(texts)})
    partial = path.with_suffix(".partial")
    with partial.open("wb") as out:
        np.savez_compressed(out, about=np.array(about), **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def read_soft(path: Path, texts: Sequence[str]) -> list[SoftLabels]:
    """Reads what `write_soft` wrote about the same `texts`. Raises `TrainingError` when it is about others."""
    with np.load(path, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        if about["texts"] != list(texts):
            raise TrainingError(f"{path} labels other texts; remove it, and the teacher labels them again")
        text_heads = {name[5:]: arrays[name].astype(np.float32) for name in arrays.files if name.startswith("text/")}
        entity_heads = [name.split("/")[1] for name in arrays.files if name.endswith("/places") and "entity/" in name]
        made = [
            SoftLabels(
                texts={head: rows[at] for head, rows in text_heads.items()},
                entities={head: {} for head in entity_heads},
                names={},
            )
            for at in range(len(texts))
        ]
        for head in entity_heads:
            places, soft = arrays[f"entity/{head}/places"], arrays[f"entity/{head}/soft"].astype(np.float32)
            for (at, start, end), one in zip(places.tolist(), soft, strict=True):
                made[at].entities[head][Span(start, end)] = one
        places, soft = arrays["names/places"], arrays["names/soft"].astype(np.float32)
        for (at, start), one in zip(places.tolist(), soft, strict=True):
            made[at].names[start] = one
    return made


def _mean(each: Iterable[Floats]) -> Floats:
    mean: Floats = np.mean(list(each), axis=0, dtype=np.float32)
    return mean
