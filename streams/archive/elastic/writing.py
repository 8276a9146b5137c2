"""Writing items: first the registry says what each record is, then the documents are stored.

    records of an id ─► claim in the registry ─┬─► new version, or a redo ─► its document in its day's index
                        (create; if it is there:│                            ─► revisions lose the mark `item`
                         read, decide, compare  └─► duplicate ─► a sighting by position
                         and swap)

Exact with any number of writers and after any crash, because each step is idempotent and none goes back:
a claim is settled by one document's compare-and-swap; documents and sightings are only ever created; the mark
`moodwire.item` only ever falls, whoever comes first. A version that must lose its mark before its own
writer has stored it gets a stub without the mark, which that writer fills in.
The first step needs no scores, so it can be done while those are made (`ItemWriter.claim`).
A crash between the steps is mended by the redo of the run, which finds its own claims again by position.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.archive.elastic.bulk import Action, Bulk, Settled
from streams.archive.elastic.documents import document_id, item_document, stub_document
from streams.archive.elastic.names import OVERFLOW, Names, day_of
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.registry import Entry, Version, fold, unclaim
from streams.archive.elastic.session import Session
from streams.archive.elastic.verdicts import Verdict
from streams.archive.protocol import Claims, Outcome, Refused, Unscored, Written
from streams.archive.storable import UNENCODABLE, unencodable, unstorable
from streams.errors import Retry
from streams.records import Scored
from streams.wall_clock import wall_clock_ms

__all__ = ["ItemWriter", "Settlement"]

MOST_SWAPS = 20
"""Writers of one id at once are at most as many as partitions hold copies of it; this many lost races are a fault."""


@dataclass(slots=True)
class _Group:
    """The records of one id in a batch, in order."""

    records: list[Unscored] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    entry: Entry | None = None

    @property
    def stores(self) -> bool:
        """Whether any of the records is a version, not only another sighting of one."""
        return any(outcome is not Outcome.DUPLICATE for outcome in self.outcomes)

    def settled(self) -> Entry:
        assert self.entry is not None, "read before it was claimed"
        return self.entry


@dataclass(slots=True)
class Settlement(Claims):
    """A batch's records by their id, in order, with what the registry says of each."""

    groups: dict[str, _Group] = field(default_factory=dict)
    refused: dict[int, Refused] = field(default_factory=dict)
    """By place in the batch, the records that no archive can store."""

    @classmethod
    def of(cls, records: Sequence[Unscored]) -> Settlement:
        """The records in groups; nothing is settled yet."""
        made = cls()
        for place, record in enumerate(records):
            refusal = unstorable(record)
            if refusal is not None:
                made.refused[place] = refusal
                continue
            group = made.groups.setdefault(record.news.id, _Group())
            group.records.append(record)
            group.places.append(place)
        return made


