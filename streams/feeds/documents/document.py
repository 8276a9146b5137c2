"""What a feed's document holds, however it was read."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

import msgspec

from streams.feeds.dates import EARLIEST_BARE_MS
from streams.text.clean import clean_text

__all__ = ["MOST_ENTRIES", "Document", "RawEntry", "RawFeed", "finished"]

MOST_ENTRIES = 2_000  # feeds have 10 to 200; one of 10 MiB may have 250,000
_TITLE_CHARACTERS = 120  # of a title that is made of the text
_MOST_TITLE = 4_000  # twice what the mapper keeps
_MOST_TEXT = 200_000
_MOST_OTHER = 20_000
_MOST_LANGUAGE = 100  # of each entry, though the document has it once
_FLAW_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One entry as the document has it; None or empty for what it lacks. `link` may be relative."""

    id: str | None
    title: str
    text: str
    link: str
    published_ms: int | None
    language: str | None


@dataclass(frozen=True, slots=True)
class RawFeed:
    """Entries in the document's order, its title, and what is wrong with its form, if anything."""

    entries: list[RawEntry]
    title: str
    flaw: str = ""


class Document(msgspec.Struct, frozen=True):
    """What a feed said: its entries as raw records, oldest first, and what was wrong with its form, if anything.

    `dropped` counts the oldest entries, beyond `MOST_ENTRIES`; `cpu_seconds` is what the parser process needed.
    """

    entries: tuple[dict[str, str | int | None], ...]
    title: str
    flaw: str
    dropped: int = 0
    cpu_seconds: float = 0.0


def finished(raw: RawFeed, url: str, most_entries: int = MOST_ENTRIES) -> Document:
    """The newest entries with links resolved against `url`, where the document was, and titles for those without."""
    oldest_first = raw.entries[::-1]  # feeds put the newest first
    newest = sorted(oldest_first, key=_date_key)[-most_entries:]
    dropped = len(raw.entries) - len(newest)
    flaw = f"{len(raw.entries):,} entries, the newest {most_entries:,} are taken" if dropped else raw.flaw
    return Document(
        tuple(_record(entry, url) for entry in newest), raw.title[:_MOST_TITLE], flaw[:_FLAW_CHARACTERS], dropped
    )


def _record(entry: RawEntry, url: str) -> dict[str, str | int | None]:
    return {
        "id": entry.id and entry.id[:_MOST_OTHER],
        "title": (entry.title if entry.title.strip() else _title_of(entry.text))[:_MOST_TITLE],
        "text": entry.text[:_MOST_TEXT],
        "url": _absolute(entry, url)[:_MOST_OTHER],
        "published": _number_of_date(entry.published_ms),
        "language": entry.language and entry.language[:_MOST_LANGUAGE],
    }


def _number_of_date(published_ms: int | None) -> int | None:
    """None for one of 1970 to 1973, which no feed means: the mapper takes a number so small for seconds."""
    return published_ms if published_ms is not None and published_ms >= EARLIEST_BARE_MS else None


def _title_of(text: str) -> str:
    """The beginning of a text, for an entry without a title, which RSS allows."""
    beginning = clean_text(text, 2 * _TITLE_CHARACTERS)
    title = clean_text(beginning, _TITLE_CHARACTERS)
    return title if title == beginning else f"{title}…"


def _absolute(entry: RawEntry, url: str) -> str:
    """The link, resolved; an id that serves as a link is one only if it is absolute."""
    if not entry.link or entry.link == entry.id:
        return entry.link
    try:
        return urljoin(url, entry.link)
    except ValueError:
        return entry.link


def _date_key(entry: RawEntry) -> float:
    """Entries without a date go last, in the document's own order."""
    return float("inf") if entry.published_ms is None else entry.published_ms
