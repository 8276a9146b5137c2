"""A field map: where a foreign record holds each field of a news item.

    title: headline                        # a path; a.b.c walks into nested objects, a.0 into lists
    text: [body, summary]                  # the first that is not empty
    source: {value: twitter}               # a constant
    published: {field: ts, format: "%d/%m/%Y %H:%M", timezone: Europe/London}
    language: {field: lang, default: en}
    entities: {field: companies, separator: ";"}
    extra: keep                            # or drop, or the list of fields to keep

A field that a map does not name keeps its default places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streams.userfiles import Mistake, UserFile, read_file, shaped

__all__ = ["DEFAULT_PLACES", "FieldMap", "Rule", "load_fieldmap", "parse_fieldmap"]

DEFAULT_PLACES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "guid"),
    "title": ("title", "headline"),
    "text": ("text", "summary", "description", "body", "content"),
    "source": ("source", "publisher", "feed"),
    "url": ("url", "link"),
    "published": ("published", "published_at", "pubDate", "date", "timestamp"),
    "language": ("language", "lang"),
    "entities": ("entities", "entity", "tickers"),
}
_NAMED_FORMATS = ("auto", "iso", "unix_s", "unix_ms")


@dataclass(frozen=True, slots=True)
class Rule:
    """How one field is found: by `paths` in order, else `default`; a constant `value` goes before both."""

    paths: tuple[str, ...] = ()
    value: Any = None
    default: Any = None
    formats: tuple[str, ...] = ("auto",)
    zone: tzinfo = UTC
    separator: str | None = None


def _default_rules() -> Mapping[str, Rule]:
    return {name: Rule(paths) for name, paths in DEFAULT_PLACES.items()}


@dataclass(frozen=True, slots=True)
class FieldMap:
    """One rule per field of a news item. `extra` None keeps all other fields, else those that it names."""

    rules: Mapping[str, Rule] = field(default_factory=_default_rules)
    extra: frozenset[str] | None = None

    @classmethod
    def default(cls) -> FieldMap:
        return _DEFAULT

    def with_source(self, name: str) -> FieldMap:
        """The same map, where `name` is the source of items that name none."""
        rule = self.rules["source"]
        if rule.default is not None:
            return self
        return replace(self, rules={**self.rules, "source": replace(rule, default=name)})

    def fingerprint(self) -> str:
        """A hash of what the map says: the same for two files that say the same."""
        kept = None if self.extra is None else sorted(self.extra)
        content = repr((sorted(self.rules.items()), kept))
        return hashlib.sha256(content.encode("utf-8", "backslashreplace")).hexdigest()[:16]


_DEFAULT = FieldMap()


_Text = Annotated[str, Meta(min_length=1)]
_Texts = _Text | Annotated[tuple[_Text, ...], Meta(min_length=1)]


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a field is found, as it is written."""

    field: _Texts | UnsetType = UNSET
    value: Any = UNSET
    default: Any = UNSET

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what its types cannot say."""
        if self.field is UNSET and self.value is UNSET and self.default is UNSET:
            yield (), "it finds nothing; give 'field', 'value' or 'default'"
        if self.field is not UNSET and self.value is not UNSET:
            yield (), "'field' and 'value' exclude each other; use 'default' for a fall-back"

    def rule(self) -> Rule:
        return Rule(_listed(self.field), _or_none(self.value), _or_none(self.default))


class _PublishedKeys(_Keys, frozen=True, forbid_unknown_fields=True):
    format: _Texts = "auto"
    timezone: str = "UTC"

    def mistakes(self) -> Iterator[Mistake]:
        yield from super().mistakes()
        for name in _listed(self.format):
            if name not in _NAMED_FORMATS and "%" not in name:
                known = ", ".join(_NAMED_FORMATS)
                yield (
                    ("format",),
                    f"{_shown(name)} is no format; take one of {known}, or a pattern such as '%d/%m/%Y %H:%M'",
                )
        if _zone(self.timezone) is None:
            yield ("timezone",), f"unknown timezone {_shown(self.timezone)}; use a name such as Europe/London"

    def rule(self) -> Rule:
        return replace(super().rule(), formats=_listed(self.format), zone=_zone(self.timezone) or UTC)


class _EntitiesKeys(_Keys, frozen=True, forbid_unknown_fields=True):
    separator: _Text | None = None

    def rule(self) -> Rule:
        return replace(super().rule(), separator=self.separator)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: _Texts | _Keys | UnsetType = UNSET
    title: _Texts | _Keys | UnsetType = UNSET
    text: _Texts | _Keys | UnsetType = UNSET
    source: _Texts | _Keys | UnsetType = UNSET
    url: _Texts | _Keys | UnsetType = UNSET
    published: _Texts | _PublishedKeys | UnsetType = UNSET
    language: _Texts | _Keys | UnsetType = UNSET
    entities: _Texts | _EntitiesKeys | UnsetType = UNSET
    extra: Literal["keep", "drop"] | tuple[str, ...] = "keep"


def load_fieldmap(path: str | Path) -> FieldMap:
    """Returns the map of a YAML file. Raises `SettingsError` naming the file and each mistake: line, key and fix."""
    return _field_map(read_file(path))


def parse_fieldmap(document: Any, origin: str) -> FieldMap:
    """Returns the map that values as read from YAML hold; `origin` names them in errors."""
    return _field_map(UserFile.of(document, origin))


def _field_map(file: UserFile) -> FieldMap:
    written = shaped(file, _File)
    file.refuse()
    rules = dict(_default_rules())
    for name in DEFAULT_PLACES:
        value = getattr(written, name)
        if value is not UNSET:
            rules[name] = value.rule() if isinstance(value, _Keys) else Rule(_listed(value))
    return FieldMap(rules, _extra(written.extra if written is not None else "keep"))


def _listed(value: Any) -> tuple[str, ...]:
    """One text or several, as a tuple."""
    if value is UNSET:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _or_none(value: Any) -> Any:
    return None if value is UNSET else value


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return None


def _extra(value: str | tuple[str, ...]) -> frozenset[str] | None:
    if value == "keep":
        return None
    return frozenset() if value == "drop" else frozenset(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
