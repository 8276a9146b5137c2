"""Labelled rows for training: read, freed of leaks, merged by text, divided into train and dev."""

import ast
import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.text import leak_key, normalise

UNLABELLED = -100
"""Marks a head that a row says nothing about; cross entropy leaves it out (torch's `ignore_index`)."""

SENTIMENT = ("negative", "neutral", "positive")
TOPIC = (
    "Analyst Update",
    "Fed / Central Banks",
    "Company / Product News",
    "Treasuries / Corporate Debt",
    "Dividend",
    "Earnings",
    "Energy / Oil",
    "Financials",
    "Currencies",
    "General News / Opinion",
    "Gold / Metals / Materials",
    "IPO",
    "Legal / Regulation",
    "M&A / Investments",
    "Macro",
    "Markets",
    "Politics",
    "Personnel Change",
    "Stock Commentary",
    "Stock Movement",
)
HEADS: Mapping[str, tuple[str, ...]] = {"sentiment": SENTIMENT, "topic": TOPIC}

# The published files count 0 bearish, 1 bullish, 2 neutral; topics stand in the order above.
_PUBLISHED = {"sentiment": {0: 0, 1: 2, 2: 1}, "topic": {number: number for number in range(len(TOPIC))}}


@dataclass(frozen=True, slots=True)
class Row:
    """One text and the label of each head, `UNLABELLED` where the row has none."""

    text: str
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Corpus:
    """What training sees, and the count of what it must not see."""

    train: Sequence[Row]
    dev: Sequence[Row]
    dropped: Mapping[str, int] = field(default_factory=dict)


def read_tfns(folder: Path, head: str, part: str) -> list[Row]:
    """Read `tfns_{head}_{part}.csv` (columns `text,label`).

    Raises `ValueError` naming file and line for a label that the file's description does not know.
    """
    path = folder / f"tfns_{head}_{part}.csv"
    numbers = _PUBLISHED[head]
    rows = []
    with path.open(encoding="utf-8", newline="") as lines:
        for line, record in enumerate(csv.DictReader(lines), start=2):
            if not record["label"].isdecimal() or int(record["label"]) not in numbers:
                raise ValueError(f"{path.name} record {line}: unknown label {record['label']!r}")
            rows.append(Row(normalise(record["text"]), {head: numbers[int(record["label"])]}))
    return rows


def read_sentfin(folder: Path) -> list[Row]:
    """Read the titles of `sentfin.csv` that name one entity: its sentiment is the title's.

    Titles with several entities may point two ways, and 13 rows hold no readable dict: both are left out.
    """
    rows = []
    with (folder / "sentfin.csv").open(encoding="utf-8", newline="") as lines:
        for record in csv.DictReader(lines):
            try:
                verdicts = list(ast.literal_eval(record["Decisions"]).values())
            except (SyntaxError, ValueError):
                continue
            if len(verdicts) == 1 and verdicts[0] in SENTIMENT:
                rows.append(Row(normalise(record["Title"]), {"sentiment": SENTIMENT.index(verdicts[0])}))
    return rows


def load_corpus(folder: Path, *, with_sentfin: bool, dev_share: float = 0.05) -> Corpus:
    """Return the training files without leaked rows, texts merged, `dev_share` of the texts set apart.

    A row leaks when its text, links and case aside, stands in any validation file. Which texts are dev
    depends on the text alone, so runs with other sources of rows are compared on the same ones; SEntFiN
    never enters dev, because dev stands for the validation files.
    """
    forbidden = {leak_key(row.text) for head in HEADS for row in read_tfns(folder, head, "valid")}
    sources = {f"tfns_{head}_train.csv": read_tfns(folder, head, "train") for head in HEADS}
    if with_sentfin:
        sources["sentfin.csv"] = read_sentfin(folder)
    dropped = {}
    kept: list[tuple[str, Row]] = []
    for name, rows in sources.items():
        clean = [row for row in rows if leak_key(row.text) not in forbidden]
        dropped[name] = len(rows) - len(clean)
        kept.extend((name, row) for row in clean)
    ours = {leak_key(row.text) for name, row in kept if name.startswith("tfns")}
    is_dev = {key: _is_dev(key, dev_share) for key in ours}
    merged = list(merge(row for _, row in kept))
    return Corpus(
        train=[row for row in merged if not is_dev.get(leak_key(row.text), False)],
        dev=[row for row in merged if is_dev.get(leak_key(row.text), False)],
        dropped=dropped,
    )


def merge(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield one row a text: a text of both sets trains both heads; of two labels for a head the first stays."""
    merged: dict[str, tuple[str, dict[str, int]]] = {}
    for row in rows:
        if not row.text:
            continue
        _, labels = merged.setdefault(leak_key(row.text), (row.text, {}))
        for head, label in row.labels.items():
            labels.setdefault(head, label)
    for text, labels in merged.values():
        yield Row(text, {head: labels.get(head, UNLABELLED) for head in HEADS})


def _is_dev(key: str, share: float) -> bool:
    digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < share * 2**32
