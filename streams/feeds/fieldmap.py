"""The mapper: a raw record of any shape -> `records.News`, or a `Reject` with its reason.

    news_from_record ─┬─ our own JSON ─────────────────────► News   (checked, about 3 µs)
                      └─ parse_json ── to_news ──┬─────────► News
                                                 └─────────► Reject

    reasons   no_value                    the record is empty: compacted topics delete a key by one without a value
              bad_json, not_an_object     parse
              no_title, bad_type          the title is absent, empty or no text
              no_source                   nobody to name as publisher, and no URL to take one from
              no_date                     a line of a file without a date that makes sense
              future_seen                 the entrance's clock is over a day ahead
              newer_version               our own record, written by a newer moodwire

A wrong publication date, language or URL rejects nothing: the item goes on without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from streams.errors import Reject
from streams.feeds.dates import LATEST_MS, parse_date
from streams.feeds.extra import bounded_extra, is_bounded
from streams.feeds.fieldspec import FieldMap, Rule, load_fieldmap
from streams.feeds.parse import clean_string, parse_json
from streams.records import VERSION, News
from streams.text.controls import escaped_url, plain_line
from streams.wall_clock import DAY_MS

if TYPE_CHECKING:
    from streams.settings import Settings

__all__ = [
    "OF_THE_MAP",
    "FieldMap",
    "dated_ms",
    "field_map_of",
    "load_fieldmap",
    "news_from_record",
    "parse_json",
    "published_ms",
    "to_news",
]

OF_THE_MAP = frozenset({"no_title", "no_source", "no_date", "bad_type"})
"""The reasons that another field map may help with."""


TITLE_LIMIT = 2_000
TEXT_LIMIT = 100_000
_URL_LIMIT = 4_096
_ID_LIMIT = 10_000
_NAME_LIMIT = 200  # a source, an entity
_LANGUAGE_LIMIT = 35  # the longest BCP 47 tag that is recommended to be supported (RFC 5646, section 4.4.1)
_ENTITIES_LIMIT = 64

_own_decoder = msgspec.json.Decoder(News)


def field_map_of(settings: Settings) -> FieldMap:
    """The settings' field map, or the default one."""
    return load_fieldmap(settings.field_map) if settings.field_map else FieldMap.default()


def news_from_record(value: bytes | None, timestamp_ms: int, fieldmap: FieldMap, now_ms: int) -> News:
    """Reads one record of topic `news`: what our publisher wrote, or what anybody else did.

    A foreign record was seen at the record's own `timestamp_ms` (at `now_ms` when the broker gave none, -1).
    Raises `Reject`.
    """
    if not value:
        raise Reject("no_value", "the record has no value: it deletes its key in a compacted topic, or is empty")
    try:
        news = _own_decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    else:
        if news.schema > VERSION:
            raise Reject(
                "newer_version",
                f"format {news.schema}, read up to {VERSION}: upgrade this moodwire, then `moodwire rejects retry`",
            )
        if _is_sound(news):
            _check_seen(news.seen_ms, now_ms)
            return news
    seen_ms = timestamp_ms if timestamp_ms > 0 else None
    return to_news(parse_json(value), fieldmap, seen_ms=seen_ms, now_ms=now_ms)


def _is_sound(news: News) -> bool:
    """Whether a record that looks like ours keeps what ours promise; if not, it is mapped like any other."""
    title, text, published_ms = news.title, news.text, news.published_ms
    return (
        news.schema == VERSION
        and 0 < len(title) <= TITLE_LIMIT
        and len(text) <= TEXT_LIMIT
        and 0 < len(news.id) <= 64
        and 0 < len(news.content) <= 64
        and 0 < len(news.source) <= _NAME_LIMIT
        and news.seen_ms >= 0
        and (published_ms is None or 0 <= published_ms < LATEST_MS)
        and (news.language is None or len(news.language) <= _LANGUAGE_LIMIT)
        and "\0" not in title
        and "\0" not in text
        and "\0" not in news.id
        and "\0" not in news.content
        and plain_line(news.source) == news.source
        and plain_line(news.language or "") == (news.language or "")
        and (not news.url or (_link(news.url) == news.url and "\0" not in news.url))
        and (not news.entities or _are_names(news.entities))
        and (not news.extra or is_bounded(news.extra))
    )


