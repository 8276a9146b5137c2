"""What is known of an id: pure decisions over the versions that were seen of it.

One small document an id, always read and written in real time and under optimistic concurrency control, decides
what each record is; daily indices only hold what was decided. So the outcome does not depend on refreshes, on the
day that a copy was seen, or on a second writer: of two writers that claim at once, the later reads again.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streams.archive.protocol import Outcome, Unscored
from streams.archive.revising import outcome_of, revises_elsewhere
from streams.records import Position

__all__ = ["Entry", "Version", "claim", "fold", "unclaim"]


class Version(msgspec.Struct, frozen=True, array_like=True):
    """A version, where it was first seen, and what was settled when it was claimed.

    That is the day whose index holds it, and what `revises_elsewhere` said.
    """

    content: str
    seen_ms: int
    epoch: str
    partition: int
    offset: int
    day: str
    revises: bool = False

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.partition, self.offset)

    @property
    def order(self) -> tuple[int, str]:
        return (self.seen_ms, self.content)


class Entry(msgspec.Struct, frozen=True):
    """The registry's document of an id. `seen` is the item's, `revised` whether there are revisions."""

    seen: int
    revised: bool
    versions: tuple[Version, ...]

    @classmethod
    def of(cls, versions: Iterable[Version]) -> Entry:
        """At least one version."""
        kept = tuple(versions)
        return cls(min(version.seen_ms for version in kept), len(kept) > 1, kept)

    @property
    def item(self) -> Version:
        """The earliest version."""
        return min(self.versions, key=lambda version: version.order)

    def version(self, content: str) -> Version | None:
        return next((version for version in self.versions if version.content == content), None)


def claim(entry: Entry | None, item: Unscored, day: str) -> tuple[Entry, Outcome]:
    """The entry after a record of its id, and what the record is."""
    stored = entry.version(item.news.content) if entry else None
    if entry is not None and stored is not None:
        return entry, outcome_of(stored, entry.versions) if stored.position == item.position else Outcome.DUPLICATE
    at, news = item.position, item.news
    known = entry.versions if entry else ()
    revises = revises_elsewhere(at, (news.seen_ms, news.content), known)
    version = Version(news.content, news.seen_ms, at.epoch, at.partition, at.offset, day, revises)
    return Entry.of((*known, version)), outcome_of(version, known)


def fold(entry: Entry | None, items: Iterable[tuple[Unscored, str]]) -> tuple[Entry, list[Outcome]]:
    """Claims one after the other; `items` are (record, day) of one id, at least one."""
    outcomes: list[Outcome] = []
    for item, day in items:
        entry, outcome = claim(entry, item, day)
        outcomes.append(outcome)
    assert entry is not None
    return entry, outcomes


def unclaim(entry: Entry, content: str) -> Entry | None:
    """The entry without a version that could not be stored; None when nothing is left."""
    kept = [version for version in entry.versions if version.content != content]
    return Entry.of(kept) if kept else None
