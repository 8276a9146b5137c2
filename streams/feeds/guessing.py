"""Guessing a field map: from the names of a file's fields and what they hold to the YAML that would read it.

    records ── fields: path, values ── each field of an item: by name, then by what is in it ──► GuessedMap

A guess is printed for a person to look over; nothing is ever read by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

import yaml

from streams.feeds.dates import parse_date

__all__ = ["GuessedMap", "fields_of", "guess_fieldmap"]

_DEEPEST = 3  # levels of objects in objects
_MOST_FIELDS = 200
_VALUES_KEPT = 100  # of a field
_MOST_HOLD = 0.8  # of a field's values must be what the name promises: real files have gaps and slips

_NAMES: Mapping[str, tuple[str, ...]] = {  # the likeliest first; compared without case, blanks and punctuation
    "title": ("title", "headline", "head", "heading", "newstitle", "articletitle", "subject", "header"),
    "text": ("text", "body", "content", "article", "summary", "description", "snippet", "abstract", "lead", "story",
             "message", "tweet", "post", "comment"),
    "published": ("published", "publishedat", "publishdate", "publicationdate", "pubdate", "datetime", "date",
                  "timestamp", "time", "ts", "createdat", "created", "day", "when", "updated"),
    "url": ("url", "link", "href", "permalink", "uri", "weburl", "articleurl", "newsurl", "address"),
    "source": ("source", "publisher", "outlet", "provider", "site", "domain", "feed", "channel", "agency", "newspaper"),
    "id": ("id", "guid", "uuid", "newsid", "articleid", "ref", "reference", "key", "no", "nr", "number"),
    "language": ("language", "lang", "locale"),
    "entities": ("entities", "tickers", "ticker", "symbols", "symbol", "stocks", "stock", "companies", "company"),
}  # fmt: skip
_DAY_FIRST = ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%d.%m.%y")
_CLOCKS = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", " %I:%M %p", ", %H:%M")
_DAY_PATTERNS = tuple(day + clock for day in _DAY_FIRST for clock in _CLOCKS)
_PATTERNS = (*_DAY_PATTERNS, "%Y%m%d", "%Y%m%d %H%M", "%Y%m%d%H%M%S")


@dataclass(frozen=True, slots=True)
class GuessedMap:
    """A guess: a rule for each field of an item that was found; `missing` are needed and were not."""

    rules: Mapping[str, Any]
    missing: tuple[str, ...] = field(default=())

    def yaml(self) -> str:
        """The field map, ready to save; a line of comment for each field that somebody must name."""
        told = yaml.safe_dump(dict(self.rules), sort_keys=False, allow_unicode=True, width=10_000) if self.rules else ""
        return told + "".join(f"# {name}: FIELD        # no field looks like it: name it\n" for name in self.missing)


def fields_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The fields of `records` by path (``a.b`` within objects), each with its first values that are not empty."""
    found: dict[str, list[Any]] = {}
    for record in records:
        for path, value in _walk(record, "", 1):
            if path not in found and len(found) >= _MOST_FIELDS:
                continue
            values = found.setdefault(path, [])
            if value not in (None, "", []) and len(values) < _VALUES_KEPT:
                values.append(value)
    return found