def _are_names(entities: tuple[str, ...]) -> bool:
    return len(entities) <= _ENTITIES_LIMIT and all(
        0 < len(name) <= _NAME_LIMIT and "\0" not in name for name in entities
    )


def to_news(raw: Mapping[str, Any], fieldmap: FieldMap, *, seen_ms: int | None, now_ms: int) -> News:
    """Maps one raw record; raises `Reject` and nothing else, whatever JSON values `raw` holds.

    `seen_ms` is the entrance's clock (None: `now_ms`). The id hashes the source with the source's own id, so
    two feeds that both number their items 1, 2, 3 do not meet.
    """
    if not isinstance(raw, Mapping):
        raise Reject("not_an_object", f"expected a JSON object, got {type(raw).__name__}")
    seen = now_ms if seen_ms is None else seen_ms
    _check_seen(seen, now_ms)
    rules = fieldmap.rules
    used: set[str] = set()
    title, title_path = _title(raw, rules["title"], used)
    text = _first_text(raw, rules["text"], used, TEXT_LIMIT, besides=title_path)
    address = _first_text(raw, rules["url"], used, _ID_LIMIT)
    source = plain_line(_first_text(raw, rules["source"], used, _NAME_LIMIT)) or plain_line(_host(address))
    if not source:
        raise Reject("no_source", "no field names the publisher; add 'source: {value: NAME}' to the field map")
    own_id = _first_text(raw, rules["id"], used, _ID_LIMIT)
    published = _published(raw, rules["published"], used)
    day = (seen if published is None else published) // DAY_MS
    return News(
        id=_identity(source, own_id, address, f"{day}\0{title}"),
        content=_digest(title, text),
        title=title,
        text=text,
        source=source,
        seen_ms=seen,
        url=_link(address),
        published_ms=published,
        language=plain_line(_first_text(raw, rules["language"], used, _LANGUAGE_LIMIT)) or None,
        entities=_entities(raw, rules["entities"], used),
        extra=bounded_extra(raw, used, fieldmap.extra),
    )


def published_ms(raw: Mapping[str, Any], fieldmap: FieldMap) -> int | None:
    """The publication date that a raw record claims (UTC epoch milliseconds), None when it makes no sense."""
    return _published(raw, fieldmap.rules["published"], set())


def dated_ms(raw: Mapping[str, Any], fieldmap: FieldMap) -> int:
    """The publication date of a record whose clock it is; raises `Reject` (`no_date`) without one that makes sense."""
    found = published_ms(raw, fieldmap)
    if found is not None:
        return found
    rule = fieldmap.rules["published"]
    held = ((path, lookup(raw, path, set())) for path in rule.paths)
    wrong = next((f"{value!r:.80} at '{path}' is no date" for path, value in held if value is not None), "")
    raise Reject(
        "no_date", wrong or f"no date at {', '.join(rule.paths) or 'any field'}, and a replay's clock is its dates"
    )


def _check_seen(seen_ms: int, now_ms: int) -> None:
    if seen_ms > now_ms + DAY_MS:
        days = (seen_ms - now_ms) / DAY_MS
        raise Reject("future_seen", f"seen {days:.1f} days ahead of this machine's clock; check the producer's clock")


