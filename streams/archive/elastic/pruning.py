"""Deleting by age: whole days where that is exact, single documents where it is not.

days that are over ─► their indices dropped
the overflow, the last day in part ─► deleted by query
old items that have revisions in later days ─► those, by id, from the registry
then sightings, and at last the registry: a prune that is cut off is done again from the start
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from streams.archive.elastic.names import Names
from streams.archive.elastic.reading import LENIENT, Reader
from streams.archive.elastic.session import Session
from streams.archive.elastic.verdicts import Verdict

__all__ = ["Pruner"]

PAGE = 1_000


class Pruner:
    """Deletes items seen before a moment, with all that belongs to them."""

    def __init__(self, session: Session, names: Names, reader: Reader) -> None:
        self._session = session
        self._names = names
        self._reader = reader

    async def prune(self, before_ms: int) -> int:
        """The number of versions deleted, stubs apart."""
        names = self._names
        await self._reader.refresh(names.days, names.hour_days, names.registry, names.sightings)
        deleted = await self._drop_days(names.days, before_ms)
        await self._drop_days(names.hour_days, before_ms)
        await self._delete(names.hours, _before("@timestamp", before_ms))
        deleted += await self._delete(names.versions, _before("@timestamp", before_ms))
        async for ids in self._old_and_revised(before_ms):
            deleted += await self._delete(names.versions, {"terms": {"moodwire.id": ids}})
            await self._delete(names.sightings, {"terms": {"moodwire.id": ids}})
        await self._delete(names.sightings, _before("moodwire.item_seen", before_ms))
        await self._delete(names.registry, _before("seen", before_ms))
        await self._reader.refresh(names.days, names.registry, names.sightings)
        return deleted

    async def _drop_days(self, pattern: str, before_ms: int) -> int:
        """How many documents were in the days of the pattern that were dropped."""
        found = await self._session.call("GET", f"/{pattern}", None, LENIENT | {"filter_path": "*.settings.index.uuid"})
        deleted = 0
        for index in sorted(found):
            if not self._names.ended_before(index, before_ms):
                continue
            count = await self._session.call("POST", f"/{index}/_count", {"query": {"match_all": {}}}, LENIENT)
            await self._session.call("DELETE", f"/{index}", allow=(Verdict.MISSING,))
            deleted += int(count["count"])
        return deleted

    async def _old_and_revised(self, before_ms: int) -> AsyncIterator[list[str]]:
        """Ids of items seen before, with revisions, in pages."""
        filters = [_before("seen", before_ms), {"term": {"revised": True}}]
        body: dict[str, Any] = {
            "query": {"bool": {"filter": filters}},
            "sort": [{"seen": "asc"}, {"_doc": "asc"}],
            "size": PAGE,
            "_source": False,
        }
        while True:
            answer = await self._session.call("POST", f"/{self._names.registry}/_search", body, LENIENT)
            hits = answer["hits"]["hits"]
            if hits:
                yield [hit["_id"] for hit in hits]
            if len(hits) < PAGE:
                return
            body["search_after"] = hits[-1]["sort"]

    async def _delete(self, index: str, query: dict[str, Any]) -> int:
        """Delete by query; documents that changed meanwhile stay for the next prune."""
        answer = await self._session.call(
            "POST",
            f"/{index}/_delete_by_query",
            {"query": query},
            LENIENT | {"conflicts": "proceed", "refresh": "true"},
        )
        return int(answer["deleted"])


def _before(field: str, before_ms: int) -> dict[str, Any]:
    return {"range": {field: {"lt": before_ms, "format": "epoch_millis"}}}
