"""The form in which an answer is wanted: JSON, or CSV for what has rows."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Form", "form_wanted"]


class Form(StrEnum):
    """A form, which is also the suffix of a path."""

    JSON = "json"
    CSV = "csv"


_TYPES = {"application/json": Form.JSON, "text/csv": Form.CSV}


def form_wanted(accept: str) -> Form:
    """Returns the form that an Accept header (RFC 9110) prefers; JSON unless CSV is named with more weight."""
    weights = dict.fromkeys(Form, 0.0)
    for part in accept.split(","):
        media, *parameters = (word.strip().lower() for word in part.split(";"))
        if (form := _TYPES.get(media)) is not None:
            weights[form] = max(weights[form], _weight(parameters))
    return Form.CSV if weights[Form.CSV] > weights[Form.JSON] else Form.JSON


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
