"""Gazetteers: who can be named, and how. A file of the profile, and a user's own merged over it."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from streams.errors import SettingsError
from streams.scripts import UNSPACED
from streams.userfiles import Mistake, WrongFile, read_file, shaped, suggestion

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

    @property
    def ambiguous(self) -> frozenset[str]:
        """Its names that need evidence."""
        if isinstance(self.needs_evidence, tuple):
            return frozenset(self.needs_evidence)
        return frozenset((self.name, *self.aliases) if self.needs_evidence else ())

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what its types cannot say."""
        if not self.id.strip() or not self.name.strip():
            yield (), "id and name must not be empty; write both"
        if unknown := self.ambiguous - {self.name, *self.aliases}:
            yield ("needs_evidence",), f"{sorted(unknown)} are not among its names; write its name or an alias"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entities: tuple[_Entry, ...]


def load_gazetteer(path: Path, columns: Mapping[str, str] | None = None) -> tuple[Issuer, ...]:
    """Entities of a CSV (columns id,name,aliases,tickers,needs_evidence; lists split by |) or YAML (`entities:`).

    `needs_evidence` is yes or no for all names, or a list of those that need it. `columns` says how a CSV calls some
    of these columns; it may have others then. Raises `SettingsError` naming the file and each mistake.
    """
    entries = _from_csv(path, columns or {}) if path.suffix == ".csv" else _from_yaml(path)
    return tuple(map(_issuer, entries))


def merge(base: Iterable[Issuer], own: Iterable[Issuer]) -> tuple[Issuer, ...]:
    """`own` before `base`: the same id is replaced, and a ticker or name of both belongs to the user's entity."""
    merged = {issuer.id: issuer for issuer in own}
    for issuer in base:
        merged.setdefault(issuer.id, issuer)
    return tuple(merged.values())


def _issuer(entry: _Entry) -> Issuer:
    names = (entry.name, *entry.aliases)
    spelt = tuple(dict.fromkeys(spelling for name in names for spelling in _spellings(name)))
    unsure = frozenset(spelling for name in entry.ambiguous for spelling in _spellings(name))
    return Issuer(entry.id, spelt[0], spelt[1:], entry.tickers, unsure)


def _spellings(name: str) -> tuple[str, ...]:
    """The name as cleaned texts have it; first without the blanks that pad a name in a script without spaces."""
    clean = " ".join(unicodedata.normalize("NFKC", name).split())
    compact = _PADDING.sub("", clean)
    return (clean,) if compact == clean else (compact, clean)


def _from_yaml(path: Path) -> list[_Entry]:
    file = read_file(path)
    found = shaped(file, _File)
    entries = list(found.entities) if found is not None else []
    for entry in _twice(entries):
        file.problem_in(entry, ("id",), _twice_text(entry))
    file.refuse()
    return entries


def _from_csv(path: Path, columns: Mapping[str, str]) -> list[_Entry]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            _check_columns(path, columns, set(reader.fieldnames or ()))
            rows = [
                (_row({ours: row.get(columns.get(ours, ours)) for ours in _COLUMNS}), reader.line_num) for row in reader
            ]
    except UnicodeDecodeError as error:
        raise WrongFile((f"{path} is not UTF-8 ({error.reason}): save the file in UTF-8",)) from error
    except (OSError, csv.Error) as error:
        raise WrongFile(
            (f"{path} cannot be read ({getattr(error, 'strerror', None) or error}): name a CSV file",)
        ) from error
    wrong = [(line, ": ".join((*map(str, keys), text))) for entry, line in rows for keys, text in entry.mistakes()]
    lines = {id(entry): line for entry, line in rows}
    wrong += [(lines[id(entry)], _twice_text(entry)) for entry in _twice([entry for entry, _ in rows])]
    if wrong:
        raise WrongFile(tuple(f"{path}:{line}: {text}" for line, text in sorted(wrong)))
    return [entry for entry, _ in rows]


def _twice(entries: Iterable[_Entry]) -> Iterator[_Entry]:
    """Entries with an id that one before them has."""
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            yield entry
        seen.add(entry.id)


def _twice_text(entry: _Entry) -> str:
    return f"the id {entry.id!r} is used twice; give every entity one entry"


def _check_columns(path: Path, columns: Mapping[str, str], found: set[str]) -> None:
    unknown = [ours for ours in columns if ours not in _COLUMNS]
    if unknown:
        raise SettingsError(f"{path}: columns: there is no column {unknown[0]!r}; {suggestion(unknown[0], _COLUMNS)}")
    needed = {columns.get("id", "id"), columns.get("name", "name"), *columns.values()}
    if not needed <= found:
        raise WrongFile((f"{path}:1: the columns {','.join(sorted(needed))} are needed; write them in the first line",))
    if not columns and found - set(_COLUMNS):
        raise WrongFile((f"{path}:1: the columns must be {','.join(_COLUMNS)}; id and name are needed",))


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
