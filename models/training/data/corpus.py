"""The texts that a run learns from, its dev texts, and the held-out ones that it must not know.

    data sets ─ read ─> train parts ─ without leaks of the tests ─ one example a text ─┬─> dev (by hash)
                        test parts ─> held out                                         └─> train, without leaks of dev

Every choice (epochs, rates, temperatures) is made on dev. A test part decides nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.dataset import DataSet
from models.text import leak_key
from models.training.data.dataset import heads_of, read_split
from models.training.data.example import Example
from models.training.data.heads import HeadSpec, head_specs
from models.training.data.leaks import HeldOut
from models.training.data.split import in_share
from models.training.errors import DatasetError

__all__ = ["Corpus", "Dropped", "load_corpus", "merge"]

DEV_SHARE = 0.05
_DEV_SALT = "dev"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows of a data set that were taken out because they give away a held-out text, or a dev text."""

    exact: int
    near: int
    near_dev: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a run may know: `train`, and `dev` for its choices. `tests` are for the final figures, by data set."""

    heads: Mapping[str, HeadSpec]
    train: Sequence[Example]
    dev: Sequence[Example]
    tests: Mapping[str, Sequence[Example]]
    dropped: Mapping[str, Dropped]

    def warnings(self) -> Iterator[str]:
        """Yields a line for each data set that lost rows."""
        for name, lost in self.dropped.items():
            if lost.exact or lost.near:
                yield (
                    f"LEAK: {lost.exact + lost.near:,} training rows of {name} dropped: {lost.exact:,} are texts of a "
                    f"test file, {lost.near:,} nearly so"
                )
            if lost.near_dev:
                yield f"{lost.near_dev:,} training rows of {name} dropped: nearly a text of dev"


def load_corpus(sets: Sequence[DataSet], data: Path, *, dev_share: float = DEV_SHARE) -> Corpus:
    """Reads `sets` from the folder `data`.

    Raises `DatasetError` when a file is not what its description says, or when nothing is left to train on.
    """
    tests = {one.name: read_split(one, data, "test") for one in sets}
    held_out = HeldOut(example.text for examples in tests.values() for example in examples)
    dropped: dict[str, Dropped] = {}
    kept: list[Example] = []
    for one in sets:
        clean, dropped[one.name] = _without_leaks(read_split(one, data, "train"), held_out)
        kept += clean
    merged = list(merge(kept))
    is_dev = [in_share(leak_key(example.text), dev_share, _DEV_SALT) for example in merged]
    dev = [example for example, is_in in zip(merged, is_dev, strict=True) if is_in]
    rest = [example for example, is_in in zip(merged, is_dev, strict=True) if not is_in]
    train, dropped = _without_near_dev(rest, dev, dropped)
    if not train:
        raise DatasetError(f"no rows to train on in {', '.join(one.name for one in sets) or 'no data set'}")
    return Corpus(head_specs(heads_of(sets), sets), train, dev, tests, dropped)


def merge(examples: Iterable[Example]) -> Iterator[Example]:
    """Yields one example a text: a text of two sets teaches both heads; of two labels for a head the first stays."""
    merged: dict[str, Example] = {}
    for example in examples:
        key = leak_key(example.text)
        merged[key] = _joined(merged[key], example) if key in merged else example
    yield from merged.values()


def _joined(first: Example, second: Example) -> Example:
    if first.text != second.text:  # of another case: places in the one may not be places in the other
        second = replace(second, entities={}, names=None)
    return replace(
        first,
        labels={**second.labels, **first.labels},
        entities={**second.entities, **first.entities},
        names=second.names if first.names is None else first.names,
        weights={**second.weights, **first.weights},
    )


def _without_leaks(examples: list[Example], held_out: HeldOut) -> tuple[list[Example], Dropped]:
    leaks = held_out.leaks(example.text for example in examples)
    clean = [example for example, leaked in zip(examples, leaks.any, strict=True) if not leaked]
    return clean, Dropped(exact=sum(leaks.exact), near=sum(leaks.near), near_dev=0)


def _without_near_dev(
    train: list[Example], dev: list[Example], dropped: Mapping[str, Dropped]
) -> tuple[list[Example], dict[str, Dropped]]:
    leaks = HeldOut(example.text for example in dev).leaks(example.text for example in train)
    counted = dict(dropped)
    for example, leaked in zip(train, leaks.any, strict=True):
        if leaked:
            lost = counted[example.source]
            counted[example.source] = replace(lost, near_dev=lost.near_dev + 1)
    return [example for example, leaked in zip(train, leaks.any, strict=True) if not leaked], counted
