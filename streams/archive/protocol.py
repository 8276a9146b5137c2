"""What an archive must do, whatever it is made of.

Versions are keyed (id, content). The version with the smallest (seen_ms, content) of an id is *the item*, the
others are its revisions; both facts are independent of the order of arrival. The same (id, content) at another
position is a duplicate; at the position already stored it is a redo, and changes nothing.

Whether a version counts follows from its position instead (`streams.archive.revising`): a redo hears the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from streams.errors import Damaged, MoodwireError
from streams.records import News, Position, Scored

__all__ = [
    "Archive",
    "ArchiveDamaged",
    "ArchiveError",
    "ArchiveStats",
    "Claims",
    "Count",
    "Faceted",
    "Hit",
    "OnTrouble",
    "Outcome",
    "Query",
    "RateBucket",
    "RecentStory",
    "Refused",
    "SeriesSum",
    "StoredAlert",
    "StoredDecision",
    "StoredHour",
    "StoredNotification",
    "StoredView",
    "StoryMember",
    "Unscored",
    "Written",
]


OnTrouble = Callable[[str | None], None]
"""Told why the archive cannot be used, once an episode, and None when it can be used again."""


class ArchiveError(MoodwireError):
    """The archive cannot be used: damaged, of a newer version, not writable. Names the file and the fix."""


class ArchiveDamaged(ArchiveError, Damaged):
    """The embedded archive's file is damaged."""


class Outcome(Enum):
    """What became of a written item."""

    ADDED = "added"
    """No version of its id came before it: it counts."""
    REVISION = "revision"
    """Another version of an id of which one came before it: kept and shown, not counted."""
    DUPLICATE = "duplicate"
    """The same id and content stood already at another position."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The archive can never store this item as it is: it goes to `rejects`. `reason` is the archive's code for why."""

    reason: str
    detail: str = ""


Written = Outcome | Refused
"""What `write_items` says of each item."""


@dataclass(frozen=True, slots=True)
class ArchiveStats:
    """Exact under redo: items + revisions + duplicates = records written."""

    items: int
    revisions: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Query:
    """A search; empty fields do not restrict. `series` is a name such as `entity/AAPL`; `until_ms` is excluded.

    `label` is a head and the label that it gave.
    """

    text: str = ""
    series: str = ""
    language: str = ""
    label: tuple[str, str] | None = None
    source: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = 50
    before: tuple[int, str] | None = None
    """Cursor: (seen_ms, id) of the last hit of the page before."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A found item; `snippet` has the matches between « and »."""

    item: Scored
    snippet: str


@dataclass(frozen=True, slots=True)
class Faceted:
    """What a found item is counted by: the label of each of its heads, and its entities' names by their id."""

    source: str
    language: str
    story: str
    labels: Mapping[str, str]
    entities: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RateBucket:
    """Items of a series in [start_ms, start_ms + bucket).

    `hits` counts those that hit the signal in this series; `mean_score` is the mean of the items' own scores, None
    where no head has a direction.
    """

    start_ms: int
    total: int
    hits: int
    mean_score: float | None


@dataclass(frozen=True, slots=True)
class Count:
    """How often a name occurs, and how often in items that hit the signal there."""

    name: str
    total: int
    hits: int


@dataclass(frozen=True, slots=True)
class RecentStory:
    """What a `StoryIndex` needs of an archived item."""

    id: str
    title: str
    seen_ms: int
    story_id: str
    duplicate_of: str | None


