"""Writing items: one batch in one transaction that the caller holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streams.archive.protocol import ArchiveError, Outcome, Refused, Written
from streams.archive.revising import outcome_of, revises_elsewhere
from streams.archive.schema import MOST_SIGNALS, stored_label
from streams.archive.storable import UNENCODABLE, unencodable, unstorable
from streams.archive.words import spread
from streams.records import Position, Scored

__all__ = ["ItemWriter", "known_versions", "remove_members"]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Scored)


def remove_members(db: sqlite3.Connection, number: int, item: Scored) -> None:
    """Take a version out of every series that it counts in."""
    db.executemany(
        "DELETE FROM members WHERE series = (SELECT number FROM series WHERE name = ?) AND seen_ms = ? AND number = ?",
        [(name, item.news.seen_ms, number) for name in item.series],
    )


@dataclass(slots=True)
class _Version:
    """A stored version, as far as deciding needs it."""

    number: int
    order: tuple[int, str]
    position: Position
    is_item: bool
    revises: bool
    item: Scored | None
    body: bytes = b""
    """Both set when it comes from this batch and is not written yet."""


def known_versions(db: sqlite3.Connection, ids: Iterable[str]) -> dict[str, dict[str, _Version]]:
    """Returns the stored versions of these ids, by id and content."""
    known: dict[str, dict[str, _Version]] = {}
    rows = db.execute(
        "SELECT id, content, number, seen_ms, epoch, partition, offset, is_item, revises FROM versions"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    for item_id, content, number, seen_ms, epoch, partition, offset, is_item, revising in rows:
        position = Position(epoch, partition, offset)
        version = _Version(number, (seen_ms, content), position, bool(is_item), bool(revising), None)
        known.setdefault(item_id, {})[content] = version
    return known


def _body(item: Scored) -> bytes | Refused:
    """The item as it is kept."""
    try:
        return _encoder.encode(item)
    except UNENCODABLE as error:
        return unencodable(error)


class ItemWriter:
    """Decides what becomes of each item, and writes a batch. Lives in the archive's writing thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._series: dict[str, int] = {}
        self._signals: dict[str, int] = {}

    def write(self, items: Sequence[Scored]) -> list[Written]:
        """One outcome an item; all is written when it returns, and durable when the transaction commits."""
        refusals = [unstorable(item) for item in items]
        known = known_versions(
            self._db, {item.news.id for item, refusal in zip(items, refusals, strict=True) if refusal is None}
        )
        highest = self._db.execute("SELECT coalesce(max(number), 0) FROM versions").fetchone()[0]
        outcomes: list[Written] = []
        fresh: list[_Version] = []
        sightings: list[tuple[str, int, int, str, str]] = []
        for item, refusal in zip(items, refusals, strict=True):
            if refusal is not None:
                outcomes.append(refusal)
                continue
            news = item.news
            versions = known.setdefault(news.id, {})
            stored = versions.get(news.content)
            if stored is None:
                body = _body(item)
                if isinstance(body, Refused):
                    outcomes.append(body)
                    continue
                order = (news.seen_ms, news.content)
                revises = revises_elsewhere(item.position, order, versions.values())
                version = _Version(highest + len(fresh) + 1, order, item.position, False, revises, item, body)
                versions[news.content] = version
                fresh.append(version)
                outcomes.append(outcome_of(version, versions.values()))
            elif stored.position == item.position:
                outcomes.append(outcome_of(stored, versions.values()))
            else:
                position = item.position
                sightings.append((position.epoch, position.partition, position.offset, news.id, news.content))
                outcomes.append(Outcome.DUPLICATE)
        if sightings:
            self._db.executemany("INSERT OR IGNORE INTO sightings VALUES (?, ?, ?, ?, ?)", sightings)
        if fresh:
            self._choose_items(known, {version.item.news.id for version in fresh if version.item is not None})
            self._insert([(version, version.item) for version in fresh if version.item is not None])
        return outcomes

    def _choose_items(self, known: dict[str, dict[str, _Version]], ids: Iterable[str]) -> None:
        """Mark the earliest version of each id; unmark a stored one that is no longer the earliest."""
        for item_id in ids:
            versions = known[item_id].values()
            earliest = min(versions, key=lambda version: version.order)
            for version in versions:
                if version.is_item and version is not earliest:
                    self._unmark(version)
            earliest.is_item = True

    def _unmark(self, version: _Version) -> None:
        version.is_item = False
        if version.item is not None:  # of this batch, not written yet
            return
        self._db.execute("UPDATE versions SET is_item = 0 WHERE number = ?", (version.number,))
        (body,) = self._db.execute("SELECT body FROM versions WHERE number = ?", (version.number,)).fetchone()
        remove_members(self._db, version.number, _decoder.decode(body))

    def _insert(self, fresh: Sequence[tuple[_Version, Scored]]) -> None:
        rows, words, members = [], [], []
        for version, item in fresh:
            news, position = item.news, item.position
            labels = "".join([stored_label(head, score.label) for head, score in item.heads.items()])
            rows.append(
                (
                    version.number, news.id, news.content, news.seen_ms, position.epoch, position.partition,
                    position.offset, int(version.is_item), item.language, labels, item.story.id, version.body,
                    int(version.revises), news.source,
                )
            )  # fmt: skip
            words.append((version.number, spread(news.title), spread(news.text)))
            if version.is_item:
                score = item.score
                members += [
                    (
                        self._number_of(name),
                        news.seen_ms,
                        version.number,
                        self._bits(hits) if item.heads else None,
                        score,
                    )
                    for name, hits in item.series.items()
                ]
        self._db.executemany("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", words)
        self._db.executemany("INSERT INTO members VALUES (?, ?, ?, ?, ?)", members)

    def _number_of(self, name: str) -> int:
        number = self._series.get(name)
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO series (name) VALUES (?)", (name,))
            row = self._db.execute("SELECT number FROM series WHERE name = ?", (name,)).fetchone()
            number = self._series[name] = int(row[0])
        return number

    def _bits(self, hits: Mapping[str, float]) -> int:
        """The signals as bits by their numbers."""
        return sum(1 << self._signal(name) for name in hits) if hits else 0

    def _signal(self, name: str) -> int:
        """The signal's number, from 0; raises `ArchiveError` for one too many."""
        number = self._signals.get(name)
        if number is None:
            self._db.execute("INSERT OR IGNORE INTO signals SELECT count(*), ? FROM signals", (name,))
            row = self._db.execute("SELECT number FROM signals WHERE name = ?", (name,)).fetchone()
            number = self._signals[name] = int(row[0])
        if number >= MOST_SIGNALS:
            raise ArchiveError(f"the archive holds {MOST_SIGNALS} signals; {name} is one more: take another namespace")
        return number

    def forget(self) -> None:
        """After a rollback: names that were numbered in it are not numbered any more."""
        self._series.clear()
        self._signals.clear()
