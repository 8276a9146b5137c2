"""A linear reader for plain, well-formed RSS 2.0 and Atom 1.0; whatever else comes is left to feedparser.

It answers exactly what feedparser would, or nothing: an element, attribute or encoding that feedparser treats in a way
of its own makes it give up. Time and memory are proportional to the document, whatever it holds: expat does the
parsing, nothing is searched twice, and a document type ends it before an entity can be declared.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from xml.parsers import expat

from streams.feeds.dates import is_plausible, read_date
from streams.feeds.documents.document import RawEntry, RawFeed

__all__ = ["read_well_formed"]

_SEPARATOR = " "  # between a namespace and a name; neither holds one
_ATOM = "http://www.w3.org/2005/atom "
_DC = "http://purl.org/dc/elements/1.1/ "
_MEDIA = "http://search.yahoo.com/mrss/ "
_SLASH = "http://purl.org/rss/1.0/modules/slash/ "
_WFW = "http://wellformedweb.org/commentapi/ "
_CONTENT = "http://purl.org/rss/1.0/modules/content/ encoded"
_LANG = "http://www.w3.org/xml/1998/namespace lang"


@dataclass(frozen=True, slots=True)
class _Form:
    """RSS or Atom: how deep its entries are, what they are called, and what we read in them (in lower case).

    `passed` holds what feedparser reads for itself alone.
    """

    above: int
    entry: str
    fields: Mapping[str, str]
    passed: frozenset[str]


_RSS = _Form(
    above=1,
    entry="item",
    fields={
        "title": "title",
        "link": "link",
        "guid": "id",
        "description": "summary",
        "pubdate": "published",
        _CONTENT: "content",
        f"{_DC}date": "updated",
    },
    passed=frozenset(
        ["author", "category", "comments", "enclosure", "source", f"{_DC}creator", f"{_DC}subject", f"{_SLASH}comments"]
        + [f"{_MEDIA}{name}" for name in ("content", "thumbnail", "credit")]
        + [f"{_WFW}{name}" for name in ("comment", "commentrss")]
        + ["http://rssnamespace.org/feedburner/ext/1.0 origlink"]
    ),
)
_ATOM_FORM = _Form(
    above=0,
    entry=f"{_ATOM}entry",
    fields={_ATOM + name: name for name in ("title", "link", "id", "summary", "content", "published", "updated")},
    passed=frozenset(_ATOM + name for name in ("author", "contributor", "category", "name", "email", "uri")),
)
_PLAIN_TYPES = frozenset(["text", "html", "text/plain", "text/html"])
_HTML_TYPES = frozenset(["html", "text/html", "xhtml", "application/xhtml+xml"])
_FEED_WORDS = frozenset(["item", "entry", "channel", "feed", "rss", "rdf", "language"])  # not to be met elsewhere

_DECLARED = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.-]{1,40})""", re.IGNORECASE)
_SLASHES = re.compile("^([A-Za-z][A-Za-z0-9+-.]*://)(/*)")
_CP1252 = {code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in b"\x81\x8d\x8f\x90\x9d"}


class _GiveUp(Exception):
    """The document is for feedparser."""


def read_well_formed(body: bytes, headers: Mapping[str, str]) -> RawFeed | None:
    """The entries of a plain document in UTF-8, or None: feedparser must decide."""
    if not _is_utf8(body, headers.get("content-type", "")):
        return None
    reader = _Reader()
    try:
        reader.read(body)
        return RawFeed(reader.finished(), reader.title) if reader.entries else None
    except (_GiveUp, expat.ExpatError, UnicodeError):
        return None


def _is_utf8(body: bytes, content_type: str) -> bool:
    """Whether feedparser would decode it as UTF-8: it is declared, or implied, and nothing contradicts it."""
    declared = _DECLARED.match(body)
    charset = _CHARSET.search(content_type)
    names = ([declared[1].decode("ascii")] if declared else []) + ([charset[1]] if charset else [])
    if any(name.lower() not in ("utf-8", "utf8") for name in names):
        return False
    return bool(names) or body.isascii() or not content_type.strip().lower().startswith("text/")