def _walk(record: Mapping[str, Any], above: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        path = f"{above}{name}"
        if isinstance(value, Mapping) and value and depth < _DEEPEST:
            yield from _walk(value, f"{path}.", depth + 1)
        else:
            yield path, value


def guess_fieldmap(records: Sequence[Mapping[str, Any]]) -> GuessedMap:
    """The field map that fits `records`, as far as names and values tell."""
    fields = {path: values for path, values in fields_of(records).items() if values and path}  # no map can name ""
    rules: dict[str, Any] = {}
    taken: set[str] = set()
    for target in ("published", "url", "title", "text", "source", "language", "id", "entities"):
        path = _named(target, fields, taken) or _by_content(target, fields, taken)
        if path is not None:
            taken.add(path)
            rules[target] = _rule(target, fields[path], path)
    if "title" not in rules and "text" in rules:
        rules["title"] = rules.pop("text")  # short posts have one text and no headline
    order = [name for name in _ORDER if name in rules]
    return GuessedMap({name: rules[name] for name in order}, tuple({"title", "published"} - rules.keys()))


_ORDER = ("id", "title", "text", "source", "url", "published", "language", "entities")


def _named(target: str, fields: Mapping[str, Sequence[Any]], taken: set[str]) -> str | None:
    """The field with the likeliest name whose values fit; whole names go before names that hold one."""
    fitting = [path for path in fields if path not in taken and _FITS[target](fields[path])]
    for matches in (_is_name, _ends_with_name):
        for name in _NAMES[target]:
            for path in fitting:
                if matches(path, name):
                    return path
    return None


def _by_content(target: str, fields: Mapping[str, Sequence[Any]], taken: set[str]) -> str | None:
    """Without a telling name: dates are dates, links are links, and the shorter of the running texts is the title."""
    fitting = [path for path in fields if path not in taken and _FITS[target](fields[path])]
    if target in ("published", "url"):
        return fitting[0] if fitting else None
    running = [path for path in fitting if _is_running_text(fields[path])]
    if target == "title":
        return min(running, key=lambda path: _length(fields[path]), default=None)
    return max(running, key=lambda path: _length(fields[path]), default=None) if target == "text" else None


def _is_name(path: str, name: str) -> bool:
    return _plain(path.rpartition(".")[2]) == name


def _ends_with_name(path: str, name: str) -> bool:
    words = re.findall(r"[A-Z]?[^\W_A-Z]+|[A-Z]+", path.rpartition(".")[2])
    return len(name) > 2 and any(_plain(word) == name for word in words)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _rule(target: str, values: Sequence[Any], path: str) -> Any:
    if target == "published" and (pattern := _pattern(values)) is not None:
        return {"field": path, "format": pattern}
    if target == "entities" and (separator := _separator(values)) is not None:
        return {"field": path, "separator": separator}
    return path


def _pattern(values: Sequence[Any]) -> str | None:
    """The pattern of dates that are not read without one, or read with day and month exchanged; else None."""
    texts = [value.strip() for value in values if isinstance(value, str)]
    if not texts or not all(text[:1].isdigit() for text in texts):
        return None
    fitting = next((pattern for pattern in _PATTERNS if all(_reads(text, pattern) for text in texts)), None)
    if fitting is None or all(re.match(r"\d{8}$", text) for text in texts):
        return fitting if fitting is not None and any(parse_date(text) is None for text in texts) else None
    days = [int(re.split(r"\D", text)[0]) for text in texts]
    return fitting if max(days) > 12 or "." in texts[0][:3] or any(parse_date(text) is None for text in texts) else None


def _reads(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text, pattern)  # noqa: DTZ007  # only whether it is one
    except ValueError:
        return False
    return True


def _separator(values: Sequence[Any]) -> str | None:
    texts = [value for value in values if isinstance(value, str)]
    return next((mark for mark in (";", "|", ",") if any(mark in text for text in texts)), None)


def _share(values: Sequence[Any], test: Callable[[Any], bool]) -> bool:
    return bool(values) and sum(map(test, values)) >= _MOST_HOLD * len(values)


def _length(values: Sequence[Any]) -> float:
    return median(len(value) if isinstance(value, str) else 0 for value in values)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and any(letter.isalpha() for letter in value) and not _is_link(value)


def _is_running_text(values: Sequence[Any]) -> bool:
    """Headlines have words, or signs of a script without blanks."""
    return _share(values, lambda value: _is_text(value) and _has_words(value)) and _length(values) >= 8


def _has_words(value: Any) -> bool:
    return isinstance(value, str) and (" " in value.strip() or not value.isascii())


def _is_link(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _is_date(value: Any) -> bool:
    if parse_date(value) is not None:
        return True
    return isinstance(value, str) and any(_reads(value.strip(), pattern) for pattern in _PATTERNS)


def _is_language(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z]{2,4})?", value) is not None


def _is_short(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool) and len(str(value)) <= 200


_FITS: Mapping[str, Callable[[Sequence[Any]], bool]] = {
    "title": lambda values: _share(values, _is_text) and 2 * sum(map(_has_words, values)) >= len(values),
    "text": lambda values: _share(values, _is_text),
    "published": lambda values: _share(values, _is_date),
    "url": lambda values: _share(values, _is_link),
    "source": lambda values: _share(values, lambda value: isinstance(value, str) and len(value) <= 200),
    "language": lambda values: _share(values, _is_language),
    "id": lambda values: _share(values, _is_short) and len(set(map(str, values))) == len(values),
    "entities": lambda values: _share(
        values, lambda value: isinstance(value, (str, list)) and len(str(value)) <= 2_000
    ),
}
