"""Gazetteers: who can be named, and how. A file of the profile, and a user's own merged over it."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from streams.errors import SettingsError
from streams.scripts import UNSPACED
from streams.text.profile import read_yaml

__all__ = ["Issuer", "load_gazetteer", "merge"]

_COLUMNS = ("id", "name", "aliases", "tickers", "needs_evidence")
_PADDING = re.compile(f"(?<=[{UNSPACED}]) +| +(?=[{UNSPACED}])")


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


def load_gazetteer(path: Path, columns: Mapping[str, str] | None = None) -> tuple[Issuer, ...]:
    """Entities of a CSV (columns id,name,aliases,tickers,needs_evidence; lists split by |) or YAML (`entities:`).

    `needs_evidence` is yes or no for all names, or a list of those that need it. `columns` says how a CSV calls some
    of these columns; it may have others then. Raises `SettingsError` naming the file, the entry and the fix.
    """
    entries = _from_csv(path, columns or {}) if path.suffix == ".csv" else _from_yaml(path)
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
    spelt = tuple(dict.fromkeys(spelling for name in names for spelling in _spellings(name)))
    unsure = frozenset(spelling for name in ambiguous for spelling in _spellings(name))
    return Issuer(entry.id, spelt[0], spelt[1:], entry.tickers, unsure)


def _spellings(name: str) -> tuple[str, ...]:
    """The name as cleaned texts have it; first without the blanks that pad a name in a script without spaces."""
    clean = " ".join(unicodedata.normalize("NFKC", name).split())
    compact = _PADDING.sub("", clean)
    return (clean,) if compact == clean else (compact, clean)


def _from_yaml(path: Path) -> tuple[_Entry, ...]:
    try:
        return msgspec.convert(read_yaml(path), _File).entities
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from error


def _from_csv(path: Path, columns: Mapping[str, str]) -> list[_Entry]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            _check_columns(path, columns, set(reader.fieldnames or ()))
            return [_row({ours: row.get(columns.get(ours, ours)) for ours in _COLUMNS}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _check_columns(path: Path, columns: Mapping[str, str], found: set[str]) -> None:
    unknown = [ours for ours in columns if ours not in _COLUMNS]
    if unknown:
        raise SettingsError(f"{path}: columns: there is no column {unknown[0]!r}; take {','.join(_COLUMNS)}")
    needed = {columns.get("id", "id"), columns.get("name", "name"), *columns.values()}
    if not needed <= found:
        raise SettingsError(f"{path}: line 1: the columns {','.join(sorted(needed))} are needed")
    if not columns and found - set(_COLUMNS):
        raise SettingsError(f"{path}: line 1: the columns must be {','.join(_COLUMNS)}; id and name are needed")


def _row(row: Mapping[str, Any]) -> _Entry:
    needs = _list(row.get("needs_evidence"))
    flag = needs[0].lower() if len(needs) == 1 else ""
    evidence: bool | tuple[str, ...] = (
        flag in {"1", "yes", "true"} if flag in {"1", "yes", "true", "0", "no", "false"} else needs
    )
    return _Entry(
        (row.get("id") or "").strip(),
        (row.get("name") or "").strip(),
        _list(row.get("aliases")),
        _list(row.get("tickers")),
        evidence or False,
    )


def _list(cell: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (cell or "").split("|") if part.strip())