class _Reader:
    """Collects entries while expat parses."""

    def __init__(self) -> None:
        self.entries: list[RawEntry] = []
        self.title = ""
        self._language: str | None = None
        self._form: _Form | None = None
        self._depth = 0
        self._passed_at = 0  # the depth of the element whose content is passed over; 0: none
        self._in_entry = False
        self._entry: dict[str, str] = {}
        self._field = ""
        self._pieces: list[str] = []

    def read(self, body: bytes) -> None:
        """Raises `_GiveUp` or `ExpatError`."""
        parser = expat.ParserCreate("utf-8", _SEPARATOR)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _give_up
        parser.Parse(body, True)

    def finished(self) -> list[RawEntry]:
        """The entries, with the language that the feed may have named after them."""
        language = self._language or None
        return [
            RawEntry(entry.id, entry.title, entry.text, entry.link, entry.published_ms, language)
            for entry in self.entries
        ]

    # -- what expat finds

    def _start(self, name: str, given: Mapping[str, str]) -> None:
        name = name.lower()
        attributes = {key.lower(): value for key, value in given.items()}
        self._depth += 1
        if self._passed_at:
            self._pass_on(name)
        elif self._field:
            raise _GiveUp  # markup that is not escaped
        elif self._form is None:
            self._root(name, attributes)
        elif self._depth <= 1 + self._form.above:
            self._channel(name, attributes)
        elif self._in_entry:
            self._in_entry_start(self._form, name, attributes)
        else:
            self._in_feed_start(self._form, name, attributes)

    def _root(self, name: str, attributes: Mapping[str, str]) -> None:
        self._form = {"rss": _RSS, f"{_ATOM}feed": _ATOM_FORM}.get(name)
        if self._form is _ATOM_FORM:
            self._language = attributes.get(_LANG, "").replace("_", "-")
            attributes = {key: value for key, value in attributes.items() if key != _LANG}
        if self._form is None or any(_is_scope(key) for key in attributes):
            raise _GiveUp

    def _channel(self, name: str, attributes: Mapping[str, str]) -> None:
        if name != "channel" or attributes or self.entries:
            raise _GiveUp

    def _in_feed_start(self, form: _Form, name: str, attributes: Mapping[str, str]) -> None:
        if name == form.entry:
            if attributes:
                raise _GiveUp
            self._in_entry, self._entry = True, {}
        elif name == "language" and form is _RSS and not attributes:
            self._field = "language"
        elif form.fields.get(name) == "title" and not attributes and not self.title:
            self._field = "feed title"
        else:
            self._pass_on(name)
            self._passed_at = self._depth

    def _in_entry_start(self, form: _Form, name: str, attributes: Mapping[str, str]) -> None:
        field = form.fields.get(name)
        if field is None:
            self._pass_on(name)
            self._passed_at = self._depth
        elif field == "link" and form is _ATOM_FORM:
            self._atom_link(attributes)
            self._passed_at = self._depth
        elif field in self._entry:
            raise _GiveUp  # which of two counts is feedparser's to know
        else:
            self._check_attributes(form, field, attributes)
            self._field = field

    def _check_attributes(self, form: _Form, field: str, attributes: Mapping[str, str]) -> None:
        left = dict(attributes)
        if field == "id" and form is _RSS:
            self._entry["permalink"] = left.pop("ispermalink", "true")
        elif field in ("title", "summary", "content") and form is _ATOM_FORM:
            form_of_text = left.pop("type", "text").lower()
            if form_of_text not in _PLAIN_TYPES:
                raise _GiveUp
        if left:
            raise _GiveUp

    def _atom_link(self, attributes: Mapping[str, str]) -> None:
        if "href" not in attributes or "url" in attributes or "uri" in attributes or any(map(_is_scope, attributes)):
            raise _GiveUp
        is_page = attributes.get("type", "text/html").lower() in _HTML_TYPES
        if attributes.get("rel", "alternate").lower() == "alternate" and is_page:
            self._entry["link"] = _SLASHES.sub(r"\1", attributes["href"])

    def _pass_on(self, name: str) -> None:
        """An element whose content is passed over, or one inside it."""
        assert self._form is not None
        if self._in_entry:
            if name not in self._form.passed:
                raise _GiveUp
        elif name.rpartition(_SEPARATOR)[2] in _FEED_WORDS:
            raise _GiveUp

    def _text(self, text: str) -> None:
        if self._field:
            self._pieces.append(text)

    def _end(self, _: str) -> None:
        if self._passed_at:
            if self._passed_at == self._depth:
                self._passed_at = 0
        elif self._field:
            self._end_field()
        elif self._in_entry:
            self._in_entry = False
            self.entries.append(self._made())
        self._depth -= 1

    def _end_field(self) -> None:
        value = _repaired("".join(self._pieces).strip())
        if self._field == "feed title":
            self.title = value
        elif self._field == "language":
            self._language = value
        else:
            self._entry[self._field] = value
        self._field = ""
        self._pieces.clear()

    def _made(self) -> RawEntry:
        entry = self._entry
        identity, is_link = entry.get("id"), entry.get("permalink", "true") == "true"
        if identity is not None and is_link:
            identity = _SLASHES.sub(r"\1", identity)
        link = entry.get("link")
        if link is None:
            link = identity if identity is not None and is_link else ""
        elif self._form is _RSS:
            link = _SLASHES.sub(r"\1", link).replace("&amp;", "&")
            link = re.sub("&([A-Za-z0-9_]+);", r"&\1", link)
        return RawEntry(
            id=identity,
            title=entry.get("title", ""),
            text=entry.get("summary") or entry.get("content", ""),
            link=link,
            published_ms=_published_ms(entry),
            language=None,
        )


def _is_scope(attribute: str) -> bool:
    """Whether feedparser takes the attribute as a base address or a language for what is below."""
    return attribute.rpartition(_SEPARATOR)[2] in ("base", "lang")


def _published_ms(entry: Mapping[str, str]) -> int | None:
    for name in ("published", "updated"):
        text = entry.get(name)
        read_ms = read_date(text)
        if read_ms is not None and is_plausible(read_ms):
            return read_ms
        if text and read_ms is None:
            raise _GiveUp  # feedparser knows more forms
    return None


def _repaired(text: str) -> str:
    """As feedparser repairs what was encoded twice, or is Windows-1252 in disguise."""
    with contextlib.suppress(UnicodeError):
        text = text.encode("iso-8859-1").decode("utf-8")
    return text.translate(_CP1252)


def _give_up(*_: object) -> NoReturn:
    raise _GiveUp
