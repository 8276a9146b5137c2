"""RSS and Atom documents: sound, broken, oddly encoded and hostile."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import Reject
from streams.feeds.documents.document import Document
from streams.feeds.documents.reading import _check_tags, parse_document
from streams.feeds.fieldmap import FieldMap, to_news

RSS = """<?xml version="1.0" encoding="{encoding}"?>
<rss version="2.0"><channel><title>Mill News</title><language>en-gb</language>
<item><title>Second &amp; last</title><guid isPermaLink="false">2</guid><link>https://mill.example/2</link>
  <pubDate>Tue, 17 Feb 2026 08:36:05 +0100</pubDate><description>&lt;p&gt;Text&lt;/p&gt;</description></item>
<item><title>First caf\u00e9</title><guid>1</guid><pubDate>Mon, 16 Feb 2026 08:00:00 EST</pubDate></item>
<item><title>No date</title></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>M\u00fchle</title>
<entry><id>urn:1</id><title type="html">&lt;b&gt;Fett&lt;/b&gt;</title><updated>2026-02-17T07:36:05Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Inhalt</div></content>
<link href="https://muehle.example/1"/></entry></feed>"""


def parsed(text: str | bytes, **headers: str) -> Document:
    return parse_document(text.encode() if isinstance(text, str) else text, headers)


def reason_of(body: bytes) -> str | None:
    try:
        parse_document(body, {})
    except Reject as reject:
        return reject.reason
    return None


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
def test_rss_oldest_first_in_any_encoding(encoding: str) -> None:
    document = parsed(RSS.format(encoding=encoding).encode(encoding))
    assert document.title == "Mill News"
    assert [entry["title"] for entry in document.entries] == ["First caf\u00e9", "Second & last", "No date"]
    first, second, undated = document.entries
    assert first["published"] == 1_771_246_800_000
    assert (second["id"], second["url"], second["text"]) == ("2", "https://mill.example/2", "<p>Text</p>")
    assert second["published"] == 1_771_313_765_000
    assert (second["language"], undated["published"]) == ("en-gb", None)


def test_atom() -> None:
    (entry,) = parsed(ATOM).entries
    assert (entry["id"], entry["title"], entry["published"]) == ("urn:1", "<b>Fett</b>", 1_771_313_765_000)
    assert entry["language"] == "de"
    assert "Inhalt" in str(entry["text"])
    assert entry["url"] == "https://muehle.example/1"


WHERE = "https://mill.example/news/rss?key=1"


@pytest.mark.parametrize(
    ("item", "url"),
    [
        ("<link>/a</link>", "https://mill.example/a"),
        ("<link>../a?b=1&amp;c=2</link>", "https://mill.example/a?b=1&c=2"),
        ("<link>//cdn.example/a</link>", "https://cdn.example/a"),
        ("<link>https://other.example/a</link>", "https://other.example/a"),
        ("<link xml:base='https://base.example/x/'>a</link>", "https://base.example/x/a"),
        ("<guid>https://mill.example/7</guid>", "https://mill.example/7"),
        ("<guid>7</guid>", "7"),
        ("<link>http://[bad</link>", "http://[bad"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("ending", ["</item></channel></rss>", "</item></channel>&"], ids=["sound", "broken"])
def test_links_are_resolved_where_the_document_was_and_ids_are_not(item: str, url: str, ending: str) -> None:
    body = f"<rss version='2.0'><channel><item><title>a</title>{item}{ending}"
    (entry,) = parse_document(body.encode(), {}, WHERE).entries
    assert entry["url"] in {url, ""} if "[bad" in url else entry["url"] == url
    assert entry["id"] == (item[6:-7] if "guid" in item else None)


def test_a_relative_base_of_atom_is_resolved_too() -> None:
    body = ATOM.replace("<feed ", "<feed xml:base='/deep/' ").replace("https://muehle.example/1", "1")
    (entry,) = parse_document(body.encode(), {}, "https://muehle.example/feed").entries
    assert entry["url"] == "https://muehle.example/deep/1"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("&lt;p&gt;Acme falls&lt;/p&gt;", "Acme falls"),
        ("word " * 60, "word " * 23 + "word…"),
        ("x" * 500, "x" * 120 + "…"),
        ("&lt;img src='a'&gt;", ""),
    ],
)
def test_an_entry_with_text_alone_gets_a_title(text: str, title: str) -> None:
    body = f"<rss version='2.0'><channel><item><guid>1</guid><description>{text}</description></item></channel></rss>"
    (entry,) = parsed(body).entries
    assert entry["title"] == title


def test_what_breaks_off_gives_what_came_before() -> None:
    whole = RSS.format(encoding="utf-8")
    document = parsed(whole[: whole.index("<item><title>First")])
    assert [entry["title"] for entry in document.entries] == ["Second & last"]
    assert document.flaw


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>Sign in</body></html>", b"{}", b"\x00" * 50, b"\xff\xfe", b"<rss><"]
)
def test_what_is_no_feed_is_rejected(body: bytes) -> None:
    assert reason_of(body) == "bad_feed"


def test_a_name_of_a_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "secret.xml"
    path.write_text(RSS.format(encoding="utf-8"))
    assert reason_of(str(path).encode()) == "bad_feed"


# -- hostile documents

LAUGHS = (
    "<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
    + "]><rss version='2.0'><channel><title>&a11;</title><item><title>&a11;</title></item></channel></rss>"
)
QUADRATIC = (
    f"<!DOCTYPE rss [<!ENTITY a '{'x' * 50_000}'>]><rss version='2.0'><channel>"
    f"<item><title>{'&a;' * 5_000}</title></item></channel></rss>"
)


def external(url: str) -> str:
    return (
        f"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY secret SYSTEM '{url}'>]>"
        "<rss version='2.0'><channel><item><title>&secret;</title></item></channel></rss>"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32", "cp037", "utf-7"])
@pytest.mark.parametrize("text", [LAUGHS, QUADRATIC, external("file:///etc/hostname")], ids=["laughs", "long", "file"])
def test_declared_entities_are_refused(text: str, encoding: str) -> None:
    assert reason_of(text.encode(encoding)) in {"unsafe_xml", "bad_feed"}
    if not encoding.startswith("utf-7"):
        assert reason_of(text.encode(encoding)) == "unsafe_xml"


def test_external_document_types_and_includes_read_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    dtd = tmp_path / "evil.dtd"
    dtd.write_text(f"<!ENTITY secret SYSTEM '{secret.as_uri()}'>")
    body = (
        f"<!DOCTYPE rss SYSTEM '{dtd.as_uri()}'><rss version='2.0' xmlns:xi='http://www.w3.org/2001/XInclude'><channel>"
        f"<item><title>A &secret; <xi:include href='{secret.as_uri()}' parse='text'/></title></item></channel></rss>"
    )
    assert "hunter2" not in repr(parsed(body))


def test_deep_nesting_is_survived() -> None:
    body = RSS.format(encoding="utf-8").replace("<item>", "<a>" * 20_000 + "<item>", 1)
    assert reason_of(body.encode()) in {None, "bad_feed"}


# -- documents that others have collected


@pytest.mark.parametrize("folder", ["illformed", "encoding", "reuters_2019"])
def test_every_collected_document_gives_items_or_a_reason(shared_data: Path, folder: str) -> None:
    paths = sorted(path for path in (shared_data / "feeds" / folder).iterdir() if path.is_file())
    assert paths
    read = 0
    for path in paths:
        body = path.read_bytes()
        if reason_of(body) is not None:
            continue
        for entry in parse_document(body, {}).entries:
            named = {"title": "(none)", **{key: value for key, value in entry.items() if value}}
            assert to_news(named, SOURCED, seen_ms=1, now_ms=1).title
            read += 1
    assert read


SOURCED = FieldMap.default().with_source("collected")

fragments = st.sampled_from(
    [
        "<?",
        "<item>",
        "</item>",
        "<title>",
        "</title>",
        "<guid>",
        "x",
        "&amp;",
        "&#0;",
        "&#xD800;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "<pubDate>",
        "Tue, 17 Feb 2026",
        "99999",
        "</pubDate>",
        "<link href='",
        "'/>",
        "<!DOCTYPE a [",
        "\u202e",
        "?>",
    ]
)


@given(st.lists(fragments, max_size=25).map("".join))
def test_any_soup_is_a_document_or_a_reject(soup: str) -> None:
    body = f"<rss version='2.0'><channel>{soup}</channel></rss>".encode()
    reason = reason_of(body)
    assert reason in {None, "bad_feed", "unsafe_xml"}


@given(st.binary(max_size=120))
def test_any_bytes_are_a_document_or_a_reject(body: bytes) -> None:
    assert reason_of(body) in {None, "bad_feed", "unsafe_xml"}


def with_attributes(count: int, end: str, encoding: str) -> bytes:
    attributes = " ".join(f"a{n}='>{n}'" for n in range(count))
    head = f"<?xml version='1.0' encoding='{encoding}'?><rss version='2.0'><channel><item><title>x</title>"
    return f"{head}<foo {attributes}/></item>{end}".encode(encoding)


@pytest.mark.parametrize("end", ["</channel></rss>", "&"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_tag_of_many_attributes_is_refused(end: str, encoding: str) -> None:
    assert reason_of(with_attributes(500, end, encoding)) is None
    with pytest.raises(Reject, match="bad_feed: a tag has over 500 attributes"):
        parse_document(with_attributes(501, end, encoding), {})


def test_equals_signs_in_texts_and_values_are_no_attributes() -> None:
    link = "https://x.example/?" + "&amp;".join(f"a{n}=1" for n in range(900))
    text = "<![CDATA[" + "<a href='x'>1</a> b = 'c' " * 900 + "]]>"
    document = parsed(
        f"<rss version='2.0'><channel><item><title>x</title><foo a='{link}'/><description>{text}</description></item>&"
    )
    assert len(document.entries) == 1


@pytest.mark.parametrize("piece", [b"<a ", b"<a b='", b'<a b="', b"<a =", b"<a '\"", b"= ", b"='", b"<"])
def test_the_check_of_tags_is_linear(piece: bytes) -> None:
    started = time.process_time()
    with contextlib.suppress(Reject):
        _check_tags(b"<a " + piece * (4_000_000 // len(piece)))
    assert time.process_time() - started < 20
