"""An archive in memory: the fake of the tests, held to the same contract as the real ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from streams.archive.faceting import faceted_of
from streams.archive.protocol import (
    ArchiveStats,
    Claims,
    Count,
    Faceted,
    Hit,
    Outcome,
    Query,
    RateBucket,
    RecentStory,
    SeriesSum,
    StoredAlert,
    StoredDecision,
    StoredHour,
    StoredNotification,
    StoredView,
    StoryMember,
    Unscored,
    Written,
)
from streams.archive.revising import revises_elsewhere, stored_outcome
from streams.archive.storable import UNENCODABLE, unencodable, unstorable
from streams.archive.words import marked, matches, words_of
from streams.records import Position, Scored

__all__ = ["MemoryArchive"]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A version, as far as `streams.archive.revising` needs it."""

    position: Position
    order: tuple[int, str]
    revises: bool


class MemoryArchive:
    """Keeps everything in dictionaries; forgets when it is dropped."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], Scored] = {}
        self._contents: dict[str, list[str]] = defaultdict(list)
        self._placed: dict[str, dict[str, _Placed]] = defaultdict(dict)
        self._sightings: dict[Position, tuple[str, str]] = {}
        self._alerts: dict[tuple[str, int], StoredAlert] = {}
        self._notifications: dict[str, StoredNotification] = {}
        self._decisions: dict[int, StoredDecision] = {}
        self._views: dict[tuple[str, str], StoredView] = {}
        self._hours: dict[tuple[int, str, str], StoredHour] = {}

    async def claim(self, records: Sequence[Unscored]) -> None:
        """Nothing is won by it."""

    async def write_items(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:  # noqa: ARG002  # it makes none
        return [self._write(item) for item in items]

    def _write(self, item: Scored) -> Written:
        refusal = unstorable(item)
        if refusal is not None:
            return refusal
        try:
            msgspec.msgpack.encode(item)
        except UNENCODABLE as error:
            return unencodable(error)
        key = (item.news.id, item.news.content)
        stored = self._versions.get(key)
        if stored is None:
            placed, at, order = self._placed[item.news.id], item.position, _order(item)
            placed[item.news.content] = _Placed(at, order, revises_elsewhere(at, order, placed.values()))
            self._versions[key] = item
            self._contents[item.news.id].append(item.news.content)
        elif stored.position != item.position:
            self._sightings[item.position] = key
            return Outcome.DUPLICATE
        return self._outcome(item)

    def _outcome(self, item: Scored) -> Outcome:
        placed = self._placed.get(item.news.id, {})
        return stored_outcome(placed.get(item.news.content), placed.values())

    def _item(self, item_id: str) -> Scored | None:
        versions = [self._versions[item_id, content] for content in self._contents.get(item_id, ())]
        return min(versions, key=_order, default=None)

    def _items(self) -> Iterable[Scored]:
        return [item for item_id in self._contents if (item := self._item(item_id)) is not None]

    async def stats(self) -> ArchiveStats:
        items = sum(1 for contents in self._contents.values() if contents)
        return ArchiveStats(items, len(self._versions) - items, len(self._sightings))

    async def unscored(self) -> dict[str, int]:
        return dict(Counter(item.language for item in self._items() if not item.heads))

    async def items_by_id(self, ids: Sequence[str]) -> list[Scored]:
        return [item for item_id in ids if (item := self._item(item_id)) is not None]

    async def outcomes(self, items: Sequence[Scored]) -> list[Outcome]:
        return [self._outcome(item) for item in items]

    async def revisions(self, item_id: str) -> list[Scored]:
        return sorted((self._versions[item_id, content] for content in self._contents.get(item_id, ())), key=_order)

    async def story(self, story_id: str) -> list[Scored]:
        return sorted((item for item in self._items() if item.story.id == story_id), key=_newness)

    async def story_members(self, story_ids: Sequence[str]) -> dict[str, list[StoryMember]]:
        found: dict[str, list[StoryMember]] = {}
        for item in sorted(self._items(), key=_newness, reverse=True):
            if item.story.id in story_ids:
                member = StoryMember(item.news.id, item.news.source, item.news.seen_ms)
                found.setdefault(item.story.id, []).append(member)
        return found

    async def newest_of(self, series: Sequence[str], since_ms: int, until_ms: int) -> dict[str, Scored]:
        found: dict[str, Scored] = {}
        for item in sorted(self._items(), key=_newness):
            if since_ms <= item.news.seen_ms < until_ms:
                found |= {name: item for name in item.series if name in series}
        return found

    async def search(self, query: Query) -> list[Hit]:
        words = words_of(query.text)
        found = [item for item in self._items() if _matches(item, query, words)]
        found.sort(key=_newness, reverse=True)
        return [Hit(item, marked(item.news.title, words)) for item in found[: query.limit]]

    async def faceted(self, query: Query) -> list[Faceted]:
        return [faceted_of(hit.item) for hit in await self.search(query)]

    async def rates(self, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int) -> list[RateBucket]:
        buckets: dict[int, list[tuple[bool, float | None]]] = defaultdict(list)
        for item in self._items():
            seen_ms = item.news.seen_ms
            if since_ms <= seen_ms < until_ms and item.heads and series in item.series:
                row = signal in item.series[series], item.score
                buckets[seen_ms // bucket_ms * bucket_ms].append(row)
        return [_bucket(start_ms, buckets[start_ms]) for start_ms in sorted(buckets)]

    async def top(self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 20) -> list[Count]:
        totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for item in self._items():
            if not since_ms <= item.news.seen_ms < until_ms or not item.heads:
                continue
            for name, hits in item.series.items():
                if name.startswith(f"{kind}/"):
                    totals[name.removeprefix(f"{kind}/")][0] += 1
                    totals[name.removeprefix(f"{kind}/")][1] += signal in hits
        counts = [Count(name, total, hits) for name, (total, hits) in totals.items()]
        return sorted(counts, key=lambda count: (-count.hits, -count.total, count.name))[:limit]

    async def stories(
        self, *, partition: int, epoch: str, before_offset: int, since_ms: int, limit: int
    ) -> list[RecentStory]:
        rows = [
            item
            for item in self._versions.values()
            if (item.position.epoch, item.position.partition) == (epoch, partition)
            and item.position.offset < before_offset
            and item.news.seen_ms >= since_ms
        ]
        rows.sort(key=lambda item: item.position.offset)
        return [
            RecentStory(item.news.id, item.news.title, item.news.seen_ms, item.story.id, item.story.duplicate_of)
            for item in rows[-limit:]
        ]

    async def source_partitions(self) -> list[tuple[str, int]]:
        return list({(item.position.epoch, item.position.partition) for item in self._versions.values()})

    async def items_after(self, *, epoch: str, partition: int, after_offset: int, limit: int) -> list[Scored]:
        found = [
            item
            for item in self._versions.values()
            if (item.position.epoch, item.position.partition) == (epoch, partition)
            and item.position.offset > after_offset
        ]
        return sorted(found, key=lambda item: item.position.offset)[:limit]

    async def write_alerts(self, alerts: Sequence[StoredAlert]) -> None:
        for alert in alerts:
            self._alerts.setdefault((alert.id, alert.revision), alert)

    async def alerts(
        self,
        *,
        series: str = "",
        state: str = "",
        since_ms: int | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[StoredAlert]:
        present: dict[str, StoredAlert] = {}
        for (alert_id, _), alert in sorted(self._alerts.items()):
            present[alert_id] = alert
        found = [
            alert
            for alert in present.values()
            if series in ("", alert.series)
            and state in ("", alert.state)
            and alert.onset_ms >= (since_ms or 0)
            and (before is None or (-alert.onset_ms, alert.id) > (-before[0], before[1]))
        ]
        return sorted(found, key=lambda alert: (-alert.onset_ms, alert.id))[:limit]

    async def alert_history(self, alert_id: str) -> list[StoredAlert]:
        return [alert for (own, _), alert in sorted(self._alerts.items()) if own == alert_id]

    async def record_notifications(self, notifications: Sequence[StoredNotification]) -> None:
        for one in notifications:
            known = self._notifications.get(one.id)
            if known is None or known.revision < one.revision:
                self._notifications[one.id] = one

    async def notifications(
        self, *, alert_id: str = "", channel: str = "", state: str = "", limit: int = 100
    ) -> list[StoredNotification]:
        found = [
            one
            for one in self._notifications.values()
            if alert_id in ("", one.alert_id) and channel in ("", one.channel) and state in ("", one.state)
        ]
        return sorted(found, key=lambda one: (-one.updated_ms, one.id))[:limit]

    async def record_decisions(self, decisions: Sequence[StoredDecision]) -> None:
        for one in decisions:
            self._decisions.setdefault(one.place, one)

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
        found = [
            one
            for one in self._decisions.values()
            if target in ("", one.target) and by in ("", one.by) and kind in ("", one.kind)
            and (since_ms is None or one.at_ms >= since_ms)
            and (before is None or one.place < before)
        ]  # fmt: skip
        return sorted(found, key=lambda one: -one.place)[:limit]

    async def record_views(self, views: Sequence[StoredView]) -> None:
        for one in views:
            known = self._views.get((one.kind, one.id))
            if known is None or known.place < one.place:
                self._views[one.kind, one.id] = one

    async def views(
        self, kind: str, *, view_id: str = "", ids: Sequence[str] | None = None, limit: int = 1_000
    ) -> list[StoredView]:
        found = [
            one
            for one in self._views.values()
            if one.kind == kind and view_id in ("", one.id) and (ids is None or one.id in ids) and one.body
        ]
        return sorted(found, key=lambda one: one.id)[:limit]

    async def record_hours(self, hours: Sequence[StoredHour]) -> None:
        self._hours |= {(one.start_ms, one.series, one.signal): one for one in hours}

    async def hours(self, series: Sequence[str] | None, signal: str, since_ms: int, until_ms: int) -> list[StoredHour]:
        return [
            one
            for _, one in sorted(self._hours.items())
            if (series is None or one.series in series) and one.signal == signal and since_ms <= one.start_ms < until_ms
        ]

    async def first_hour(self, signal: str, since_ms: int) -> int | None:
        starts = [one.start_ms for one in self._hours.values() if one.signal == signal and one.start_ms >= since_ms]
        return min(starts, default=None)

    async def hour_sums(
        self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 100
    ) -> list[SeriesSum]:
        names = {
            one.series for one in self._hours.values() if kind in ("", one.series) or one.series.startswith(f"{kind}/")
        }
        sums = [_sum(name, await self.hours([name], signal, since_ms, until_ms)) for name in names]
        found = [one for one in sums if one is not None]
        return sorted(found, key=lambda one: (-one.hits, -one.total, one.series))[:limit]

    async def refresh(self) -> None:
        """What is written is seen at once."""

    async def prune(self, before_ms: int) -> int:
        old = {item.news.id for item in self._items() if item.news.seen_ms < before_ms}
        before = len(self._versions)
        self._versions = {key: item for key, item in self._versions.items() if key[0] not in old}
        self._sightings = {position: key for position, key in self._sightings.items() if key[0] not in old}
        for item_id in old:
            del self._contents[item_id], self._placed[item_id]
        self._hours = {key: one for key, one in self._hours.items() if one.start_ms >= before_ms}
        return before - len(self._versions)

    async def close(self) -> None:
        """Nothing is held."""


def _order(item: Scored) -> tuple[int, str]:
    return (item.news.seen_ms, item.news.content)


def _newness(item: Scored) -> tuple[int, str]:
    return (item.news.seen_ms, item.news.id)


def _matches(item: Scored, query: Query, words: Sequence[str]) -> bool:
    labels = {(head, score.label) for head, score in item.heads.items()}
    return (
        matches(words, item.news.title, item.news.text)
        and query.series in ("", *item.series)
        and query.language in ("", item.language)
        and query.source in ("", item.news.source)
        and (query.label is None or query.label in labels)
        and (query.since_ms is None or item.news.seen_ms >= query.since_ms)
        and (query.until_ms is None or item.news.seen_ms < query.until_ms)
        and (query.before is None or _newness(item) < query.before)
    )


def _bucket(start_ms: int, rows: Sequence[tuple[bool, float | None]]) -> RateBucket:
    scores = [score for _, score in rows if score is not None]
    mean = sum(scores) / len(scores) if scores else None
    return RateBucket(start_ms, len(rows), sum(hit for hit, _ in rows), mean)


def _sum(series: str, hours: Sequence[StoredHour]) -> SeriesSum | None:
    judged = [one for one in hours if one.expected is not None]
    if not hours:
        return None
    return SeriesSum(
        series,
        sum(one.total for one in hours),
        sum(one.hits for one in hours),
        len(judged),
        sum(one.hits for one in judged),
        sum(one.expected or 0.0 for one in judged),
        sum(one.excess or 0.0 for one in judged),
    )
