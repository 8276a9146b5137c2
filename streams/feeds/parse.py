"""From bytes to a plain JSON object, and from any string to one that may travel.

Input is never trusted: invalid UTF-8 is replaced, NaN becomes null, numbers of thousands of digits become text,
and what nests too deeply or is no object is a `Reject`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from streams.errors import Reject

__all__ = ["clean_string", "parse_json"]

_decode = msgspec.json.decode
_BOM = b"\xef\xbb\xbf"
# Python refuses to convert more than 4,300 digits; nobody's id or date needs more than this many.
_LONGEST_INTEGER = 400


def parse_json(data: bytes) -> Mapping[str, Any]:
    """Returns the JSON object in `data`; raises `Reject` (``bad_json``, ``not_an_object``).

    Strict JSON takes a fast path. What it refuses gets a second, tolerant reading: a byte order mark, invalid
    UTF-8 (replaced by U+FFFD), raw control characters inside strings, lone surrogates and NaN are all seen in
    real feeds and are no reason to lose an item.
    """
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _parse_tolerantly(data)
    if not isinstance(value, dict):
        raise Reject("not_an_object", f"expected a JSON object, got {type(value).__name__}")
    return value


def _parse_tolerantly(data: bytes) -> Any:
    text = data.removeprefix(_BOM).decode("utf-8", "replace")
    try:
        return json.loads(text, strict=False, parse_int=_integer, parse_constant=lambda _name: None)
    except RecursionError:
        raise Reject("bad_json", "nested too deeply") from None
    except ValueError as error:
        raise Reject("bad_json", str(error)[:200]) from None


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def clean_string(text: str, limit: int) -> str:
    """Cuts `text` to `limit` characters and makes it fit for UTF-8: no NUL, no lone surrogate (U+FFFD instead)."""
    cut = text[:limit]
    if "\0" in cut:
        cut = cut.replace("\0", "")
    if cut.isascii():
        return cut
    try:
        cut.encode()
    except UnicodeEncodeError:
        return cut.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return cut
