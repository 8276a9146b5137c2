"""Numeric character references that name no character, corrected before any parser reads the document.

    &#xD83D;&#xDE80;  a pair of surrogates, as UTF-16 counts ──► the one character that it stands for
    &#xD800;  &#x110000;  &#99999999999;  &#xFFFF;            ──► U+FFFD
    &#0;  &#x1b;      control characters, which XML forbids   ──► a space

One such reference ends XML parsers for the whole document, and raises in feedparser.
"""

from __future__ import annotations

import codecs
import re

__all__ = ["corrected_references", "corrected_text"]

_REFERENCE = re.compile("&#([xX][0-9a-fA-F]+|[0-9]+);?")
_NUMBER = re.compile("&#([xX][0-9a-fA-F]+|[0-9]+)")
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)
_ALLOWED_CONTROLS = frozenset(b"\t\n\r")
_REPLACEMENT = 0xFFFD
_LAST = 0x10FFFF
_MOST_DIGITS = 8  # without leading zeros; a longer number is no code point, and Python may refuse to convert it
# UTF-16 and UTF-32 spread a reference over zero bytes. By byte order mark or, without one, by the first "<".
_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


def corrected_references(body: bytes) -> bytes:
    """Returns the document with every numeric reference naming a character of XML; most are returned as they are."""
    encoding = next((name for mark, name in _WIDE if body.startswith(mark)), "latin-1")  # of ASCII's kind: bytes pass
    try:
        text = body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:  # UTF-16 or UTF-32 in its first bytes alone
        return body
    corrected = corrected_text(text)
    return body if corrected is text else corrected.encode(encoding, "surrogatepass")


def corrected_text(text: str) -> str:
    """Returns `text` with its references corrected; the same object if all of them are in order.

    Takes time proportional to the text: each number is checked once, however often it is used.
    """
    if "&#" not in text or all(map(_is_character, map(_code, set(_NUMBER.findall(text))))):
        return text
    pieces: list[str] = []
    end, high = 0, 0  # where the last reference ended, and its code where that is the first half of a pair
    for match in _REFERENCE.finditer(text):
        code = _code(match[1])
        if high and code in _LOW and match.start() == end:
            pieces[-1] = _reference(0x10000 + ((high - _HIGH.start) << 10) + code - _LOW.start)
        elif _is_character(code):
            pieces.append(text[end : match.end()])
        else:
            pieces += (text[end : match.start()], _reference(ord(" ") if code < ord(" ") else _REPLACEMENT))
        end, high = match.end(), code if code in _HIGH else 0
    return "".join((*pieces, text[end:]))


def _code(number: str) -> int:
    """The number of a reference; one with too many digits is beyond all characters."""
    digits = number.lstrip("xX").lstrip("0") or "0"
    return int(digits, 16 if number[0] in "xX" else 10) if len(digits) <= _MOST_DIGITS else _LAST + 1


def _is_character(code: int) -> bool:
    """Whether XML 1.0 permits it."""
    return (
        code in _ALLOWED_CONTROLS or 0x20 <= code < _HIGH.start or _LOW.stop <= code < 0xFFFE or 0xFFFF < code <= _LAST
    )


def _reference(code: int) -> str:
    return f"&#{code};"
