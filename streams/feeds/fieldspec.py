"""A field map: where in a foreign record each field of a news item stands.

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

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from streams.errors import SettingsError

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
_EVERY_RULE = ("field", "value", "default")
_RULE_KEYS: Mapping[str, tuple[str, ...]] = {
    "published": (*_EVERY_RULE, "format", "timezone"),
    "entities": (*_EVERY_RULE, "separator"),
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
        said = repr((sorted(self.rules.items()), kept))
        return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()[:16]


_DEFAULT = FieldMap()


def load_fieldmap(path: str | Path) -> FieldMap:
    """Reads a field map from a YAML file; raises `SettingsError` naming the file, the key and the fix."""
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"field map {path}: {error.strerror or error}; give the path of a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise SettingsError(f"field map {path} is not valid YAML: {' '.join(str(error).split())}") from None
    return parse_fieldmap(document, str(path))


def parse_fieldmap(document: Any, origin: str) -> FieldMap:
    """Checks a field map as read from YAML; `origin` names it in errors."""
    if not isinstance(document, dict):
        raise SettingsError(f"field map {origin}: expected keys such as 'title: headline', got {_shown(document)}")
    rules = dict(_default_rules())
    for key, value in document.items():
        _check_key(key, (*DEFAULT_PLACES, "extra"), origin)
        if key != "extra":
            rules[key] = _rule(key, value, origin)
    return FieldMap(rules, _extra(document.get("extra", "keep"), origin))


def _check_key(key: Any, allowed: tuple[str, ...], origin: str) -> None:
    if key in allowed:
        return
    near = difflib.get_close_matches(str(key), allowed, n=1)
    fix = f"did you mean '{near[0]}'?" if near else f"allowed are {', '.join(allowed)}"
    raise SettingsError(f"field map {origin}: unknown key {_shown(key)}; {fix}")


def _rule(key: str, value: Any, origin: str) -> Rule:
    where = f"{origin}, key '{key}'"
    if not isinstance(value, dict):
        return Rule(_paths(value, where))
    for option in value:
        _check_key(option, _RULE_KEYS.get(key, _EVERY_RULE), where)
    if "field" not in value and "value" not in value and "default" not in value:
        raise SettingsError(f"field map {where}: give 'field', 'value' or 'default'")
    if "field" in value and "value" in value:
        raise SettingsError(f"field map {where}: 'field' and 'value' exclude each other; use 'default' for a fall-back")
    return Rule(
        paths=_paths(value["field"], where) if "field" in value else (),
        value=value.get("value"),
        default=value.get("default"),
        formats=_formats(value.get("format", "auto"), where),
        zone=_zone(value.get("timezone", "UTC"), where),
        separator=_separator(value.get("separator"), where),
    )


def _paths(value: Any, where: str) -> tuple[str, ...]:
    paths = value if isinstance(value, list) else [value]
    if not paths or not all(isinstance(path, str) and path for path in paths):
        raise SettingsError(f"field map {where}: expected a field name or a list of them, got {_shown(value)}")
    return tuple(paths)


def _formats(value: Any, where: str) -> tuple[str, ...]:
    formats = value if isinstance(value, list) else [value]
    for name in formats:
        if name not in _NAMED_FORMATS and not (isinstance(name, str) and "%" in name):
            raise SettingsError(
                f"field map {where}: format {_shown(name)} is none of {', '.join(_NAMED_FORMATS)} and no pattern"
                " such as '%d/%m/%Y %H:%M'"
            )
    return tuple(formats)


def _zone(name: Any, where: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, TypeError, OSError):
        raise SettingsError(
            f"field map {where}: unknown timezone {_shown(name)}; use a name such as Europe/London"
        ) from None


def _separator(value: Any, where: str) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise SettingsError(f"field map {where}: separator must be a text such as ';', got {_shown(value)}")


def _extra(value: Any, origin: str) -> frozenset[str] | None:
    if value == "keep":
        return None
    if value == "drop":
        return frozenset()
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return frozenset(value)
    raise SettingsError(f"field map {origin}, key 'extra': use keep, drop or a list of names, got {_shown(value)}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
