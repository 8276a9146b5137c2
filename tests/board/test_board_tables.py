"""Answers as CSV, and the form that a client wants."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from streams.board.forms import Form, form_wanted
from streams.board.tables import csv_bytes


class Inner(msgspec.Struct):
    size: int
    names: list[str]


class Row(msgspec.Struct):
    title: str
    share: float
    inner: Inner
    heads: dict[str, str] = {}
    none: str | None = None
    yes: bool = True


def read(rows: list[Row]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_bytes(rows).decode(), newline="")))


def test_nested_structs_are_dotted_columns() -> None:
    header, row = read([Row('a "quoted", title', -0.5, Inner(2, ["x", "y"]), {"a": "b"})])
    assert header == ["title", "share", "inner.size", "inner.names", "heads.a", "none", "yes"]
    assert row == ['a "quoted", title', "-0.5", "2", "x; y", "b", "", "true"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_formulas_are_escaped_in_cells_lists_and_headers(text: str) -> None:
    header, row = read([Row(text, -1.0, Inner(-1, [text]), {text: text})])
    assert row[0] == row[3] == row[4] == f"'{text}"
    assert row[1:3] == ["-1.0", "-1"]
    assert header[4] == f"heads.{text}"
    assert csv_bytes([{text: 1}]).decode().startswith((f"'{text}", f"\"'{text}"))


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form.JSON),
        ("*/*", Form.JSON),
        ("text/csv", Form.CSV),
        ("text/csv;q=0.5, application/json", Form.JSON),
        ("application/json;q=0.2, text/csv;q=0.9", Form.CSV),
        ("text/csv;q=x", Form.JSON),
        ("text/csv;q=0", Form.JSON),
    ],
)
def test_the_form_that_is_wanted(accept: str, form: Form) -> None:
    assert form_wanted(accept) is form
