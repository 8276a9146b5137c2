"""Scoring archived items again: new scores beside the old ones.

    versions whose current model is another ─► page ─► classify ─► update by compare-and-swap ─► next page

`moodwire.current` takes the new scores, `moodwire.earlier` keeps those before, and the item's series follow its new
topic. Nothing is counted, mentioned or announced. What is done is recognised by its model, so a run that was cut off
goes on where it stopped, and a second run finds nothing to do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from streams.archive.elastic.bulk import Action, Bulk
from streams.archive.elastic.documents import Scores
from streams.archive.elastic.names import Names
from streams.archive.elastic.reading import LENIENT, STUB, Reader
from streams.archive.elastic.session import Session
from streams.archive.elastic.verdicts import Verdict

__all__ = ["Rescorer", "Target"]

PAGE = 500


@dataclass(frozen=True, slots=True)
class Target:
    """Items of a language are scored by this model; those that it scored already are left alone."""

    language: str
    model: str
    version: str


class Rescorer:
    """Finds what another model scored, and writes new scores beside."""

    def __init__(self, session: Session, bulk: Bulk, names: Names, reader: Reader) -> None:
        self._session = session
        self._bulk = bulk
        self._names = names
        self._reader = reader

    async def waiting(self, target: Target, since_ms: int = 0) -> int:
        """How many versions there are to score."""
        await self._reader.refresh(self._names.days)
        body = {"query": _query(target, since_ms)}
        return int((await self._session.call("POST", f"/{self._names.versions}/_count", body, LENIENT))["count"])

    async def pages(self, target: Target, since_ms: int = 0) -> AsyncIterator[list[dict[str, Any]]]:
        """The search hits to score, oldest first."""
        body: dict[str, Any] = {
            "query": _query(target, since_ms),
            "sort": [{"@timestamp": "asc"}, {"moodwire.id": "asc"}, {"moodwire.content": "asc"}],
            "size": PAGE,
            "seq_no_primary_term": True,
        }
        while True:
            answer = await self._session.call("POST", f"/{self._names.versions}/_search", body, LENIENT)
            hits = list(answer["hits"]["hits"])
            if hits:
                yield hits
            if len(hits) < PAGE:
                return
            body["search_after"] = hits[-1]["sort"]

    async def write(self, hits: Sequence[dict[str, Any]], scores: Sequence[Scores]) -> int:
        """Put new scores beside the old; how many were written. One that changed meanwhile waits for the next run."""
        actions = [_update(hit, new) for hit, new in zip(hits, scores, strict=True)]
        written = 0
        for result in await self._bulk.send(actions):
            if result.verdict is Verdict.DONE:
                written += 1
            elif result.verdict not in (Verdict.CONFLICT, Verdict.MISSING):
                self._session.fail(f"new scores: {result.kind} {result.reason}")
        return written


def _query(target: Target, since_ms: int) -> dict[str, Any]:
    own = [
        {"term": {"moodwire.current.model": target.model}},
        {"term": {"moodwire.current.model_version": target.version}},
    ]
    return {
        "bool": {
            "filter": [
                {"term": {"moodwire.language": target.language}},
                {"range": {"@timestamp": {"gte": since_ms, "format": "epoch_millis"}}},
            ],
            "must_not": [STUB, {"bool": {"filter": own}}],
        }
    }


def _update(hit: dict[str, Any], new: Scores) -> Action:
    """The whole document again, for an update would merge: heads and signals that the new scores lack would stay."""
    own = hit["_source"]["moodwire"]
    earlier = [*own.get("earlier", ()), own["current"]]
    source = hit["_source"] | {"moodwire": own | {"current": msgspec.to_builtins(new), "earlier": earlier}}
    condition = {"if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
    return Action.of("index", hit["_index"], hit["_id"], msgspec.json.encode(source), **condition)
