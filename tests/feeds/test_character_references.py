"""Numeric references that are no characters cost an entry some characters, and its neighbours nothing."""

from __future__ import annotations

import time
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.feeds.documents.reading import parse_document
from streams.feeds.documents.references import corrected_references, corrected_text
from streams.feeds.documents.well_formed import read_well_formed
from streams.text.clean import clean_text

FEED = "<rss version='2.0'><channel><title>t</title>{items}</channel></rss>"
ODD = [
    ("&#xD83D;&#xDE80;", "\U0001f680"),
    ("&#55357;&#56960;", "\U0001f680"),
    ("&#xd83d;&#56960;", "\U0001f680"),
    ("&#x0000D83D;&#xDE80;", "\U0001f680"),
    ("&#xDE80;&#xD83D;", "\ufffd\ufffd"),
    ("&#xD83D;&#xD83D;&#xDE80;", "\ufffd\U0001f680"),
    ("&#xD83D; &#xDE80;", "\ufffd \ufffd"),
    ("&#xD800;", "\ufffd"),
    ("&#x110000;", "\ufffd"),
    ("&#xffffffff;", "\ufffd"),
    ("&#99999999999999999999;", "\ufffd"),
    ("&#" + "9" * 5_000 + ";", "\ufffd"),
    ("&#x" + "0" * 30 + "41;", "A"),
    ("&#xFFFF;", "\ufffd"),
    ("&#0;", " "),
    ("&#x1b;", " "),
    ("&#9;&#10;&#13;&#x41;&#X;&#;", None),
    ("&#x1F680;&#20013;&#233;", None),
    ("& #xD800;", None),
]


def titles(title: str, *, encoding: str = "utf-8", flaw: str = "") -> list[str]:
    """What is read of a feed with this title, as its XML has it, between two others; `flaw` breaks the XML."""
    items = "".join(f"<item><title>{text}</title></item>" for text in ("before", title, f"after{flaw}"))
    declared = "" if encoding == "utf-8" else f"<?xml version='1.0' encoding='{encoding}'?>"
    body = (declared + FEED.format(items=items)).encode(encoding)
    return [str(entry["title"]) for entry in parse_document(body, {}).entries][::-1]


@pytest.mark.parametrize(("written", "meant"), ODD)
def test_a_reference_is_what_it_means_or_the_replacement(written: str, meant: str | None) -> None:
    corrected = corrected_text(f"a {written} b")
    if meant is None:
        assert corrected == f"a {written} b"
    else:
        assert clean_text(corrected, 100).split() == f"a {meant} b".split()


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("flaw", ["", " & so on"])
def test_a_pair_of_surrogates_is_one_character_in_any_encoding(encoding: str, flaw: str) -> None:
    before, rally, after = titles("rally &#xD83D;&#xDE80; goes on", encoding=encoding, flaw=flaw)
    assert (before, rally) == ("before", "rally \U0001f680 goes on")
    assert after.startswith("after")


def test_the_linear_reader_takes_a_corrected_document() -> None:
    body = FEED.format(items="<item><title>a &#xD800; b</title></item>").encode()
    assert read_well_formed(body, {}) is None
    raw = read_well_formed(corrected_references(body), {})
    assert raw is not None
    assert raw.entries[0].title == "a \ufffd b"


numbers = st.one_of(
    st.integers(0, 0x120000),
    st.integers(0xD7F0, 0xE010),
    st.integers(0, 0x30),
    st.integers(0, 10**30),
)
references = st.one_of(
    numbers.map(lambda number: f"&#{number};"),
    numbers.map(lambda number: f"&#x{number:x};"),
    numbers.map(lambda number: f"&#X00{number:X}"),
    st.sampled_from(["&amp;", "text ", "<![CDATA[&#xD800;]]>", "&amp;#xD800;", "&eacute;"]),
)


@settings(deadline=None)
@given(st.lists(references, min_size=1, max_size=6).map("".join), st.sampled_from(["", " & so on"]))
@example("&#xD83D;&#xDE80;", "")
@example("&#x110000;", " &")
def test_any_numeric_reference_leaves_the_neighbours_readable(title: str, flaw: str) -> None:
    before, _, after = titles(title, flaw=flaw)
    assert before == "before"
    assert after.startswith("after")


@given(st.text(max_size=40))
def test_text_without_odd_references_is_returned_as_it_is(text: str) -> None:
    escaped = escape(text)
    assert corrected_text(escaped) is escaped


@pytest.mark.parametrize("piece", ["&#xD800;", "&#1", "&#", "&#xD83D;&#xDE80;", "&#x4e2d;", "&#0"])
def test_the_correction_is_linear(piece: str) -> None:
    body = (piece * (4_000_000 // len(piece))).encode()
    started = time.process_time()
    corrected_references(body)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("flaw", ["", "&"])
@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 9999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -0500",
        "01-Jan-0001", "Mon, 01 Jan 0099 00:00:00 +0000", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
        "Fri, 16 Jan 1970 10:00:00 GMT", "Sat, 01 Jan 1972 00:00:00 GMT", "2150-01-01", "99999-01-01",
    ],
)  # fmt: skip
def test_a_date_that_no_publication_has_counts_as_absent(date: str, flaw: str) -> None:
    items = f"<item><title>a{flaw}</title><pubDate>{date}</pubDate></item>"
    (entry,) = parse_document(FEED.format(items=items).encode(), {}).entries
    assert entry["published"] is None
