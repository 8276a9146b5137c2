"""The linear reader answers what feedparser answers, or leaves the document to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.feeds.documents.reading import read_any
from streams.feeds.documents.well_formed import read_well_formed

XML = {"content-type": "application/rss+xml"}
NAMES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom"'
    ' xmlns:slash="http://purl.org/rss/1.0/modules/slash/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
)


def agree(body: bytes, headers: Mapping[str, str] = XML) -> bool:
    """Whether the linear reader took the document; it must not take one that feedparser reads otherwise."""
    fast = read_well_formed(body, headers)
    if fast is None:
        return False
    slow = read_any(body, headers)
    assert fast.entries == slow.entries
    assert fast.title == slow.title
    return True


def rss(*items: str, channel: str = "", attributes: str = "") -> bytes:
    inner = "".join(f"<item>{item}</item>" for item in items)
    return f"<rss version='2.0' {NAMES} {attributes}><channel><title>t</title>{channel}{inner}</channel></rss>".encode()


def atom(*entries: str, feed: str = "", attributes: str = "") -> bytes:
    inner = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f"<feed xmlns='http://www.w3.org/2005/Atom' {attributes}><title>t</title>{feed}{inner}</feed>".encode()


WIRE = (
    "<title>Acme &amp; Sons fall</title><link>https://x.example/1?a=1&amp;b=2</link><guid isPermaLink='false'>1</guid>"
    "<pubDate>Tue, 17 Feb 2026 08:36:05 GMT</pubDate><description>&lt;p&gt;Text&lt;/p&gt;</description>"
    "<category domain='d'>c</category><dc:creator>Jo</dc:creator><media:content url='i'><media:credit>p</media:credit>"
    "</media:content><enclosure url='e'/><slash:comments>3</slash:comments><source url='s'>S</source>"
)
PRESS = (
    "<id>urn:1</id><title type='html'>&lt;b&gt;Acme&lt;/b&gt;</title><link href='https://x.example/1'/>"
    "<link rel='enclosure' href='e'/><published>2026-02-17T07:36:05Z</published><updated>2026-02-18T07:36:05Z</updated>"
    "<summary>s</summary><content type='html'>&lt;p&gt;c&lt;/p&gt;</content><author><name>n</name></author>"
)


@pytest.mark.parametrize(
    "body",
    [
        rss(WIRE, WIRE),
        rss(WIRE, channel="<language>en-gb</language><image><title>i</title><url>u</url></image><atom:link href='x'/>"),
        rss("<title>a</title><guid>https://x.example/2</guid>"),
        rss("<guid>3</guid><title>a</title><content:encoded><![CDATA[<p>b</p>]]></content:encoded>"),
        rss("<description></description><title>a</title><content:encoded>b</content:encoded>"),
        rss("<title>caf\xe9 \u4e2d</title><dc:date>2026-02-17T07:36:05Z</dc:date>"),
        rss("<title>twice encoded caf\u00c3\u00a9</title>"),
        rss("<title>Windows \x93quotes\x94</title>"),
        rss("<title/><description>text alone</description>"),
        rss("<title>a</title><link>http:////x.example/</link>"),
        rss("<title>a</title><link></link><guid>g</guid>"),
        b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>" + rss(WIRE),
        atom(PRESS, PRESS),
        atom(PRESS, attributes="xml:lang='de_CH'"),
        atom("<id>https://x.example/1</id><title>a</title><updated>2026-02-17T07:36:05Z</updated>"),
        atom("<id>1</id><title>a</title><link href='/one'/><link href='/two' type='text/html'/>"),
    ],
)
def test_plain_documents_are_taken_and_read_alike(body: bytes) -> None:
    assert agree(body)


@pytest.mark.parametrize(
    "body",
    [
        rss(WIRE)[:-10],
        b"\n<?xml version='1.0' encoding='utf-8'?>" + rss(WIRE),
        b"<!DOCTYPE rss>" + rss(WIRE),
        b"<?xml version='1.0' encoding='iso-8859-1'?>" + rss(WIRE),
        rss("<title>a</title><title>b</title>"),
        rss("<title>a</title><media:title>b</media:title>"),
        rss("<title>a</title><itunes:summary>b</itunes:summary>"),
        rss("<title>a <b>bold</b></title>"),
        rss("<title type='html'>a</title>"),
        rss("<title>a</title><pubDate>17 f\xe9vrier</pubDate>"),
        rss("<title>a</title><atom:link href='x'/>"),
        rss(WIRE, attributes="xml:base='https://x.example/'"),
        rss(WIRE, channel="<dc:language>de</dc:language>"),
        rss(WIRE, channel="<image><item/></image>"),
        rss(),
        atom("<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>a</div></title>"),
        atom("<title>a</title><content src='x'/>"),
        atom("<title xml:lang='de'>a</title>"),
        atom("<title>a</title><source><title>b</title></source>"),
        b"<html><body/></html>",
        b"",
    ],
)
def test_other_documents_are_left_to_feedparser(body: bytes) -> None:
    assert read_well_formed(body, XML) is None


def test_encodings_that_contradict_are_left_to_feedparser() -> None:
    body = rss("<title>caf\xe9</title>")
    assert agree(body, {"content-type": "application/rss+xml; charset=utf-8"})
    assert agree(body, {})
    assert read_well_formed(body, {"content-type": "application/rss+xml; charset=iso-8859-1"}) is None
    assert read_well_formed(body, {"content-type": "text/xml"}) is None
    assert agree(rss(WIRE), {"content-type": "text/xml"}), "ASCII is the same in both"


texts = st.text(st.sampled_from("a \n&<>\"'\xe9\xc3\xa9\x93\u4e2d;#=?/:.") | st.characters(codec="utf-8"), max_size=12)
dates = st.sampled_from(
    ["Tue, 17 Feb 2026 08:36:05 GMT", "2026-02-17T07:36:05Z", "17 Feb 2026", "soon", "", "1771313765"]
)


def element(name: str, content: st.SearchStrategy[str], attributes: str = "") -> st.SearchStrategy[str]:
    return content.map(lambda text: f"<{name}{attributes}>{_xml(text)}</{name}>")


def _xml(text: str) -> str:
    """Escaped, without what XML cannot hold."""
    return escape("".join(char for char in text if char in "\n\t" or (char >= " " and char not in "\ufffe\uffff")))


rss_parts = st.one_of(
    element("title", texts),
    element("link", texts),
    element("guid", texts),
    element("guid", texts, " isPermaLink='false'"),
    element("description", texts),
    element("content:encoded", texts),
    element("pubDate", dates),
    element("dc:date", dates),
    element("category", texts, " domain='d'"),
    element("author", texts),
    element("dc:creator", texts),
    element("source", texts, " url='u'"),
    element("comments", texts),
    element("media:content", st.just(""), " url='u'"),
    element("media:title", texts),
    element("unknown", texts),
)
atom_parts = st.one_of(
    element("title", texts),
    element("title", texts, " type='html'"),
    element("id", texts),
    element("summary", texts, " type='text'"),
    element("content", texts, " type='html'"),
    element("content", texts),
    element("published", dates),
    element("updated", dates),
    element("rights", texts),
    element("category", st.just(""), " term='t'"),
    texts.map(lambda text: f"<link href='{_xml(text).replace(chr(39), '')}'/>"),
    texts.map(lambda text: f"<link rel='self' href='{_xml(text).replace(chr(39), '')}'/>"),
    texts.map(lambda text: f"<author><name>{_xml(text)}</name></author>"),
)
channels = st.lists(
    st.one_of(
        element("language", st.sampled_from(["en", "de-DE", ""])),
        element("description", texts),
        st.just("<image><title>i</title><link>l</link><url>u</url></image>"),
        st.just("<atom:link href='x' rel='self'/>"),
        st.just("<textInput><title>x</title><name>n</name></textInput>"),
    ),
    max_size=3,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(rss_parts, max_size=6).map("".join), min_size=1, max_size=3), channels)
def test_any_rss_is_read_alike(items: list[str], channel: str) -> None:
    agree(rss(*items, channel=channel))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(atom_parts, max_size=6).map("".join), min_size=1, max_size=3))
def test_any_atom_is_read_alike(entries: list[str]) -> None:
    agree(atom(*entries), {"content-type": "application/atom+xml"})


def test_documents_that_others_have_collected_are_read_alike(shared_data: Path) -> None:
    paths = [path for path in (shared_data / "feeds").rglob("*") if path.is_file()]
    taken = [path.name for path in paths if agree(path.read_bytes(), {})]
    assert {"feedBusiness.xml", "feedEnvironment.xml"} <= set(taken), "the third begins with an empty line"
