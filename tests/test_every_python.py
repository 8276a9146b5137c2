"""What must be the same on every Python that is supported: signatures, ids, dates, tails and scores, pinned as values.

The fast tests run on each of them, these among them (`make test`).
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from alerts.detectors import Interval, share_interval, share_tail, volume_interval, volume_tail
from alerts.records import alert_id
from models import OnnxClassifier, shipped
from streams.feeds.fieldmap import FieldMap, to_news
from streams.text.signature import normal_title, partition_key, signature

regex: Any = import_module("re._parser")  # how `re` reads a pattern, on 3.11 to 3.13
ROOT = Path(__file__).resolve().parents[1]
NOW_MS = 1_700_000_000_000
LARKFIELD = "Larkfield Foods cuts 2024 outlook by 12.5%, shares fall 1,200 points"
TERN = "UPDATE 2-Tern Air sees loss of -$5.3bn after €4,000,000 fine - Daily Planet"


@pytest.mark.parametrize(
    ("title", "number", "key", "words"),
    [
        (
            LARKFIELD,
            3519729029317957851,
            "0ad4e1e3",
            "larkfield foods cuts 2024 outlook by 12.5 shares fall 1,200 points",
        ),
        (TERN, 706455910719848533, "0481e01e", "tern air sees loss of -$5.3 bn after €4,000,000 fine"),
        (
            "“Straße” in Zürich: l’État prend 51,5% de la société ﬁnale",
            9159796874056851141,
            "14671721",
            "strasse in zürich l état prend 51,5 de la société finale",
        ),
        ("株価が急落、3.5%安", 7781548868868808675, "01c1882b", "株 価 が 急 落 3.5 安"),
        (
            "Q3 EPS $0.92 v. 0.80 est.; a_b 1.2.3 x2,5",
            1882050973137907280,
            "06dc3438",
            "q3 eps $0.92 v 0.80 est a b 1.2.3 x2,5",
        ),
    ],
)
def test_signatures(title: str, number: int, key: str, words: str) -> None:
    assert " ".join(normal_title(title)) == words
    assert (signature(title), partition_key(title).hex()) == (number, key)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (
            {"title": LARKFIELD, "source": "wire", "id": "7"},
            ("b2d9df0d7507e56c3907e302d408cc7c", "f4c165d8475f38f6e68909804b60dcc7", None),
        ),
        (
            {"title": TERN, "url": "https://example.org/a?b=1", "published": "Fri, 10 Mar 2023 14:05:00 EST"},
            ("f41a755ea711aa3b9db825c02936a8b2", "02f162eebd09f5e89cd023b214fde767", 1_678_475_100_000),
        ),
    ],
)
def test_ids_and_dates_of_items(raw: dict[str, Any], want: tuple[str, str, int | None]) -> None:
    news = to_news(raw, FieldMap.default(), seen_ms=NOW_MS, now_ms=NOW_MS)
    assert (news.id, news.content, news.published_ms) == want


def test_ids_of_alerts() -> None:
    assert alert_id("negative", "surge", "entity/HGB", NOW_MS) == "153f7743dea79a33406017f2c30a7e25"


def test_tails() -> None:
    assert volume_tail(9, 1.5, 2.0) == pytest.approx(0.0029962589748880955, rel=1e-12)
    assert share_tail(7, 20, 1.2, 9.5) == pytest.approx(0.05868071536958405, rel=1e-12)
    assert volume_interval(3.0, 2.0, 0.9) == Interval(0, 8)
    assert share_interval(40, 1.5, 8.0, 0.9) == Interval(0, 16)


def test_scores() -> None:
    texts = [LARKFIELD, TERN, "Harrowgate Bancorp halts withdrawals as deposits flee"]
    with OnnxClassifier.load(shipped("finance-en-minilm-int8"), threads=1) as classifier:
        sentiment = classifier.classify(texts)["sentiment"].tolist()
    assert sentiment == [
        pytest.approx([0.99412, 0.000175, 0.005704], abs=1e-4),
        pytest.approx([0.951886, 0.014075, 0.034039], abs=1e-4),
        pytest.approx([0.475794, 0.145061, 0.379145], abs=1e-4),
    ]


SOURCES = [path for package in ("alerts", "models", "streams") for path in sorted((ROOT / package).rglob("*.py"))]
SOURCES_WITH_PATTERNS = [
    path for path in SOURCES if re.search(r"^\s*(import|from) re\b", path.read_text(), re.MULTILINE)
]

SOURCES_WITH_SQL = [path for path in SOURCES if "sqlite3" in path.read_text()]


@pytest.mark.parametrize("path", SOURCES_WITH_PATTERNS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pattern_is_possessive_or_atomic(path: Path) -> None:
    """Python 3.11.2, Debian 12's own, finds other words with a possessive repeat inside another."""
    assert [text for text in texts_of(path) if is_possessive(text)] == []


@pytest.mark.parametrize("pattern", [r"a*+b", r"(?:x[0-9]++)*", r"(?>ab)c", r"(?=a?+)", r"(?:y|z{2}+)"])
def test_possessive_patterns_are_recognised(pattern: str) -> None:
    assert is_possessive(pattern)


@pytest.mark.parametrize("path", SOURCES_WITH_SQL, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_statement_numbers_its_parameters(path: Path) -> None:
    """Python 3.12 warns of `?1` beside a sequence, and 3.14 refuses it: parameters have names or an order."""
    assert [text for text in texts_of(path) if re.search(r"\?\d", text)] == []


def texts_of(path: Path) -> Iterator[str]:
    """Every text in a module that could be a pattern or a part of one; docstrings are none."""
    tree = ast.parse(path.read_bytes())
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and id(node) not in said:
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def is_possessive(text: str) -> bool:
    """Whether `text`, read as a pattern, has a possessive repeat or an atomic group at any depth."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return any(
                str(operation) in {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"} for operation in operations(regex.parse(text))
            )
    except (re.error, OverflowError):
        return False


def operations(parsed: Any) -> Iterator[Any]:
    """All operations of a parsed pattern, whatever they stand in."""
    if isinstance(parsed, regex.SubPattern):
        yield from operations(parsed.data)
    elif isinstance(parsed, list | tuple):
        for one in parsed:
            yield from operations(one)
    else:
        yield parsed
