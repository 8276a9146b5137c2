"""Fields that a record carries and moodwire does not know: kept, within bounds.

What exceeds the bounds is cut or left out: an extra field is a courtesy and must not make an item heavy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from streams.feeds.parse import clean_string

__all__ = ["bounded_extra", "is_bounded"]

_TOTAL_CHARACTERS = 16_384
_STRING_LIMIT = 2_000
_NAME_LIMIT = 200
_DEPTH_LIMIT = 6
_LARGEST_INTEGER = 2**53 - 1  # what every JSON reader keeps exactly (RFC 8259, section 6); a larger one becomes text
_LARGEST_ID = 10**100  # a longer number names nothing


def bounded_extra(raw: Mapping[str, Any], used: set[str], wanted: frozenset[str] | None) -> dict[str, Any]:
    """Returns the fields of `raw` not in `used` (of those, only `wanted` unless None), cleaned and bounded."""
    if wanted is not None and not wanted:
        return {}
    chosen = {key: raw[key] for key in raw if key not in used and (wanted is None or key in wanted)}
    return _Budget().object(chosen, 0) if chosen else {}


def is_bounded(extra: Mapping[str, Any]) -> bool:
    """Whether `bounded_extra` would leave these fields as they are; quick for the few plain ones of most items."""
    left = _TOTAL_CHARACTERS // 2
    for name, value in extra.items():
        kind = type(value)
        if kind is str:
            left -= len(value)
            plain = len(value) <= _STRING_LIMIT and value.isascii() and "\0" not in value
        else:
            plain = kind is bool or value is None or (kind is int and -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER)
        left -= len(name) + 16
        if not plain or left < 0 or len(name) > _NAME_LIMIT or not name.isascii() or "\0" in name:
            return bool(extra == bounded_extra(extra, set(), None))
    return True


class _Budget:
    """Counts characters down over one record."""

    def __init__(self) -> None:
        self.left = _TOTAL_CHARACTERS

    def object(self, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, entry in value.items():
            if self.left <= 0:
                break
            name = clean_string(str(key), _NAME_LIMIT)
            self.left -= len(name) + 4
            kept[name] = self.value(entry, depth + 1)
        return kept

    def value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            text = clean_string(value, min(_STRING_LIMIT, max(self.left, 0)))
            self.left -= len(text) + 2
            return text
        if isinstance(value, (dict, list)):
            return self._nested(value, depth)
        plain = _plain(value)
        self.left -= len(plain) + 2 if isinstance(plain, str) else 8
        return plain

    def _nested(self, value: dict[str, Any] | list[Any], depth: int) -> Any:
        if depth > _DEPTH_LIMIT:
            return None
        if isinstance(value, dict):
            return self.object(value, depth)
        kept = []
        for entry in value:
            if self.left <= 0:
                break
            kept.append(self.value(entry, depth + 1))
        return kept


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) <= _LARGEST_INTEGER:
            return value
        return str(value) if abs(value) < _LARGEST_ID else None
    return value if isinstance(value, float) and math.isfinite(value) else None
