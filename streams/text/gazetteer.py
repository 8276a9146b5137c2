"""Gazetteers: who can be named, and how. A file of the profile, and a user's own merged over it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from streams.errors import SettingsError
from streams.text.profile import read_yaml

__all__ = ["Issuer", "load_gazetteer", "merge"]

_FLAGS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
_COLUMNS = ("id", "name", "aliases", "tickers", "needs_evidence")


@dataclass(frozen=True, slots=True)
class Issuer:
    """One entity: its id, its name, other ways to name it, its tickers.

    `ambiguous` holds those of its names that are also words and need evidence.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    tickers: tuple[str, ...] = ()
    ambiguous: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    name: str
    aliases: tuple[str, ...] = ()
    tickers: tuple[str, ...] = ()
    needs_evidence: bool | tuple[str, ...] = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entities: tuple[_Entry, ...]


def load_gazetteer(path: Path) -> tuple[Issuer, ...]:
    """Entities of a CSV (columns id,name,aliases,tickers,needs_evidence; lists split by |) or YAML (`entities:`).

    `needs_evidence` is yes or no for all names, or a list of those that need it. Raises `SettingsError`
    naming the file, the entry and the fix.
    """
    entries = _from_csv(path) if path.suffix == ".csv" else _from_yaml(path)
    issuers = tuple(_issuer(entry, path) for entry in entries)
    seen: set[str] = set()
    for issuer in issuers:
        if issuer.id in seen:
            raise SettingsError(f"{path}: the id {issuer.id!r} stands twice; give every entity one entry")
        seen.add(issuer.id)
    return issuers


def merge(base: Iterable[Issuer], own: Iterable[Issuer]) -> tuple[Issuer, ...]:
    """`own` before `base`: the same id is replaced, and a ticker or name of both belongs to the user's entity."""
    merged = {issuer.id: issuer for issuer in own}
    for issuer in base:
        merged.setdefault(issuer.id, issuer)
    return tuple(merged.values())


def _issuer(entry: _Entry, path: Path) -> Issuer:
    if not entry.id.strip() or not entry.name.strip():
        raise SettingsError(f"{path}: entry {entry.id!r} ({entry.name!r}): id and name must not be empty")
    names = (entry.name, *entry.aliases)
    needs = entry.needs_evidence
    ambiguous = frozenset(needs) if isinstance(needs, tuple) else frozenset(names if needs else ())
    unknown = ambiguous - set(names)
    if unknown:
        raise SettingsError(f"{path}: entry {entry.id!r}: needs_evidence: {sorted(unknown)} are not among its names")
    return Issuer(entry.id, entry.name, entry.aliases, entry.tickers, ambiguous)


def _from_yaml(path: Path) -> tuple[_Entry, ...]:
    try:
        return msgspec.convert(read_yaml(path), _File).entities
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from error


def _from_csv(path: Path) -> list[_Entry]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if not {"id", "name"} <= set(reader.fieldnames or ()) or set(reader.fieldnames or ()) - set(_COLUMNS):
                raise SettingsError(f"{path}: line 1: the columns must be {','.join(_COLUMNS)}; id and name are needed")
            return [_row(row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _row(row: Mapping[str, Any]) -> _Entry:
    needs = _list(row.get("needs_evidence"))
    flag = needs[0].lower() if len(needs) == 1 else ""
    evidence: bool | tuple[str, ...] = (
        flag in {"1", "yes", "true"} if flag in {"1", "yes", "true", "0", "no", "false"} else needs
    )
    return _Entry(
        (row["id"] or "").strip(),
        (row["name"] or "").strip(),
        _list(row.get("aliases")),
        _list(row.get("tickers")),
        evidence or False,
    )


def _list(cell: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (cell or "").split("|") if part.strip())
