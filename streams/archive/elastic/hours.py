"""Hours of series in Elasticsearch: an index a day, a document an hour and series, under a key that a redo repeats."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from streams.archive.elastic.bulk import Action
from streams.archive.elastic.names import Names, day_of
from streams.archive.elastic.session import Session
from streams.archive.protocol import SeriesSum, StoredHour
from streams.wall_clock import HOUR_MS

__all__ = ["HourReader", "hour_action"]

_FIELD: Final = "moodwire.hour"
_PAGE: Final = 10_000
_MOST_SERIES: Final = 1_000
_LENIENT: Final = {"ignore_unavailable": "true", "allow_no_indices": "true"}
_SUMS: Final = ("total", "hits", "expected", "excess")


def hour_action(names: Names, hour: StoredHour, now_ms: int, retention_days: int) -> Action:
    """Returns what stores an hour, over one that is there."""
    own = {
        "signal": hour.signal,
        "series": hour.series,
        "total": hour.total,
        "hits": hour.hits,
        "expected": hour.expected,
        "excess": hour.excess,
        "low": hour.low,
        "high": hour.high,
    }
    document = msgspec.json.encode({"@timestamp": hour.start_ms, "moodwire": {"hour": own}})
    index = names.hours_of_day(day_of(hour.start_ms, now_ms, retention_days))
    series = hashlib.sha256(f"{hour.signal}/{hour.series}".encode()).hexdigest()[:32]
    return Action.of("index", index, f"{series}.{hour.start_ms // HOUR_MS}", document)


class HourReader:
    """Finds and adds up stored hours."""

    def __init__(self, session: Session, names: Names) -> None:
        self._session = session
        self._index = names.hours

    async def hours(self, series: Sequence[str] | None, signal: str, since_ms: int, until_ms: int) -> list[StoredHour]:
        filters = _restrictions(signal, since_ms, until_ms)
        if series is not None:
            filters.append({"terms": {f"{_FIELD}.series": list(series)}})
        body: dict[str, Any] = {
            "query": {"bool": {"filter": filters}},
            "sort": [{"@timestamp": "asc"}, {f"{_FIELD}.series": "asc"}],
            "size": _PAGE,
            "track_total_hits": False,
        }
        found: dict[tuple[int, str], StoredHour] = {}  # on the edge of the retention a redo may write to another index
        while True:
            rows = (await self._search(body))["hits"]["hits"]
            for row in rows:
                hour = _hour_of(row["_source"])
                found[hour.start_ms, hour.series] = hour
            if len(rows) < _PAGE:
                return list(found.values())
            body["search_after"] = rows[-1]["sort"]

    async def first(self, signal: str, since_ms: int) -> int | None:
        body = {
            "query": {"bool": {"filter": _restrictions(signal, since_ms)}},
            "sort": [{"@timestamp": "asc"}],
            "size": 1,
        }
        rows = (await self._search(body))["hits"]["hits"]
        return int(rows[0]["_source"]["@timestamp"]) if rows else None

    async def sums(self, kind: str, signal: str, since_ms: int, until_ms: int, limit: int) -> list[SeriesSum]:
        """Exact up to `limit` series on one shard a day; with more, one at the end of the list may be missed."""
        filters = _restrictions(signal, since_ms, until_ms)
        if kind:
            field = f"{_FIELD}.series"
            filters.append({"bool": {"should": [{"term": {field: kind}}, {"prefix": {field: f"{kind}/"}}]}})
        judged = {"filter": {"exists": {"field": f"{_FIELD}.expected"}}, "aggs": {"hits": _sum_of("hits")}}
        terms = {
            "field": f"{_FIELD}.series",
            "size": min(limit, _MOST_SERIES),
            "order": [{"hits": "desc"}, {"total": "desc"}, {"_key": "asc"}],
        }
        sums = {name: _sum_of(name) for name in _SUMS} | {"judged": judged}
        body = {
            "size": 0,
            "query": {"bool": {"filter": filters}},
            "aggs": {"series": {"terms": terms, "aggs": sums}},
        }
        answer = await self._search(body)
        return [_series_sum(row) for row in answer.get("aggregations", {}).get("series", {}).get("buckets", ())]

    async def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        return dict(await self._session.call("POST", f"/{self._index}/_search", body, _LENIENT))


def _sum_of(name: str) -> dict[str, Any]:
    return {"sum": {"field": f"{_FIELD}.{name}"}}


def _restrictions(signal: str, since_ms: int, until_ms: int | None = None) -> list[dict[str, Any]]:
    span: dict[str, Any] = {"gte": since_ms, "format": "epoch_millis"}
    if until_ms is not None:
        span["lt"] = until_ms
    return [{"term": {f"{_FIELD}.signal": signal}}, {"range": {"@timestamp": span}}]


def _hour_of(source: Mapping[str, Any]) -> StoredHour:
    own = source["moodwire"]["hour"]
    return StoredHour(start_ms=source["@timestamp"], **own)


def _series_sum(row: Mapping[str, Any]) -> SeriesSum:
    total, hits, expected, excess = (row[name]["value"] for name in _SUMS)
    judged = row["judged"]
    return SeriesSum(
        row["key"], int(total), int(hits), judged["doc_count"], int(judged["hits"]["value"]), expected, excess
    )
