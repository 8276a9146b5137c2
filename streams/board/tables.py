"""Answers as CSV (RFC 4180): one row an entry, nested structs as dotted columns.

A spreadsheet runs a cell that begins with =, +, -, @, a tab or a return as a formula, also in a header: such a text
gets an apostrophe in front, which spreadsheets do not show. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["csv_bytes"]

_FORMULA: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "＝",
    "＋",
    "－",
    "＠",
)  # a spreadsheet may take wide forms too


def csv_bytes(entries: Iterable[Any]) -> bytes:
    """Returns the entries as CSV with a header, which is empty where there are none."""
    rows = [_flat(msgspec.to_builtins(entry)) for entry in entries]
    names = list(dict.fromkeys(name for row in rows for name in row))
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(map(_cell, names))
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return written.getvalue().encode()


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, one in value.items():
        if isinstance(one, Mapping):
            found |= _flat(one, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = one
    return found


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _listed(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _listed(values: Sequence[Any]) -> str:
    """Names with a semicolon between them; anything else as JSON."""
    if all(isinstance(one, str) for one in values):
        return "; ".join(values)
    return msgspec.json.encode(values).decode()
