"""The rows of a labelled data set as examples; `models.dataset` describes one. The shipped ones are in `datasets/`."""

import ast
import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from models.dataset import DataSet
from models.spans import Span, find_span
from models.text import leak_key, normalise
from models.training.data.example import EntityLabel, Example
from models.training.data.split import in_share
from models.training.errors import DatasetError

__all__ = ["NAMES_HEAD", "heads_of", "read_split", "refuse_mistakes", "shipped_datasets"]

Part = Literal["train", "test"]

NAMES_HEAD = "names"
"""The head that tags words as O, B or I."""

_SHIPPED = Path(__file__).parent / "datasets"


def shipped_datasets() -> list[DataSet]:
    """Returns the descriptions of the data sets that the shipped model learns from."""
    files = sorted(_SHIPPED.glob("*.yaml"))
    return [msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), DataSet) for file in files]


def refuse_mistakes(sets: Iterable[DataSet]) -> None:
    """Raises `DatasetError` for a description that does not fit together, or two that disagree on a head's labels."""
    for one in sets:
        inner = ((("splits", *keys), text) for keys, text in one.splits.mistakes())
        for keys, text in (*one.mistakes(), *inner):
            raise DatasetError(f"data set {one.name}: {'.'.join(map(str, keys))}: {text}")
    heads_of(sets)


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