class ItemWriter:
    """Writes batches of items; many may be under way at once. `clock` gives the wall clock in ms."""

    def __init__(
        self,
        session: Session,
        bulk: Bulk,
        names: Names,
        options: ElasticOptions,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._session = session
        self._bulk = bulk
        self._names = names
        self._options = options
        self._clock = clock

    async def write(self, items: Sequence[Scored], claims: Claims | None = None) -> list[Written]:
        """One outcome an item. Raises `Retry`; then some are stored, and the redo finds them."""
        settled = claims if isinstance(claims, Settlement) else await self.claim(items)
        outcomes: list[Written] = [Outcome.ADDED] * len(items)
        for group in settled.groups.values():
            for place, outcome in zip(group.places, group.outcomes, strict=True):
                outcomes[place] = outcome
        refused = await self._store(items, settled.groups.values())
        for place, refusal in (settled.refused | refused).items():
            outcomes[place] = refusal
        return outcomes

    async def claim(self, records: Sequence[Unscored]) -> Settlement:
        """Settle every id's entry and its records' outcomes: most ids are new and take one request."""
        settlement = Settlement.of(records)
        if settlement.groups:
            await self._settle(settlement.groups)
        return settlement

    async def _settle(self, groups: dict[str, _Group]) -> None:
        now_ms = self._clock()
        waiting = list(groups)
        actions: list[Action] = []
        for item_id in waiting:
            entry = self._fold(groups[item_id], None, now_ms)
            actions.append(Action.of("create", self._names.registry, item_id, msgspec.json.encode(entry)))
        for _ in range(MOST_SWAPS):
            results = await self._bulk.send(actions)
            waiting = [
                item_id
                for item_id, result in zip(waiting, results, strict=True)
                if self._stored(result, "registry") is Verdict.CONFLICT
            ]
            if not waiting:
                return
            waiting, actions = await self._swaps(waiting, groups, now_ms)
        self._session.fail(f"{len(waiting)} ids are claimed over and over by others")

    def _fold(self, group: _Group, entry: Entry | None, now_ms: int) -> Entry:
        days = (day_of(item.news.seen_ms, now_ms, self._options.retention_days) for item in group.records)
        group.entry, group.outcomes = fold(entry, zip(group.records, days, strict=True))
        return group.entry

    async def _swaps(
        self, waiting: Sequence[str], groups: dict[str, _Group], now_ms: int
    ) -> tuple[list[str], list[Action]]:
        """For ids that have an entry: decide on it; those whose entry changes, and the compare-and-swap for each."""
        changed: list[str] = []
        actions: list[Action] = []
        for item_id, found in zip(waiting, await self._entries(waiting), strict=True):
            before = msgspec.convert(found["_source"], Entry) if found.get("found") else None
            after = self._fold(groups[item_id], before, now_ms)
            if after == before:
                continue
            changed.append(item_id)
            actions.append(_swap(self._names.registry, item_id, found, after))
        return changed, actions

    async def _entries(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The registry's documents of these ids, with what a compare-and-swap needs."""
        return await self._session.documents([{"_index": self._names.registry, "_id": one} for one in ids])

    def _stored(self, result: Settled, what: str) -> Verdict:
        """Done or conflict; anything else cannot be for a document of this kind, and the partition waits."""
        if result.verdict not in (Verdict.DONE, Verdict.CONFLICT):
            self._session.fail(f"{what}: {result.verdict.value} {result.kind} {result.reason}")
        return result.verdict

    async def _store(self, items: Sequence[Scored], groups: Collection[_Group]) -> dict[int, Refused]:
        """Documents and sightings; what was refused, by place in the batch."""
        actions: list[Action] = []
        owners: list[tuple[_Group, Scored] | None] = []
        unstored: list[tuple[_Group, Scored, Refused]] = []
        for group in groups:
            entry = group.settled()
            earliest, seen = entry.item.content, set[str]()
            for place, outcome in zip(group.places, group.outcomes, strict=True):
                item = items[place]
                if outcome is Outcome.DUPLICATE:
                    actions.append(self._sighting(item, entry))
                    owners.append(None)
                elif item.news.content not in seen:
                    seen.add(item.news.content)
                    document = _document(item, is_item=item.news.content == earliest)
                    if isinstance(document, Refused):
                        unstored.append((group, item, document))
                        continue
                    actions.append(Action.of("create", *self._place(entry, item), document))
                    owners.append((group, item))
        results = await self._bulk.send(actions) if actions else []
        refused = await self._refuse_all(unstored)
        standing: list[tuple[_Group, Scored]] = []
        for owner, result in zip(owners, results, strict=True):
            if owner is None:
                self._stored(result, "sighting")
            elif result.verdict is Verdict.REFUSED:
                refused |= await self._refuse(*owner, Refused(result.kind, result.reason))
            elif self._stored(result, "document") is Verdict.CONFLICT:
                standing.append(owner)
        await self._fill_stubs(standing)
        await self._demote(groups)
        return refused

    def _place(self, entry: Entry, item: Scored) -> tuple[str, str]:
        """(index, document id) of a version; the index was settled when it was claimed."""
        version = entry.version(item.news.content)
        assert version is not None, "its claim made it part of the entry"
        return self._names.of_day(version.day), document_id(item.news.id, item.news.content)

    def _sighting(self, item: Scored, entry: Entry) -> Action:
        at = item.position
        source = {
            "@timestamp": item.news.seen_ms,
            "moodwire": {"id": item.news.id, "content": item.news.content, "item_seen": entry.seen},
        }
        key = f"{at.epoch}.{at.partition}.{at.offset}"
        return Action.of("create", self._names.sightings, key, msgspec.json.encode(source))

    async def _fill_stubs(self, standing: Sequence[tuple[_Group, Scored]]) -> None:
        """Documents that stood there already are a redo's; where it is a stub, it becomes the whole document."""
        if not standing:
            return
        places = [self._place(group.settled(), item) for group, item in standing]
        found = await self._session.documents([{"_index": index, "_id": key} for index, key in places], "moodwire.stub")
        actions = [
            _swap(index, key, one, item_document(item, is_item=False))
            for (index, key), (_, item), one in zip(places, standing, found, strict=True)
            if one.get("found") and one["_source"].get("moodwire", {}).get("stub")
        ]
        for result in await self._bulk.send(actions) if actions else ():
            self._stored(result, "document")

    async def _demote(self, groups: Iterable[_Group]) -> None:
        """Take the mark off every version that is not the earliest; a version not stored yet gets a stub."""
        now_ms = self._clock()
        actions = [
            self._demotion(group.records[0].news.id, version)
            for group in groups
            if group.entry is not None and group.entry.revised and group.stores
            for version in group.entry.versions
            if version is not group.entry.item and self._is_kept(version, now_ms)
        ]
        for result in await self._bulk.send(actions) if actions else ():
            if result.verdict is not Verdict.DONE:
                raise Retry(f"a revision could not be marked: {result.kind} {result.reason}", 0.5)

    def _demotion(self, item_id: str, version: Version) -> Action:
        stub = stub_document(item_id, version.content, version.seen_ms)
        body = {"doc": {"moodwire": {"item": False}}, "upsert": stub}
        index, key = self._names.of_day(version.day), document_id(item_id, version.content)
        return Action.of("update", index, key, msgspec.json.encode(body), retry_on_conflict=5)

    def _is_kept(self, version: Version, now_ms: int) -> bool:
        """Whether the version's index is not one that pruning may have dropped: writing would bring it back."""
        return version.day == OVERFLOW or day_of(version.seen_ms, now_ms, self._options.retention_days) != OVERFLOW

    async def _refuse_all(self, unstored: Iterable[tuple[_Group, Scored, Refused]]) -> dict[int, Refused]:
        refused: dict[int, Refused] = {}
        for group, item, refusal in unstored:
            refused |= await self._refuse(group, item, refusal)
        return refused

    async def _refuse(self, group: _Group, item: Scored, refused: Refused) -> dict[int, Refused]:
        """Give the claim of a refused version back, so that a mended copy of it is no duplicate of nothing."""
        news = item.news
        for _ in range(MOST_SWAPS):
            (found,) = await self._entries([news.id])
            entry = msgspec.convert(found["_source"], Entry) if found.get("found") else None
            group.entry = unclaim(entry, news.content) if entry else None
            if entry is None or group.entry == entry:
                break
            (outcome,) = await self._bulk.send([_swap(self._names.registry, news.id, found, group.entry)])
            if self._stored(outcome, "registry") is Verdict.DONE:
                break
        if group.entry is not None:
            await self._promote(news.id, group.entry.item)
        same = zip(group.places, group.records, strict=True)
        return {place: refused for place, item in same if item.news.content == news.content}

    async def _promote(self, item_id: str, version: Version) -> None:
        """Mark the earliest of what is left; where it is not stored, its own writer will mark it."""
        index, key = self._names.of_day(version.day), document_id(item_id, version.content)
        body = msgspec.json.encode({"doc": {"moodwire": {"item": True}}})
        await self._bulk.send([Action.of("update", index, key, body, retry_on_conflict=5)])


def _document(item: Scored, *, is_item: bool) -> bytes | Refused:
    try:
        return item_document(item, is_item=is_item)
    except UNENCODABLE as error:
        return unencodable(error)


def _swap(index: str, key: str, found: dict[str, Any], document: Entry | bytes | None) -> Action:
    """Put `document` in the place of what was read, if it still is what was read; None deletes it."""
    condition: dict[str, object] = {}
    if found.get("found"):
        condition = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
    if document is None:
        return Action.of("delete", index, key, b"", **condition)
    source = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return Action.of("index" if condition else "create", index, key, source, **condition)
