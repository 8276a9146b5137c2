"""Cells of CSV that a spreadsheet shows as they are."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["cell"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet runs a text that begins with one of these as a formula; some take the wide forms too."""


def cell(value: Any) -> Any:
    """Returns what is written for a value: an apostrophe goes before a text that looks like a formula.

    Spreadsheets do not show it. Numbers stay numbers; None is empty.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