def _identity(source: str, own_id: str, address: str, title_and_day: str) -> str:
    if own_id:
        return _digest(source, "id", own_id)
    if address:
        return _digest(source, "url", address)
    return _digest(source, "title", title_and_day)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _title(raw: Mapping[str, Any], rule: Rule, used: set[str]) -> tuple[str, str | None]:
    """The title and the path that gave it; what stands there as a list or an object is a `bad_type`."""
    if rule.value is not None:
        return str(rule.value), None
    wrong = None
    for path in rule.paths:
        value = lookup(raw, path, used)
        text = _as_text(value, TITLE_LIMIT)
        if text:
            return text, path
        if text is None and value is not None:
            wrong = wrong or f"the title at '{path}' is {_type_name(value)}, expected a text"
    if rule.default is not None:
        return str(rule.default), None
    if wrong:
        raise Reject("bad_type", wrong)
    raise Reject("no_title", f"no text at {', '.join(rule.paths) or 'any field'}")


def _first_text(raw: Mapping[str, Any], rule: Rule, used: set[str], limit: int, besides: str | None = None) -> str:
    """The first place that holds a text that is not empty; `besides` names one that is taken already."""
    if rule.value is not None:
        return _as_text(rule.value, limit) or ""
    for path in rule.paths:
        if path != besides and (text := _as_text(lookup(raw, path, used), limit)):
            return text
    return _as_text(rule.default, limit) or ""


def _as_text(value: Any, limit: int) -> str | None:
    """A text without surrounding blanks; numbers are written out; None for what is no text."""
    if value is None:
        return None
    if isinstance(value, str):
        return clean_string((value if len(value) <= limit else value[: limit * 2]).strip(_BLANKS), limit)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return str(value)[:limit]
    except ValueError:  # more digits than Python agrees to convert
        return None


# Blanks and control characters: a title of nothing else is no title.
_BLANKS = "".join(map(chr, range(0x21))) + "\x7f\x85\xa0\u200b\u2028\u2029\u3000\ufeff"


def _type_name(value: Any) -> str:
    return {bool: "true or false", list: "a list", dict: "an object"}.get(type(value), type(value).__name__)


def lookup(raw: Mapping[str, Any], path: str, used: set[str]) -> Any:
    """The value at `path` (``a.b.0``), None when absent; notes the top-level field in `used`.

    A field whose own name holds dots goes first.
    """
    if path in raw:
        used.add(path)
        return raw[path]
    if "." not in path:
        return None
    value: Any = raw
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and len(name) < 10 and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").removeprefix("www.")[:_NAME_LIMIT]
    except ValueError:
        return ""


def _link(address: str) -> str:
    """Only what a reader may safely click; another address still tells items apart, in the id."""
    link = escaped_url(address)
    return link if link.startswith(("https://", "http://")) and len(link) <= _URL_LIMIT else ""


def _published(raw: Mapping[str, Any], rule: Rule, used: set[str]) -> int | None:
    if rule.value is not None:
        return parse_date(rule.value, rule.formats, rule.zone)
    for path in rule.paths:
        value = lookup(raw, path, used)
        if value is not None and (read := parse_date(value, rule.formats, rule.zone)) is not None:
            return read
    return None if rule.default is None else parse_date(rule.default, rule.formats, rule.zone)


def _entities(raw: Mapping[str, Any], rule: Rule, used: set[str]) -> tuple[str, ...]:
    """Given entities: a text, a text with separators, a list of texts or of objects with an id, symbol or name."""
    value = rule.value
    for path in rule.paths:
        value = lookup(raw, path, used) if value is None else value
    value = rule.default if value is None else value
    if isinstance(value, str):
        cut = value[: _ENTITIES_LIMIT * _NAME_LIMIT]
        value = cut.split(rule.separator) if rule.separator else [cut]
    if not isinstance(value, list):
        return ()
    names = (_as_text(_entity_name(entry), _NAME_LIMIT) for entry in value[:_ENTITIES_LIMIT])
    return tuple(dict.fromkeys(name for name in names if name))


def _entity_name(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return next((entry[key] for key in ("id", "symbol", "name") if entry.get(key)), None)
