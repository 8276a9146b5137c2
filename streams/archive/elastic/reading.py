"""Reading: searches and aggregations over the aliases, and documents by their keys in real time.

What is found by a search was refreshed: it is up to five seconds old (our templates' `refresh_interval`). What is
asked by id, and what a stage needs to be exact (`items_by_id`, `stories`, `stats`), is not behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streams.archive.elastic.decided import decision_of, view_of
from streams.archive.elastic.documents import alert_of, document_id, first_scored_of, notification_of, scored_of
from streams.archive.elastic.names import Names
from streams.archive.elastic.registry import Entry
from streams.archive.elastic.session import Session
from streams.archive.faceting import FIELDS, faceted_source
from streams.archive.protocol import (
    ArchiveStats,
    Count,
    Faceted,
    Hit,
    Outcome,
    Query,
    RateBucket,
    RecentStory,
    StoredAlert,
    StoredDecision,
    StoredNotification,
    StoredView,
    StoryMember,
)
from streams.archive.revising import stored_outcome
from streams.archive.words import is_beginning, marked, words_of
from streams.records import Scored

__all__ = ["Reader"]

LENIENT = {"ignore_unavailable": "true", "allow_no_indices": "true"}
"""An archive to which nothing was written has no indices: then there is nothing to find."""
MOST_HITS = 10_000
"""The server's own bound of one page (`index.max_result_window`)."""
MOST_BUCKETS = 10_000
MOST_NAMES = 1_000
SCORED = {"term": {"moodwire.current.judged": True}}
STUB = {"term": {"moodwire.stub": True}}


