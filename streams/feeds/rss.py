"""One RSS or Atom document -> raw records for the mapper.

    bytes ── no entity declarations ── feedparser (strict, else loose) ──┬── entries, oldest first
                                                                         └── Reject: unsafe_xml, bad_feed

feedparser reads what XML parsers refuse, and it removes the document type before it parses; declarations of
entities are refused here nevertheless, as no feed needs them and every XML bomb does.
"""

from __future__ import annotations

import calendar
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import feedparser

from streams.errors import Reject
from streams.feeds.dates import parse_date

__all__ = ["Document", "parse_document"]

# NULs are taken out before the search, so that UTF-16 and UTF-32 read the same; the second is EBCDIC.
_ENTITY = re.compile(rb"<!\s*ENTITY|\+ADwAIQ?-?\s*ENTITY|" + re.escape("<!ENTITY".encode("cp037")), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """What a feed said: its entries as raw records, oldest first, and what was wrong with its form, if anything."""

    entries: tuple[Mapping[str, Any], ...]
    title: str
    flaw: str


def parse_document(body: bytes, headers: Mapping[str, str]) -> Document:
    """Parses a whole document; `headers` are the response's (content type, location, …), names in lower case.

    CPU work of up to seconds for a large document. Raises `Reject`: ``unsafe_xml`` for declarations of entities,
    ``bad_feed`` for what is no feed or broke before its first entry.
    """
    if _ENTITY.search(body.replace(b"\0", b"")):
        raise Reject("unsafe_xml", "the document declares entities; a feed needs none")
    try:
        parsed = feedparser.parse(io.BytesIO(body), response_headers=dict(headers))
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError, AssertionError) as error:
        raise Reject("bad_feed", f"cannot be parsed: {error!r}"[:300]) from None
    flaw = str(parsed.get("bozo_exception", "")) if parsed.get("bozo") else ""
    if not parsed.entries and (flaw or not parsed.get("version")):
        raise Reject("bad_feed", (flaw or "neither RSS nor Atom")[:300])
    language = parsed.feed.get("language")
    entries = [_record(entry, language) for entry in reversed(parsed.entries)]  # feeds put the newest first
    return Document(tuple(sorted(entries, key=_date_key)), str(parsed.feed.get("title", "")), flaw[:300])


def _record(entry: dict[str, Any], language: Any) -> dict[str, Any]:
    content = entry.get("content")
    full = next((part.get("value") for part in content or () if part.get("value")), None)
    title = entry.get("title_detail", {})
    return {
        "id": entry.get("id"),
        "title": entry.get("title"),
        "text": entry.get("summary") or full,
        "url": entry.get("link"),
        "published": _published(entry),
        "language": title.get("language") or language,
    }


def _published(entry: dict[str, Any]) -> int | None:
    """The entry's date in milliseconds: as feedparser reads it, else as we do."""
    for name in ("published", "updated", "created"):
        # feedparser's own get() answers for absent names with others, and warns.
        read = dict.get(entry, f"{name}_parsed")
        ours = parse_date(dict.get(entry, name))
        if read is not None or ours is not None:
            return ours if read is None else calendar.timegm(read) * 1000
    return None


def _date_key(record: Mapping[str, Any]) -> float:
    """Entries without a date go last, in the document's own order."""
    published = record["published"]
    return float("inf") if published is None else published
