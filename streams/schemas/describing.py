"""Schemas of structs, with the words and units of `fields.yaml` and bounds for every number.

msgspec.json.schema_components ─► names for the places of arrays ─► words, units, bounds
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
import yaml

from alerts.records import EARLIEST_MS, LATEST_MS

__all__ = ["LARGEST", "UNITS", "described", "stale", "structs_of", "undescribed"]

LARGEST: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8259, section 6)."""

UNITS: Final[Mapping[str, Mapping[str, Any]]] = {
    "time": {"x-unit": "milliseconds since 1970-01-01T00:00:00Z", "minimum": EARLIEST_MS, "maximum": LATEST_MS},
    "seconds": {"x-unit": "seconds", "minimum": 0, "maximum": LARGEST},
    "bytes": {"x-unit": "bytes", "minimum": 0, "maximum": LARGEST},
    "characters": {"x-unit": "characters", "minimum": 0, "maximum": LARGEST},
    "count": {"x-unit": "count", "minimum": 0, "maximum": LARGEST},
    "number": {"x-unit": "number", "minimum": 0, "maximum": LARGEST},
    "version": {"x-unit": "version", "minimum": 1, "maximum": LARGEST},
    "bits": {"x-unit": "bits", "minimum": 0, "maximum": 2**63 - 1},
    "probability": {"x-unit": "probability", "minimum": 0, "maximum": 1},
    "score": {"x-unit": "score", "minimum": -1, "maximum": 1},
    "rate": {"x-unit": "items an hour, or a share of the items", "minimum": 0},
    "expected": {"x-unit": "expected count", "minimum": 0},
}
"""What a unit in `fields.yaml` means. `bits` is for internal records: it is no number that others may read."""

_UNIT: Final = re.compile(r"\s*\[(\w+)\]$")
_ABOUT: Final = "about"


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    text = resources.files("streams.schemas").joinpath("fields.yaml").read_text(encoding="utf-8")
    words: Mapping[str, Mapping[str, str]] = yaml.safe_load(text)
    return words


def structs_of(types: Iterable[type]) -> dict[str, type]:
    """The structs of records, those in their fields too, by name."""
    found: dict[str, type] = {}
    for kind in types:
        for info in _infos(msgspec.inspect.type_info(kind)):
            found[info.cls.__name__] = info.cls
    return found


def _infos(info: Any) -> Iterator[msgspec.inspect.StructType]:
    seen: set[type] = set()
    waiting = [info]
    while waiting:
        one = waiting.pop()
        if isinstance(one, msgspec.inspect.StructType):
            if one.cls in seen:
                continue
            seen.add(one.cls)
            yield one
            waiting += [each.type for each in one.fields]
        for name in ("type", "item_type", "value_type"):
            waiting += filter(None, [getattr(one, name, None)])
        for name in ("types", "item_types"):
            waiting += getattr(one, name, None) or ()


def undescribed(types: Iterable[type]) -> list[str]:
    """The fields without words in `fields.yaml`, and numbers without a unit, as `Struct.field`."""
    schemas = described(types, "#/$defs/{name}")
    missing = [name for name in schemas if _ABOUT not in _words().get(name, {})]
    for name, schema in schemas.items():
        for field, given in _fields(schema):
            if "description" not in given or (_numbers(given) and "x-unit" not in given):
                missing.append(f"{name}.{field}")
    return sorted(missing)


def stale(types: Iterable[type]) -> list[str]:
    """What `fields.yaml` describes and no struct has."""
    schemas = described(types, "#/$defs/{name}")
    known = {name: {_ABOUT, *(field for field, _ in _fields(schema))} for name, schema in schemas.items()}
    return sorted(
        f"{name}.{field}" for name, words in _words().items() for field in words if field not in known.get(name, set())
    )


def described(types: Iterable[type], ref_template: str) -> dict[str, dict[str, Any]]:
    """The schema of each struct by its name; references follow `ref_template`."""
    types = list(types)
    _, schemas = msgspec.json.schema_components(types, ref_template=ref_template)
    structs = structs_of(types)
    for name, schema in schemas.items():
        words = _words().get(name, {})
        schema["description"] = words.get(_ABOUT, "")
        if name in structs:  # else an enumeration
            _name_places(schema, structs[name])
        for field, given in _fields(schema):
            _describe(given, words.get(field))
    return dict(schemas)


def _name_places(schema: dict[str, Any], struct: type) -> None:
    """A record that is an array says by its order what its places are: each gets its field's name as title."""
    for place, field in zip(schema.get("prefixItems", ()), msgspec.structs.fields(struct), strict=False):
        place["title"] = field.encode_name


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from schema.get("properties", {}).items()
    for place in schema.get("prefixItems", ()):
        yield place["title"], place


def _describe(given: dict[str, Any], text: str | None) -> None:
    if text is None:
        return
    given["description"] = _UNIT.sub("", text)
    if unit := _UNIT.search(text):
        bounds = UNITS[unit[1]]
        given["x-unit"] = bounds["x-unit"]
        for number in _numbers(given):
            for limit in ("minimum", "maximum"):
                if limit in bounds:
                    number.setdefault(limit, bounds[limit])


def _numbers(schema: Any) -> list[dict[str, Any]]:
    """The schemas of integers and fractions within a field's, those of other structs apart."""
    if isinstance(schema, list):
        return [number for one in schema for number in _numbers(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") in {"integer", "number"} else []
    parts = [schema.get(part) for part in ("anyOf", "items", "prefixItems", "additionalProperties")]
    return own + [number for part in parts for number in _numbers(part)]