@dataclass(frozen=True, slots=True)
class StoryMember:
    """An item of a story: who published it, and when."""

    id: str
    source: str
    seen_ms: int


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One state of an alert; `revision` grows with every change, `body` is its JSON."""

    id: str
    revision: int
    signal: str
    rule: str
    series: str
    state: str
    severity: str
    onset_ms: int
    updated_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """How far a notification of an alert's state for one channel has come; `revision` grows with every change.

    `state` is waiting, sent, failed or dropped. `since_ms` is when it was planned, or asked for again; `problem` is
    that of the last attempt, empty when it arrived.
    """

    id: str
    alert_id: str
    alert_revision: int
    channel: str
    state: str
    attempts: int
    since_ms: int
    updated_ms: int
    problem: str
    revision: int


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """What somebody decided about alerts, and what became of it: an entry of the audit trail, which only grows.

    `place` is its place in the log, which names the entry; `kind` and `outcome` are those of `alerts.judge`, `target`
    is what it is about, `body` the decision's JSON. `at_ms` is the sender's clock, `decided_ms` the worker's.
    """

    place: int
    id: str
    kind: str
    by: str
    target: str
    at_ms: int
    decided_ms: int
    outcome: str
    version: int
    detail: str
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredView:
    """An alert, silence, subscription or watchlist as the judge has it at a place of the log.

    `kind` is an `alerts.judge.ViewKind`. `version` is what a decision about it carries as `seen`. `body` is its JSON,
    empty once it is gone.
    """

    kind: str
    id: str
    version: int
    place: int
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredHour:
    """What `watch` counted of a series in the hour from `start_ms`, copies left out, once it was over.

    `expected` is the mean number of hits that the baseline expected, `excess` their standard deviation beyond that of a
    Poisson count, [`low`, `high`] the central 95 %: None during the warm-up. Silent hours are there for busy series
    alone (`alerts.bands`). The three fields in front are the key.
    """

    signal: str
    series: str
    start_ms: int
    total: int
    hits: int
    expected: float | None = None
    excess: float | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesSum:
    """The stored hours of a series, added up: `hours` are those with an expectation, `judged` the hits in them."""

    series: str
    total: int
    hits: int
    hours: int
    judged: int
    expected: float
    excess: float


class Unscored(Protocol):
    """What of a record is known before it is scored."""

    @property
    def news(self) -> News: ...

    @property
    def position(self) -> Position: ...


class Claims:
    """What an archive has settled of records before they were scored; each archive has its own."""


class Archive(Protocol):
    """Raises `Retry` when it cannot take or answer now, `ArchiveError` when it never will."""

    async def claim(self, records: Sequence[Unscored]) -> Claims | None:
        """Begin to write what is about to be scored, with all that needs no scores; None where nothing can be done.

        A claim that nothing follows does no harm: the redo of the run finds it as its own.
        """

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> Sequence[Written]:
        """Durable when it returns; one outcome an item, in order. `claims` are those of the same records."""

    async def stats(self) -> ArchiveStats: ...

    async def unscored(self) -> dict[str, int]:
        """How many items have no scores, since no classifier speaks their language: by language."""

    async def items_by_id(self, ids: Sequence[str]) -> list[Scored]:
        """The items that exist, in no particular order."""

    async def outcomes(self, items: Sequence[Scored]) -> list[Outcome]:
        """What `write_items` says of these stored versions: ADDED or REVISION; ADDED where one was pruned meanwhile."""

    async def revisions(self, item_id: str) -> list[Scored]:
        """All versions of an id, earliest first; the first is the item."""

    async def story(self, story_id: str) -> list[Scored]:
        """The items of a story, earliest first."""

    async def story_members(self, story_ids: Sequence[str]) -> dict[str, list[StoryMember]]:
        """The items of these stories, newest first: 10,000 in all at most."""

    async def newest_of(self, series: Sequence[str], since_ms: int, until_ms: int) -> dict[str, Scored]:
        """The newest item of each of these series in the time, for those that have one."""

    async def search(self, query: Query) -> list[Hit]:
        """Newest first. Any text is a valid query: its words must all occur."""

    async def faceted(self, query: Query) -> list[Faceted]:
        """Of the hits of a search what they are counted by, at a fraction of what reading them whole costs."""

    async def rates(self, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int) -> list[RateBucket]:
        """Buckets that are not empty, oldest first, aligned to multiples of `bucket_ms`."""

    async def top(self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 20) -> list[Count]:
        """Names of a kind of series by the items that hit the signal, then by all."""

    async def stories(
        self, *, partition: int, epoch: str, before_offset: int, since_ms: int, limit: int
    ) -> list[RecentStory]:
        """The newest `limit` versions of a source partition before an offset, oldest first."""

    async def source_partitions(self) -> list[tuple[str, int]]:
        """The (epoch, source partition) of which versions are stored, in no particular order."""

    async def items_after(self, *, epoch: str, partition: int, after_offset: int, limit: int) -> list[Scored]:
        """The next versions of a source partition after an offset, by offset, as they were scored first."""

    async def write_alerts(self, alerts: Sequence[StoredAlert]) -> None:
        """Keeps every state; an older revision never replaces a newer one as the alert's present state."""

    async def alerts(
        self,
        *,
        series: str = "",
        state: str = "",
        since_ms: int | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[StoredAlert]:
        """Present states, latest onset first, then by id; `since_ms` restricts the onset.

        `before` is (onset_ms, id) of the last of the page before.
        """

    async def alert_history(self, alert_id: str) -> list[StoredAlert]:
        """Every state of an alert, oldest first."""

    async def record_notifications(self, notifications: Sequence[StoredNotification]) -> None:
        """Keeps the latest revision of each."""

    async def notifications(
        self, *, alert_id: str = "", channel: str = "", state: str = "", limit: int = 100
    ) -> list[StoredNotification]:
        """Those that changed last first."""

    async def record_decisions(self, decisions: Sequence[StoredDecision]) -> None:
        """Adds entries to the audit trail; one whose place is taken changes nothing."""

    async def decisions(
        self,
        *,
        target: str = "",
        by: str = "",
        kind: str = "",
        since_ms: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[StoredDecision]:
        """Those of the latest place first, of places `before` one; `since_ms` restricts when they were sent."""

    async def record_views(self, views: Sequence[StoredView]) -> None:
        """Keeps of each the one of the latest place."""

    async def views(
        self, kind: str, *, view_id: str = "", ids: Sequence[str] | None = None, limit: int = 1_000
    ) -> list[StoredView]:
        """What exists of a kind, by id; `ids` are those that are wanted, None for all."""

    async def record_hours(self, hours: Sequence[StoredHour]) -> None:
        """Keeps of each series, signal and hour what came last: a redo writes the same."""

    async def hours(self, series: Sequence[str] | None, signal: str, since_ms: int, until_ms: int) -> list[StoredHour]:
        """The hours that start in the time, by start, then series; None for those of all series."""

    async def first_hour(self, signal: str, since_ms: int) -> int | None:
        """The start of the first hour of any series that starts then or later; None without one."""

    async def hour_sums(
        self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 100
    ) -> list[SeriesSum]:
        """Those of a kind of series, "" for all: with the most hits first, then items, then by name."""

    async def refresh(self) -> None:
        """Lets every query see all that was written: for reports and tests, never for the pipeline."""

    async def prune(self, before_ms: int) -> int:
        """Deletes items seen before, with revisions and duplicates, and hours; the number of versions deleted."""

    async def close(self) -> None: ...
