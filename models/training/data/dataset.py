"""A labelled data set, described by a small YAML and read into examples.

```yaml
name: my-headlines
licence: MIT
kind: text                          # a label a text; `entities`: a label for each company that a text names
head: sentiment
head_labels: [negative, neutral, positive]
text: headline                      # the column of the text
label: verdict                      # the column of the label
label_map: {"-1": negative, "0": neutral, "1": positive}
splits: {train: my/train.csv, test: my/test.csv}    # or {all: my/all.csv, test_share: 0.1}
```

With `test_share` the file is split by a hash of the text, so the same texts are held out on every machine.
The shipped descriptions are in `datasets/` beside this file.
"""

import ast
import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.spans import Span, find_span
from models.text import leak_key, normalise
from models.training.data.example import EntityLabel, Example
from models.training.data.split import in_share
from models.training.errors import DatasetError

__all__ = ["NAMES_HEAD", "DataSet", "Splits", "load_datasets", "parse_dataset", "read_split", "shipped_datasets"]

Part = Literal["train", "test"]

NAMES_HEAD = "names"
"""The head that tags words as O, B or I."""

_SHIPPED = Path(__file__).parent / "datasets"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Splits(_Strict):
    """Files of the parts, relative to the data folder; or one file, of which `test_share` is held out."""

    train: str | None = None
    test: str | None = None
    all: str | None = None
    test_share: float = Field(default=0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.all) == bool(self.train):
            raise ValueError("give either `train` (and `test`), or `all` with `test_share`")
        if self.test_share and not self.all:
            raise ValueError("`test_share` divides the file of `all`; with `train` name the file of `test`")
        return self


class DataSet(_Strict):
    """A description as read; see the module for its keys."""

    name: str
    licence: str
    source: str = ""
    kind: Literal["text", "entities"] = "text"
    head: str
    head_labels: tuple[str, ...] = Field(min_length=2)
    text: str = "text"
    label: str
    label_map: dict[str, str]
    splits: Splits
    names: bool = False
    """Whether the entities of a text are all its names, so that they teach the head that finds names."""
    title_head: str | None = None
    """The text head that learns from texts whose entities all have one verdict; its labels are `head_labels`."""
    weight: float = Field(default=1.0, gt=0.0)
    title_weight: float = Field(default=1.0, gt=0.0)

    @model_validator(mode="after")
    def _labels_are_known(self) -> Self:
        unknown = sorted(set(self.label_map.values()) - set(self.head_labels))
        if unknown:
            raise ValueError(f"label_map names labels that head_labels does not: {', '.join(unknown)}")
        if self.kind == "text" and (self.names or self.title_head):
            raise ValueError("`names` and `title_head` need kind: entities")
        return self

    def number(self, raw: str) -> int | None:
        """Returns the number of a label as the file writes it; None when the map does not know it."""
        mapped = self.label_map.get(raw)
        return None if mapped is None else self.head_labels.index(mapped)


def parse_dataset(content: str, where: str) -> DataSet:
    """Reads a description. Raises `DatasetError` naming `where`, the key and what is wrong with it."""
    try:
        loaded = yaml.safe_load(content)
        if not isinstance(loaded, dict):
            raise DatasetError(f"{where}: no data set's description; see models/training/data/datasets for examples")
        if isinstance(loaded.get("label_map"), dict):
            loaded["label_map"] = {str(raw): label for raw, label in loaded["label_map"].items()}
        return DataSet.model_validate(loaded)
    except yaml.YAMLError as error:
        raise DatasetError(f"{where}: not YAML: {error}") from error
    except ValidationError as error:
        raise DatasetError(f"{where}: {_first(error)}") from error


def load_datasets(paths: Iterable[Path]) -> list[DataSet]:
    """Reads descriptions; raises `DatasetError` when one cannot be read or two disagree on a head's labels."""
    sets = []
    for path in paths:
        try:
            sets.append(parse_dataset(path.read_text(encoding="utf-8"), str(path)))
        except OSError as error:
            raise DatasetError(f"{path} cannot be read ({error.strerror}); name the YAML of a data set") from error
    heads_of(sets)
    return sets


