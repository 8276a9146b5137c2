"""Answers as CSV (RFC 4180): one row an entry, nested structs as dotted columns.

A text that a spreadsheet would run as a formula is escaped, also in a header (`streams.cells`). Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from streams.cells import cell

__all__ = ["csv_bytes"]


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
    return cell(value if value is None or isinstance(value, str | int | float) else _listed(value))


def _listed(values: Sequence[Any]) -> str:
    """Names with a semicolon between them; anything else as JSON."""
    if all(isinstance(one, str) for one in values):
        return "; ".join(values)
    return msgspec.json.encode(values).decode()
