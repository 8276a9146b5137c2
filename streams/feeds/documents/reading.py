"""One document of a feed -> its entries.

    bytes ── no entity declarations ── references ── READERS ──┬── well_formed ──┬── Document, oldest first
                                                               └── feedparser ───┴── Reject: unsafe_xml, bad_feed

feedparser removes the document type before it parses; declarations of entities are refused here nevertheless, as no
feed needs them and every XML bomb does.
"""

from __future__ import annotations

import calendar
import io
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from streams.errors import Reject
from streams.feeds.dates import is_plausible, read_date
from streams.feeds.documents.document import MOST_ENTRIES, Document, RawEntry, RawFeed, finished
from streams.feeds.documents.references import corrected_references
from streams.feeds.documents.well_formed import read_well_formed

__all__ = ["READERS", "parse_document", "read_any"]

# NULs are taken out before the search, so that UTF-16 and UTF-32 read the same; the second is EBCDIC.
_ENTITY = re.compile(rb"<!\s*ENTITY|\+ADwAIQ?-?\s*ENTITY|" + re.escape("<!ENTITY".encode("cp037")), re.IGNORECASE)
_BOUND = 300  # characters of a message
# The whole tag in XML, where no value holds "<"; no byte is looked at twice, as a match ends before the next "<".
_TAG = re.compile(rb"""<[A-Za-z_:\x80-\xff](?:[^<>"']+|"[^"<]*"|'[^'<]*')*""")
_VALUE = re.compile(rb"""=\s*(?:"[^"]*"|'[^']*')""")
_MOST_ATTRIBUTES = 500  # of a tag; feeds have 10, and feedparser takes 6 s for 24,000


def parse_document(
    body: bytes, headers: Mapping[str, str], url: str = "", *, most_entries: int = MOST_ENTRIES
) -> Document:
    """Parses a whole document that came from `url`; `headers` are the response's, names in lower case.

    CPU work of seconds, and on a hostile document of hours: call it where it can be killed. Raises `Reject`:
    ``unsafe_xml`` for declarations of entities, ``bad_feed`` for what is no feed, broke before its first entry, or
    broke the parser.
    """
    plain = body.replace(b"\0", b"")
    if _ENTITY.search(plain):
        raise Reject("unsafe_xml", "the document declares entities; a feed needs none")
    body = corrected_references(body)
    try:
        raw = _read(body, headers)
    except (Reject, MemoryError):
        raise
    except Exception as error:  # the boundary of a parser that reads anything: its defects are the document's
        raise Reject("bad_feed", f"cannot be parsed: {error!r}"[:_BOUND]) from None
    return finished(raw, url, most_entries)


def _read(body: bytes, headers: Mapping[str, str]) -> RawFeed:
    for reader in READERS:
        raw = reader(body, headers)
        if raw is not None:
            return raw
    raise Reject("bad_feed", "no reader knows the format of the document")


def _check_tags(body: bytes) -> None:
    """In linear time; raises `Reject` for a tag that would take feedparser seconds."""
    for tag in _TAG.finditer(body):
        text = tag[0]
        if text.count(b"=") > _MOST_ATTRIBUTES and len(_VALUE.findall(text)) > _MOST_ATTRIBUTES:
            raise Reject("bad_feed", f"a tag has over {_MOST_ATTRIBUTES} attributes")


def read_any(body: bytes, headers: Mapping[str, str]) -> RawFeed:
    """Reads well-formed and broken documents alike, by feedparser; raises `Reject` and whatever feedparser raises.

    Markup inside texts is left as it is: cleaning takes it out later, and feedparser's own sanitiser is quadratic.
    """
    import feedparser  # most feeds are read without it

    _check_tags(body.replace(b"\0", b""))
    kept = {name: value for name, value in headers.items() if name == "content-type"}
    parsed = feedparser.parse(io.BytesIO(body), response_headers=kept, resolve_relative_uris=False, sanitize_html=False)
    flaw = str(parsed.get("bozo_exception", "")) if parsed.get("bozo") else ""
    if not parsed.entries and (flaw or not parsed.get("version")):
        raise Reject("bad_feed", (flaw or "neither RSS nor Atom")[:_BOUND])
    language = parsed.feed.get("language")
    return RawFeed([_entry(entry, language) for entry in parsed.entries], str(parsed.feed.get("title", "")), flaw)


Reader = Callable[[bytes, Mapping[str, str]], RawFeed | None]

READERS: Final[tuple[Reader, ...]] = (read_well_formed, read_any)
"""Readers of a document and its response's headers, in the order in which they are tried.

A reader returns None for a document of another format; the last one rejects what none has read. Another format of feeds
is one more reader, before `read_any`.
"""


def _entry(entry: dict[str, Any], language: Any) -> RawEntry:
    content = entry.get("content")
    full = next((part.get("value") for part in content or () if part.get("value")), None)
    title = entry.get("title_detail", {})
    identity = entry.get("id")
    return RawEntry(
        id=None if identity is None else str(identity),
        title=str(entry.get("title") or ""),
        text=str(entry.get("summary") or full or ""),
        link=str(entry.get("link") or ""),
        published_ms=_published_ms(entry),
        language=title.get("language") or language or None,
    )


def _published_ms(entry: dict[str, Any]) -> int | None:
    """The entry's date: as we read it everywhere, else as feedparser does, which knows more forms.

    A date that no publication has counts as absent. feedparser is not asked for it: of the year 0001 it makes 2001.
    """
    for name in ("published", "updated", "created"):
        # feedparser's own get() answers for absent names with others, and warns.
        read_ms = read_date(dict.get(entry, name))
        theirs = dict.get(entry, f"{name}_parsed")
        if read_ms is None and theirs is not None:
            read_ms = calendar.timegm(theirs) * 1000
        if read_ms is not None and is_plausible(read_ms):
            return read_ms
    return None
