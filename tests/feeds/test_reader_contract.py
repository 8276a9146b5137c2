"""What every reader of feeds keeps to, so that another format is one more reader and a sample of it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from streams.errors import Reject
from streams.feeds.documents.document import RawFeed
from streams.feeds.documents.reading import READERS, parse_document

RSS = (
    b"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>Mill News</title><language>en</language>"
    b"<item><title>Second</title><link>/2</link><guid>urn:2</guid><pubDate>Tue, 17 Feb 2026 08:36:05 GMT</pubDate>"
    b"<description>Text of it</description></item>"
    b"<item><title>First</title><link>/1</link><guid>urn:1</guid><pubDate>Mon, 16 Feb 2026 08:36:05 GMT</pubDate>"
    b"</item>"
    b"</channel></rss>"
)
XML = {"content-type": "application/rss+xml"}

SAMPLES: Mapping[str, tuple[bytes, Mapping[str, str]]] = {
    "read_well_formed": (RSS, XML),
    "read_any": (RSS.replace(b"</channel></rss>", b"</channel>&"), XML),
}
"""By the name of a reader a document of two entries that it reads, with the response's headers."""

Reader = Callable[[bytes, Mapping[str, str]], RawFeed | None]

readers = pytest.mark.parametrize("reader", READERS, ids=lambda reader: str(reader.__name__))


def sample_of(reader: Reader) -> tuple[bytes, Mapping[str, str]]:
    return SAMPLES[reader.__name__]


def test_every_reader_has_a_sample() -> None:
    assert set(SAMPLES) == {reader.__name__ for reader in READERS}


@readers
def test_it_reads_its_sample(reader: Reader) -> None:
    body, headers = sample_of(reader)
    raw = reader(body, headers)
    assert raw is not None
    assert [entry.title for entry in raw.entries] == ["Second", "First"], "in the order of the document"
    assert raw.title == "Mill News"
    assert all(isinstance(entry.published_ms, int) for entry in raw.entries)
    assert {entry.id for entry in raw.entries} == {"urn:1", "urn:2"}


@readers
def test_its_sample_becomes_a_document_oldest_first_with_absolute_links(reader: Reader) -> None:
    body, headers = sample_of(reader)
    document = parse_document(body, headers, "https://mill.example/feed")
    assert [(entry["title"], entry["url"]) for entry in document.entries] == [
        ("First", "https://mill.example/1"),
        ("Second", "https://mill.example/2"),
    ]
    first = document.entries[0]
    assert (first["id"], first["published"], first["language"]) == ("urn:1", 1_771_230_965_000, "en")


@readers
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\0" * 50, b"\xff\xfe", b"<html><body>Sign in</body></html>", b"[" * 5_000, b"null"]
)
def test_what_it_does_not_know_is_none_of_its_business(reader: Reader, body: bytes) -> None:
    """It answers None and leaves the document to the next reader, or rejects it."""
    assert _outcome(lambda: reader(body, {})) in (None, "bad_feed")


@readers
@pytest.mark.parametrize("other", READERS, ids=lambda reader: str(reader.__name__))
def test_it_takes_no_document_that_another_reader_reads_otherwise(reader: Reader, other: Reader) -> None:
    body, headers = sample_of(other)
    try:
        raw = reader(body, headers)
    except Reject:
        return
    assert raw is None or [entry.title for entry in raw.entries] == ["Second", "First"]


@readers
def test_a_document_cut_anywhere_gives_what_was_readable_or_a_reason(reader: Reader) -> None:
    body, headers = sample_of(reader)
    for end in range(0, len(body), 7):
        found = _outcome(partial(parse_document, body[:end], headers))
        assert found == "bad_feed" or len(found.entries) <= 2


def _outcome(read: Callable[[], Any]) -> Any:
    """What it returns, or the reason for which it rejects."""
    try:
        return read()
    except Reject as reject:
        return reject.reason
