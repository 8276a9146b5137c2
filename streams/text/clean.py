"""Cleaning: one line of readable text out of whatever a feed sends. Total and idempotent."""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import quote

from selectolax.lexbor import LexborHTMLParser

from streams.scripts import is_unspaced

__all__ = ["clean_text", "escaped_url", "plain_line"]

_TAG = re.compile(r"<[a-zA-Z/!?]")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
# What ends a line on a page ends a word here; other tags stand inside words: <b>A</b>cme.
_BLOCK = re.compile(r"</?(?:p|div|br|li|ul|ol|tr|td|th|table|h[1-6]|section|article|hr)\b[^>]*>", re.IGNORECASE)
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Format characters say how to draw, not what is said: soft hyphens, zero-width marks, bidi overrides, tags;
# lone surrogates cannot even be encoded.
_FORMAT = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKUP = str.maketrans({"<": " ", ">": " ", "&": " "})
_MARKS = ("<", "&", "://", "www.", "WWW.", "Www.")
_PASSES = 5
"""Escapes may be nested; what is not settled after so many passes loses its markup characters."""


def clean_text(raw: str, limit: int) -> str:
    """`raw` without markup, links, control and format characters, in NFKC, on one line, at most `limit` characters.

    Longer text is cut at a word's end where there is one, which is anywhere in a script without spaces. Whatever is far
    beyond the limit is never looked at.
    """
    text = raw[: 4 * limit + 2_000]
    if not _is_plain(text):
        text = _settled(text)
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    if is_unspaced(text[limit - 1]) or is_unspaced(text[limit]):
        return text[:limit].rstrip()
    head, _, _ = text[: limit + 1].rpartition(" ")
    return (head or text[:limit]).rstrip()


def plain_line(text: str) -> str:
    """A name on one line, without control and format characters; the same text if it has none."""
    if text.isascii() and text.isprintable():
        return text
    return " ".join(_CONTROL.sub(" ", _FORMAT.sub("", text)).split())


def escaped_url(url: str) -> str:
    """The address with control and format characters percent-encoded; the same text if it has none."""
    if url.isascii() and url.isprintable():
        return url
    return _CONTROL.sub(_percent, _FORMAT.sub(_percent, url))


def _percent(match: re.Match[str]) -> str:
    return quote(match[0], errors="replace")


def _is_plain(text: str) -> bool:
    """Whether no pass would change more than blanks; true for most titles, and 20 times as fast as a pass."""
    return text.isascii() and text.isprintable() and not any(mark in text for mark in _MARKS)


def _settled(text: str) -> str:
    for _ in range(_PASSES):
        before, text = text, _pass(text)
        if text == before:
            return text
    return _pass(text.translate(_MARKUP))


def _pass(text: str) -> str:
    text = _FORMAT.sub("", text)
    text = unicodedata.normalize("NFKC", text)
    if _TAG.search(text):
        text = _without_markup(_CDATA.sub(r"\1", text))
    elif "&" in text:
        text = html.unescape(text)
    text = _URL.sub(" ", _CONTROL.sub(" ", text))
    return " ".join(text.split())


def _without_markup(text: str) -> str:
    page = LexborHTMLParser(_BLOCK.sub(" ", text.replace("\x00", " ")))
    page.strip_tags(["script", "style"])
    return page.text(separator="")
