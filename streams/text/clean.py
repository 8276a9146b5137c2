"""Cleaning: one line of readable text out of whatever a feed sends. Total and idempotent."""

from __future__ import annotations

import html
import re
import unicodedata

from selectolax.lexbor import LexborHTMLParser

from streams.scripts import is_unspaced
from streams.text.controls import CONTROL, FORMAT

__all__ = ["clean_text"]

_TAG = re.compile(r"<[a-zA-Z/!?]")
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
# What ends a line on a page ends a word here; other tags stand inside words: <b>A</b>cme.
_BLOCK = re.compile(r"</?(?:p|div|br|li|ul|ol|tr|td|th|table|h[1-6]|section|article|hr)\b[^>]*>", re.IGNORECASE)
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
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
    text = FORMAT.sub("", text)
    text = unicodedata.normalize("NFKC", text)
    if _TAG.search(text):
        text = _without_markup(_CDATA.sub(r"\1", text))
    elif "&" in text:
        text = html.unescape(text)
    text = _URL.sub(" ", CONTROL.sub(" ", text))
    return " ".join(text.split())


def _without_markup(text: str) -> str:
    page = LexborHTMLParser(_BLOCK.sub(" ", text.replace("\x00", " ")))
    page.strip_tags(["script", "style"])
    return page.text(separator="")