class Reader:
    """Answers questions; writes nothing."""

    def __init__(self, session: Session, names: Names) -> None:
        self._session = session
        self._names = names

    async def stats(self) -> ArchiveStats:
        names = self._names
        await self.refresh(names.days, names.sightings)
        items = await self._count(names.items)
        versions = await self._count(names.versions, {"bool": {"must_not": STUB}})
        return ArchiveStats(items, versions - items, await self._count(names.sightings))

    async def unscored(self) -> dict[str, int]:
        await self.refresh(self._names.days)
        by_language = {"terms": {"field": "moodwire.language", "size": MOST_NAMES}}
        body = {"size": 0, "query": {"bool": {"must_not": [SCORED, STUB]}}, "aggs": {"languages": by_language}}
        return dict(_buckets(await self._aggregate(body), "languages"))

    async def refresh(self, *indices: str) -> None:
        """Let searches see all that was written."""
        await self._session.call("POST", f"/{','.join(indices)}/_refresh", None, LENIENT)

    async def _count(self, index: str, query: dict[str, Any] | None = None) -> int:
        body = {"query": query or {"match_all": {}}}
        return int((await self._session.call("POST", f"/{index}/_count", body, LENIENT))["count"])

    async def items_by_id(self, ids: Sequence[str]) -> list[Scored]:
        places = []
        for item_id, entry in zip(ids, await self._entries(ids), strict=True):
            if entry is not None:
                index = self._names.of_day(entry.item.day)
                places.append({"_index": index, "_id": document_id(item_id, entry.item.content)})
        return [scored_of(source) for source in await self._documents(places)]

    async def _entries(self, ids: Sequence[str]) -> list[Entry | None]:
        found = await self._session.documents([{"_index": self._names.registry, "_id": one} for one in ids])
        return [msgspec.convert(one["_source"], Entry) if one.get("found") else None for one in found]

    async def _documents(self, places: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
        """The sources of those that are stored whole."""
        found = await self._session.documents(places)
        return [one["_source"] for one in found if one.get("found") and "event" in one["_source"]]

    async def outcomes(self, items: Sequence[Scored]) -> list[Outcome]:
        entries = await self._entries([item.news.id for item in items]) if items else []
        return [
            Outcome.ADDED if entry is None else stored_outcome(entry.version(item.news.content), entry.versions)
            for item, entry in zip(items, entries, strict=True)
        ]

    async def revisions(self, item_id: str) -> list[Scored]:
        (entry,) = await self._entries([item_id])
        if entry is None:
            return []
        versions = sorted(entry.versions, key=lambda version: (version.seen_ms, version.content))
        places = [
            {"_index": self._names.of_day(version.day), "_id": document_id(item_id, version.content)}
            for version in versions
        ]
        return [scored_of(source) for source in await self._documents(places)]

    async def story(self, story_id: str) -> list[Scored]:
        query = {"term": {"moodwire.story.id": story_id}}
        order = [{"@timestamp": "asc"}, {"moodwire.id": "asc"}]
        hits = await self._search(self._names.items, {"query": query, "sort": order, "size": MOST_HITS})
        return [scored_of(hit["_source"]) for hit in hits]

    async def story_members(self, story_ids: Sequence[str]) -> dict[str, list[StoryMember]]:
        body = {
            "query": {"terms": {"moodwire.story.id": list(story_ids)}},
            "sort": [{"@timestamp": "desc"}, {"moodwire.id": "desc"}],
            "size": MOST_HITS,
            "track_total_hits": False,
            "_source": ["@timestamp", "moodwire.id", "moodwire.source", "moodwire.story.id"],
        }
        found: dict[str, list[StoryMember]] = {}
        for hit in await self._search(self._names.items, body):
            own = hit["_source"]["moodwire"]
            member = StoryMember(own["id"], own["source"], hit["_source"]["@timestamp"])
            found.setdefault(own["story"]["id"], []).append(member)
        return found

    async def newest_of(self, series: Sequence[str], since_ms: int, until_ms: int) -> dict[str, Scored]:
        names = list(series)
        if not names:
            return {}
        order = [{"@timestamp": "desc"}, {"moodwire.id": "desc"}]
        newest = {"top_hits": {"size": 1, "sort": order}}
        terms = {"field": "moodwire.current.series", "include": names, "size": max(len(names), 1)}
        body = {
            "size": 0,
            "query": {"bool": {"filter": [_span(since_ms, until_ms), {"terms": {"moodwire.current.series": names}}]}},
            "aggs": {"series": {"terms": terms, "aggs": {"newest": newest}}},
        }
        found = (await self._aggregate(body)).get("series", {}).get("buckets", ())
        return {row["key"]: scored_of(row["newest"]["hits"]["hits"][0]["_source"]) for row in found}

    async def _search(self, index: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        return list((await self._session.call("POST", f"/{index}/_search", body, LENIENT))["hits"]["hits"])

    async def search(self, query: Query) -> list[Hit]:
        words = words_of(query.text)
        items = [scored_of(hit["_source"]) for hit in await self._newest(query, words)]
        return [Hit(item, marked(item.news.title, words)) for item in items]

    async def faceted(self, query: Query) -> list[Faceted]:
        hits = await self._newest(query, words_of(query.text), FIELDS)
        return [faceted_source(hit["_source"]) for hit in hits]

    async def _newest(self, query: Query, words: Sequence[str], fields: Sequence[str] = ()) -> list[dict[str, Any]]:
        """What a search finds, newest first; all fields if none is named."""
        body: dict[str, Any] = {
            "query": {"bool": {"filter": _restrictions(query, words)}},
            "_source": list(fields) or True,
            "sort": [{"@timestamp": "desc"}, {"moodwire.id": "desc"}],
            "size": min(query.limit, MOST_HITS),
            "track_total_hits": False,
        }
        if query.before is not None:
            body["search_after"] = list(query.before)
        return await self._search(self._names.items, body)

    async def rates(self, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int) -> list[RateBucket]:
        """In steps that keep each request below the server's bound of buckets."""
        rows: list[RateBucket] = []
        step = MOST_BUCKETS * bucket_ms
        since_ms = max(since_ms, 0)
        for start_ms in range(since_ms // bucket_ms * bucket_ms, until_ms, step):
            rows += await self._rates(
                series, signal, max(start_ms, since_ms), min(start_ms + step, until_ms), bucket_ms
            )
        return rows

    async def _rates(self, series: str, signal: str, since_ms: int, until_ms: int, bucket_ms: int) -> list[RateBucket]:
        histogram = {"field": "@timestamp", "fixed_interval": f"{bucket_ms}ms", "min_doc_count": 1}
        score = {"avg": {"field": "moodwire.current.score"}}
        body = {
            "size": 0,
            "query": {"bool": {"filter": [_series(series), _span(since_ms, until_ms), SCORED]}},
            "aggs": {"time": {"date_histogram": histogram, "aggs": {"hits": _hits(series, signal), "score": score}}},
        }
        answer = await self._aggregate(body)
        return [
            RateBucket(int(row["key"]), row["doc_count"], row["hits"]["doc_count"], row["score"]["value"])
            for row in answer.get("time", {}).get("buckets", ())
        ]

    async def _aggregate(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._session.call("POST", f"/{self._names.items}/_search", body, LENIENT)
        return dict(answer.get("aggregations", {}))

    async def top(self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int = 20) -> list[Count]:
        """Of names with equally many hits those with most items come first.

        Exact up to `MOST_NAMES` names with hits in the time, on one shard a day; with more of either, a
        name at the end of the list may be missed.
        """
        span = {"bool": {"filter": [_span(since_ms, until_ms), SCORED]}}
        names = {"include": f"{kind}/.*", "size": MOST_NAMES, "order": [{"_count": "desc"}, {"_key": "asc"}]}
        aggregations = {
            "hits": {"terms": {"field": f"moodwire.current.hits.{signal}", **names}},
            "most": {"terms": {"field": "moodwire.current.series", **names}},
        }
        answer = await self._aggregate({"size": 0, "query": span, "aggs": aggregations})
        hits = _buckets(answer, "hits")
        totals = _buckets(answer, "most")
        lacking = [name for name in hits if name not in totals]
        if lacking:
            exact = {"terms": {"field": "moodwire.current.series", "include": lacking, "size": len(lacking)}}
            totals |= _buckets(await self._aggregate({"size": 0, "query": span, "aggs": {"most": exact}}), "most")
        counts = [Count(name.removeprefix(f"{kind}/"), total, hits.get(name, 0)) for name, total in totals.items()]
        return sorted(counts, key=lambda count: (-count.hits, -count.total, count.name))[:limit]

    async def stories(
        self, *, partition: int, epoch: str, before_offset: int, since_ms: int, limit: int
    ) -> list[RecentStory]:
        await self.refresh(self._names.days)
        body: dict[str, Any] = {
            "query": {
                "bool": {
                    "filter": [
                        {"term": {"moodwire.position.epoch": epoch}},
                        {"term": {"moodwire.position.partition": partition}},
                        {"range": {"moodwire.position.offset": {"lt": before_offset}}},
                        {"range": {"@timestamp": {"gte": since_ms, "format": "epoch_millis"}}},
                    ]
                }
            },
            "sort": [{"moodwire.position.offset": "desc"}],
            "_source": ["@timestamp", "message", "moodwire.id", "moodwire.story.id", "moodwire.story.duplicate_of"],
        }
        rows: list[RecentStory] = []
        while len(rows) < limit:
            body["size"] = min(limit - len(rows), MOST_HITS)
            hits = await self._search(self._names.versions, body)
            rows += [_recent(hit["_source"]) for hit in hits]
            if len(hits) < body["size"]:
                break
            body["search_after"] = hits[-1]["sort"]
        return rows[::-1]

    async def source_partitions(self) -> list[tuple[str, int]]:
        await self.refresh(self._names.days)
        fields = [
            {"epoch": {"terms": {"field": "moodwire.position.epoch"}}},
            {"partition": {"terms": {"field": "moodwire.position.partition"}}},
        ]
        places: list[tuple[str, int]] = []
        after: dict[str, Any] = {}
        while True:
            pages = {"composite": {"sources": fields, "size": MOST_BUCKETS} | after}
            body = {"size": 0, "aggs": {"places": pages}}
            answer = await self._session.call("POST", f"/{self._names.versions}/_search", body, LENIENT)
            found = answer.get("aggregations", {}).get("places", {})
            places += [(row["key"]["epoch"], row["key"]["partition"]) for row in found.get("buckets", ())]
            if "after_key" not in found:
                return places
            after = {"after": found["after_key"]}

    async def items_after(self, epoch: str, partition: int, after_offset: int, limit: int) -> list[Scored]:
        filters = [
            {"term": {"moodwire.position.epoch": epoch}},
            {"term": {"moodwire.position.partition": partition}},
            {"range": {"moodwire.position.offset": {"gt": after_offset}}},
        ]
        query = {"bool": {"filter": filters, "must_not": STUB}}
        body = {"query": query, "sort": [{"moodwire.position.offset": "asc"}], "size": min(limit, MOST_HITS)}
        return [first_scored_of(hit["_source"]) for hit in await self._search(self._names.versions, body)]

    async def alerts(
        self, series: str, state: str, since_ms: int | None, before: tuple[int, str] | None, limit: int
    ) -> list[StoredAlert]:
        filters: list[dict[str, Any]] = []
        if series:
            filters.append({"term": {"moodwire.alert.series": series}})
        if state:
            filters.append({"term": {"moodwire.alert.state": state}})
        if since_ms is not None:
            filters.append({"range": {"moodwire.alert.onset": {"gte": since_ms, "format": "epoch_millis"}}})
        order = [{"moodwire.alert.onset": "desc"}, {"moodwire.alert.id": "asc"}]
        body: dict[str, Any] = {
            "query": {"bool": {"filter": filters}}, "sort": order, "size": min(limit, MOST_HITS)
        }  # fmt: skip
        if before is not None:
            body["search_after"] = list(before)
        return [alert_of(hit["_source"]) for hit in await self._search(self._names.alerts, body)]

    async def alert_history(self, alert_id: str) -> list[StoredAlert]:
        query = {"term": {"moodwire.alert.id": alert_id}}
        body = {"query": query, "sort": [{"moodwire.alert.revision": "asc"}], "size": MOST_HITS}
        return [alert_of(hit["_source"]) for hit in await self._search(self._names.alert_states, body)]

    async def notifications(self, alert_id: str, channel: str, state: str, limit: int) -> list[StoredNotification]:
        asked = {"alert_id": alert_id, "channel": channel, "state": state}
        filters = [{"term": {f"moodwire.notification.{field}": value}} for field, value in asked.items() if value]
        order = [{"moodwire.notification.updated": "desc"}, {"moodwire.notification.id": "asc"}]
        body = {"query": {"bool": {"filter": filters}}, "sort": order, "size": min(limit, MOST_HITS)}
        return [notification_of(hit["_source"]) for hit in await self._search(self._names.notifications, body)]

    async def decisions(
        self, target: str, by: str, kind: str, since_ms: int | None, before: int | None, limit: int
    ) -> list[StoredDecision]:
        asked = {"target": target, "by": by, "kind": kind}
        filters: list[dict[str, Any]] = [
            {"term": {f"moodwire.decision.{field}": value}} for field, value in asked.items() if value
        ]
        if since_ms is not None:
            filters.append({"range": {"moodwire.decision.sent": {"gte": since_ms, "format": "epoch_millis"}}})
        if before is not None:
            filters.append({"range": {"moodwire.decision.place": {"lt": before}}})
        order = [{"moodwire.decision.place": "desc"}]
        body = {"query": {"bool": {"filter": filters}}, "sort": order, "size": min(limit, MOST_HITS)}
        return [decision_of(hit["_source"]) for hit in await self._search(self._names.decisions, body)]

    async def views(self, kind: str, view_id: str, ids: Sequence[str] | None, limit: int) -> list[StoredView]:
        asked = {"kind": kind, "id": view_id, "gone": "false"}
        filters: list[dict[str, Any]] = [
            {"term": {f"moodwire.view.{field}": value}} for field, value in asked.items() if value
        ]
        if ids is not None:
            filters.append({"terms": {"moodwire.view.id": list(ids)}})
        order = [{"moodwire.view.id": "asc"}]
        body = {"query": {"bool": {"filter": filters}}, "sort": order, "size": min(limit, MOST_HITS)}
        return [view_of(hit["_source"]) for hit in await self._search(self._names.views, body)]


def _recent(source: dict[str, Any]) -> RecentStory:
    own = source["moodwire"]
    return RecentStory(
        own["id"], source["message"], source["@timestamp"], own["story"]["id"], own["story"].get("duplicate_of")
    )


def _restrictions(query: Query, words: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"prefix": {"moodwire.words": word}} for word in words if is_beginning(word)]
    whole = [word for word in words if not is_beginning(word)]
    if whole:
        fields = ["message", "moodwire.text", "moodwire.words"]
        text = {"query": " ".join(whole), "type": "cross_fields", "operator": "and", "fields": fields}
        rows.append({"multi_match": text})
    if query.series:
        rows.append(_series(query.series))
    if query.language:
        rows.append({"term": {"moodwire.language": query.language}})
    if query.source:
        rows.append({"term": {"moodwire.source": query.source}})
    if query.label is not None:
        head, label = query.label
        rows.append({"term": {f"moodwire.current.heads.{head}.label": label}})
    if query.since_ms is not None or query.until_ms is not None:
        rows.append(_span(query.since_ms, query.until_ms))
    return rows


def _buckets(answer: Mapping[str, Any], name: str) -> dict[str, int]:
    """Items by the names of an aggregation's buckets."""
    return {row["key"]: row["doc_count"] for row in answer.get(name, {}).get("buckets", ())}


def _series(series: str) -> dict[str, Any]:
    return {"term": {"moodwire.current.series": series}}


def _hits(series: str, signal: str) -> dict[str, Any]:
    return {"filter": {"term": {f"moodwire.current.hits.{signal}": series}}}


def _span(since_ms: int | None, until_ms: int | None) -> dict[str, Any]:
    bounds: dict[str, Any] = {"format": "epoch_millis"}
    if since_ms is not None:
        bounds["gte"] = since_ms
    if until_ms is not None:
        bounds["lt"] = until_ms
    return {"range": {"@timestamp": bounds}}
