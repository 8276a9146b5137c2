"""Search in the embedded archive: which items match, newest first, without reading more of them than it must.

    no words      the index by time, or a series' members, until the page is full
    rare words    the rows that match, sorted
    common words  the newest items by and by, a chunk at a time; those of the chunk that match

Titles and texts are read for the page alone. A word that a third of 200,000 items has is answered in milliseconds: to
sort all that match would take a second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from streams.archive.faceting import faceted_body
from streams.archive.protocol import Faceted, Hit, Query
from streams.archive.schema import stored_label
from streams.archive.words import is_beginning, marked, words_of
from streams.records import Scored

__all__ = ["faceted", "search"]

_FEW: Final = 3_000
"""Matches that are sorted rather than looked for among the newest items: 10 ms."""
_FIRST_CHUNK: Final = 2_000
_LARGEST_CHUNK: Final = 64_000

_decoder = msgspec.msgpack.Decoder(Scored)
_Place = tuple[int, str]


@dataclass(slots=True)
class _Candidates:
    """The items that a query allows, whatever its words: parts of a statement and their values."""

    source: str
    time: str
    where: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, condition: str, *values: Any) -> None:
        self.where.append(condition)
        self.values += values

    def rows(self, db: sqlite3.Connection, limit: int, before: _Place | None = None) -> list[tuple[int, int, str]]:
        """Returns (number, seen_ms, id) of the newest, behind a place."""
        where, values = list(self.where), list(self.values)
        if before is not None:
            where += [f"{self.time} <= ?", f"({self.time}, v.id) < (?, ?)"]
            values += [before[0], *before]
        statement = (
            f"SELECT v.number, v.seen_ms, v.id FROM {self.source} WHERE {' AND '.join(where)}"  # noqa: S608  # fixed parts, values bound
            f" ORDER BY {self.time} DESC, v.id DESC LIMIT ?"
        )
        return db.execute(statement, (*values, limit)).fetchall()


def search(db: sqlite3.Connection, query: Query) -> list[Hit]:
    """Returns the hits, newest first."""
    words = words_of(query.text)
    items = (_decoder.decode(body) for body in _bodies(db, _found(db, query, words)))
    return [Hit(item, marked(item.news.title, words)) for item in items]


def faceted(db: sqlite3.Connection, query: Query) -> list[Faceted]:
    """Returns of the hits what they are counted by, newest first."""
    bodies = _bodies(db, _found(db, query, words_of(query.text)))
    return [faceted_body(body) for body in bodies]


def _found(db: sqlite3.Connection, query: Query, words: Sequence[str]) -> list[int]:
    if words:
        return _with_words(db, query, " ".join(f'"{word}"{"*" if is_beginning(word) else ""}' for word in words))
    return [number for number, _, _ in _candidates(query).rows(db, query.limit, query.before)]


def _bodies(db: sqlite3.Connection, numbers: Sequence[int]) -> list[bytes]:
    statement = "SELECT number, body FROM versions WHERE number IN (SELECT value FROM json_each(?))"
    bodies = dict(db.execute(statement, (json.dumps(numbers),)))
    return [bodies[number] for number in numbers]


def _candidates(query: Query, source: str = "versions v INDEXED BY versions_by_time") -> _Candidates:
    if query.series and source.endswith("versions_by_time"):
        found = _Candidates("members m CROSS JOIN versions v ON v.number = m.number", "m.seen_ms")
    else:
        found = _Candidates(source, "v.seen_ms", ["v.is_item = 1"])
    if query.series:
        found.add("m.series = (SELECT number FROM series WHERE name = ?)", query.series)
    if query.language:
        found.add("v.language = ?", query.language)
    if query.source:
        found.add("v.source = ?", query.source)
    if query.label is not None:
        found.add("instr(v.labels, ?) > 0", stored_label(*query.label))
    if query.since_ms is not None:
        found.add(f"{found.time} >= ?", query.since_ms)
    if query.until_ms is not None:
        found.add(f"{found.time} < ?", query.until_ms)
    return found


def _with_words(db: sqlite3.Connection, query: Query, match: str) -> list[int]:
    found = [
        number for (number,) in db.execute("SELECT rowid FROM words WHERE words MATCH ? LIMIT ?", (match, _FEW + 1))
    ]
    return _among(db, query, found) if len(found) <= _FEW else _among_newest(db, query, match)


def _among(db: sqlite3.Connection, query: Query, numbers: Sequence[int]) -> list[int]:
    source = "json_each(?) j CROSS JOIN versions v ON v.number = j.value"
    if query.series:
        source += " CROSS JOIN members m ON m.seen_ms = v.seen_ms AND m.number = v.number"
    candidates = _candidates(query, source)
    candidates.values.insert(0, json.dumps(numbers))
    return [number for number, _, _ in candidates.rows(db, query.limit, query.before)]


def _among_newest(db: sqlite3.Connection, query: Query, match: str) -> list[int]:
    candidates, before, chunk = _candidates(query), query.before, _FIRST_CHUNK
    found: list[int] = []
    while len(found) < query.limit:
        rows = candidates.rows(db, chunk, before)
        if not rows:
            break
        matching = _matching(db, match, [number for number, _, _ in rows])
        found += [number for number, _, _ in rows if number in matching]
        before, chunk = rows[-1][1:], min(2 * chunk, _LARGEST_CHUNK)
    return found[: query.limit]


def _matching(db: sqlite3.Connection, match: str, numbers: Sequence[int]) -> set[int]:
    """Items mostly come in order of time, so those of a chunk are neighbours."""
    rows = db.execute(
        "SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ?", (match, min(numbers), max(numbers))
    )
    return {number for (number,) in rows}
