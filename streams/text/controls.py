"""Control and format characters: out of names, and escaped in addresses."""

from __future__ import annotations

import re
from urllib.parse import quote

__all__ = ["CONTROL", "FORMAT", "escaped_url", "plain_line"]

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Format characters say how to draw, not what is said: soft hyphens, zero-width marks, bidi overrides, tags;
# lone surrogates cannot even be encoded.
FORMAT = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def plain_line(text: str) -> str:
    """A name on one line, without control and format characters; the same text if it has none."""
    if text.isascii() and text.isprintable():
        return text
    return " ".join(CONTROL.sub(" ", FORMAT.sub("", text)).split())


def escaped_url(url: str) -> str:
    """The address with control and format characters percent-encoded; the same text if it has none."""
    if url.isascii() and url.isprintable():
        return url
    return CONTROL.sub(_percent, FORMAT.sub(_percent, url))


def _percent(match: re.Match[str]) -> str:
    return quote(match[0], errors="replace")
