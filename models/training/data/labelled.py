"""Examples as labelled sets, head by head: what `models.evaluation` measures an artifact on. Needs no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.artifact import Artifact
from models.dataset import DataSet
from models.evaluation.labelled import LabelledNames, LabelledSet
from models.training.data.corpus import load_corpus
from models.training.data.dataset import heads_of, read_split
from models.training.data.example import Example
from models.training.data.heads import HeadSpec, head_specs

__all__ = ["dev_sets", "held_out_sets", "names_of", "sets_of"]


def held_out_sets(
    sets: Sequence[DataSet], data: Path, artifact: Artifact
) -> tuple[list[LabelledSet], list[LabelledNames]]:
    """Returns the held-out part of each data set, one set a head that the artifact has, and the sets of names.

    The sets made for a head come before those that have labels for it besides.
    Raises `DatasetError` when a file is not what its description says.
    """
    heads = _known(head_specs(heads_of(sets), sets), artifact)
    parts = {one.name: read_split(one, data, "test") for one in sets}
    labelled = [made for name, examples in parts.items() for made in sets_of(name, examples, heads)]
    own = {f"{one.name}, {one.head}" for one in sets}
    labelled.sort(key=lambda one: one.name not in own)
    return labelled, [made for name, examples in parts.items() for made in names_of(name, examples, heads)]


def dev_sets(sets: Sequence[DataSet], data: Path, artifact: Artifact) -> list[LabelledSet]:
    """Returns the dev rows that every choice is made on, one set a head.

    They are dev for a model that was trained on the same data sets. Raises `DatasetError` as `held_out_sets` does.
    """
    corpus = load_corpus(sets, data)
    return sets_of("dev", corpus.dev, _known(corpus.heads, artifact))


def sets_of(name: str, examples: Sequence[Example], heads: Mapping[str, HeadSpec]) -> list[LabelledSet]:
    """Returns one set for each text or entity head that `examples` have labels for."""
    made = [
        (_text_set if spec.kind == "text" else _entity_set)(name, examples, head, spec.labels)
        for head, spec in heads.items()
        if spec.kind != "names"
    ]
    return [one for one in made if one.texts]


def names_of(name: str, examples: Sequence[Example], heads: Mapping[str, HeadSpec]) -> list[LabelledNames]:
    """Returns the examples whose names are known, where a head finds names and there are some."""
    if all(spec.kind != "names" for spec in heads.values()):
        return []
    known = [(example.text, example.names) for example in examples if example.names is not None]
    if not any(names for _, names in known):
        return []
    return [LabelledNames(name, [text for text, _ in known], [names for _, names in known])]


def _known(heads: Mapping[str, HeadSpec], artifact: Artifact) -> dict[str, HeadSpec]:
    return {name: spec for name, spec in heads.items() if name in artifact.heads}


def _text_set(name: str, examples: Sequence[Example], head: str, labels: Sequence[str]) -> LabelledSet:
    rows = [example for example in examples if head in example.labels]
    return LabelledSet(
        name=f"{name}, {head}",
        head=head,
        texts=[row.text for row in rows],
        labels=[labels[row.labels[head]] for row in rows],
        sources=[row.source for row in rows],
    )


def _entity_set(name: str, examples: Sequence[Example], head: str, labels: Sequence[str]) -> LabelledSet:
    rows = [(example, verdict) for example in examples for verdict in example.entities.get(head, ())]
    return LabelledSet(
        name=f"{name}, {head}",
        head=head,
        texts=[example.text for example, _ in rows],
        labels=[labels[verdict.label] for _, verdict in rows],
        sources=[f"{len(example.entities[head])} entities" for example, _ in rows],
        entities=[verdict.span for _, verdict in rows],
    )
