"""What a setting takes, in words: for errors, the commented file and the table."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streams.userfiles.words import bounds

__all__ = ["is_secret", "wanted"]

_WORDS: dict[Any, str] = {
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    Path: "a path",
    SecretStr: "a text",
    str: "a text",
}


def wanted(field: FieldInfo) -> str:
    """Returns what the field takes, such as `a whole number from 1 to 1024`."""
    pattern = next((rule.pattern for rule in field.metadata if getattr(rule, "pattern", None)), None)
    words = f"a text of the form {pattern}" if pattern else _WORDS.get(_type(field)) or _choice(field)
    return f"{words}{_bounds(field)}"


def is_secret(field: FieldInfo) -> bool:
    """Whether its value must not be shown."""
    return _type(field) is SecretStr


def _type(field: FieldInfo) -> Any:
    """The field's type without None."""
    if get_origin(field.annotation) is Literal:
        return field.annotation
    return next((one for one in get_args(field.annotation) if one is not NoneType), field.annotation)


def _choice(field: FieldInfo) -> str:
    return " or ".join(map(str, get_args(_type(field))))


def _bounds(field: FieldInfo) -> str:
    return bounds(*(_bound(field, rule) for rule in ("ge", "gt", "le", "lt")))


def _bound(field: FieldInfo, rule: str) -> Any:
    return next((found for each in field.metadata if (found := getattr(each, rule, None)) is not None), None)