def shipped_datasets() -> list[DataSet]:
    """Returns the data sets that the shipped model learns from."""
    return load_datasets(sorted(_SHIPPED.glob("*.yaml")))


def heads_of(sets: Iterable[DataSet]) -> dict[str, tuple[str, ...]]:
    """Returns the text and entity heads of `sets` with their labels. Raises `DatasetError` when two disagree."""
    heads: dict[str, tuple[str, ...]] = {}
    for one in sets:
        for head in filter(None, (one.head, one.title_head)):
            if heads.setdefault(head, one.head_labels) != one.head_labels:
                raise DatasetError(
                    f"data set {one.name}: the head {head!r} has the labels {list(one.head_labels)}, another data "
                    f"set gave it {list(heads[head])}; write the same list in both, in the same order"
                )
    return heads


def read_split(one: DataSet, data: Path, part: Part) -> list[Example]:
    """Returns the examples of a part; empty when the data set has none.

    Raises `DatasetError`, naming file and record, for a missing file or column or an unknown label.
    """
    named = one.splits.all or getattr(one.splits, part)
    if named is None:
        return []
    examples = _read(one, data / named)
    if one.splits.all is None:
        return list(examples)
    held_out = part == "test"
    return [each for each in examples if in_share(leak_key(each.text), one.splits.test_share) == held_out]


def _read(one: DataSet, path: Path) -> Iterator[Example]:
    make = _text_example if one.kind == "text" else _entity_example
    for number, record in _records(path):
        for column in (one.text, one.label):
            if record.get(column) is None:
                raise DatasetError(f"{path.name} record {number}: no column {column!r}; it has {', '.join(record)}")
        example = make(one, record, f"{path.name} record {number}")
        if example is not None and example.text:
            yield example


def _text_example(one: DataSet, record: Mapping[str, str], where: str) -> Example:
    number = one.number(record[one.label])
    if number is None:
        raise DatasetError(f"{where}: unknown label {record[one.label]!r}; the label_map of {one.name} lacks it")
    return Example(normalise(record[one.text]), {one.head: number}, weights={one.head: one.weight}, source=one.name)


def _entity_example(one: DataSet, record: Mapping[str, str], where: str) -> Example | None:
    verdicts = _verdicts(record[one.label])
    if verdicts is None:  # 13 rows of SEntFiN hold no readable dict
        return None
    text = normalise(record[one.text])
    found: list[EntityLabel] = []
    for name, raw in verdicts.items():
        number = one.number(str(raw))
        if number is None:
            raise DatasetError(f"{where}: unknown label {raw!r}; the label_map of {one.name} lacks it")
        found.append(EntityLabel(find_span(text, normalise(str(name))), number))
    agreed = {verdict.label for verdict in found}
    titled = {one.title_head: found[0].label} if one.title_head and len(agreed) == 1 else {}
    return Example(
        text=text,
        labels=titled,
        entities={one.head: tuple(found)},
        names=_apart(verdict.span for verdict in found) if one.names else None,
        weights={one.head: one.weight} | ({one.title_head: one.title_weight} if one.title_head else {}),
        source=one.name,
    )


def _verdicts(written: str) -> dict[Any, Any] | None:
    try:
        read = ast.literal_eval(written)
    except (SyntaxError, ValueError):
        return None
    return read if isinstance(read, dict) and read else None


def _apart(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Returns the filled spans in order; of two that overlap the longer stays."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start - one.end):
        if span.start < span.end and all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=lambda one: one.start))


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            if path.suffix in {".ndjson", ".jsonl"}:
                yield from enumerate((json.loads(line) for line in lines if line.strip()), start=1)
            else:
                separator = "\t" if path.suffix == ".tsv" else ","
                yield from enumerate(csv.DictReader(lines, delimiter=separator), start=1)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); --data names the folder it is in") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not what its name says ({error})") from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    return f"{key}: {problem['msg']}" if key else str(problem["msg"])
