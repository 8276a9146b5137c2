"""The stage `score`: one news item in, one scored item and its mentions out.

    record ─► drafts: map, check ─► reader: clean, language, entities, watchlists ─► story
           ─► classify ─► archive ─► topics rejects, scored, mentions

Preparing and classifying run in a worker thread, so the event loop goes on serving the other stages. Each record is
classified by the version of its offset (`streams.serving.swap`), so a run may be classified in parts.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import msgspec

from models import Classifier
from streams.archive.protocol import Archive, Claims, Outcome, Refused, Written
from streams.engine.observer import NoObserver, StageObserver
from streams.engine.ports import Outbox, Send
from streams.engine.runs import Run
from streams.engine.ticks import ClockLimit
from streams.errors import Reject
from streams.feeds.fieldmap import FieldMap
from streams.limits import WATCHLISTS_PER_ITEM
from streams.records import Scored
from streams.serving.swap import FixedVersions, Part
from streams.serving.watched import RunningLists
from streams.stages.classify import Verdict, classify_items
from streams.stages.drafts import Draft, ReadNews, RecordReader
from streams.stages.mentions import mention_sends
from streams.stages.reader import TextReader
from streams.stages.scored_records import scored_of, scored_send
from streams.stages.watch_rules import LiveRules
from streams.text.profile import Profile
from streams.text.stories import StoryIndex
from streams.text.user_rules import with_both
from streams.topics import Topics
from streams.wall_clock import DAY_MS, HOUR_MS, wall_clock_ms

__all__ = ["RunVersions", "ScoreOptions", "ScoreStage"]

T = TypeVar("T")

_STORY_SPAN_MS = 7 * DAY_MS
CHUNK = 500
"""Records that are read, classified and written together: enough to sort by length, small enough to overlap."""


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How a `ScoreStage` behaves; times in ms.

    `live`: event time is at most `ahead_ms` beyond the clock, and follows the clock when a partition is read to its
    end; in a replay it follows the records alone.
    `source_epoch` and `source_partitions` are those of the topic news, for reports that no run brings.
    """

    topics: Topics
    source_epoch: str = ""
    source_partitions: int = 1
    mentions_partitions: int = 1
    late_after_ms: int = 6 * HOUR_MS
    live: bool = True
    ahead_ms: int = 1_000
    story_capacity: int = 20_000


class RunVersions(Protocol):
    """Which classifiers score which records of a run."""

    async def of(self, run: Run) -> Sequence[Part]:
        """The run in parts, in order of their offsets; called before any effect of the run."""

    def forget(self, partition: int) -> None:
        """The partition was revoked."""


@dataclass(slots=True)
class _Results:
    """What is archived of a run: the items that count, and what is to be sent of them beside the mentions.

    A revision is sent to the topic scored and does not count, however long ago its item was counted.
    """

    added: list[Scored] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    progress_ms: int = 0
    newest_ms: int = 0
    newest_source: str = ""


class ScoreStage:
    """Scores runs of the topic `news`. `clock` gives the wall clock in ms.

    `versions` are the classifiers of a run's parts; a mapping by language stands for ones that never change. The
    `rules` name series of items that are in several others at once; a change holds from the next run on.
    """

    def __init__(
        self,
        options: ScoreOptions,
        profile: Profile,
        reader: TextReader,
        versions: RunVersions | Mapping[str, Classifier],
        archive: Archive,
        outbox: Outbox,
        field_map: FieldMap,
        clock: Callable[[], int] = wall_clock_ms,
        observer: StageObserver | None = None,
        rules: LiveRules | None = None,
    ) -> None:
        self._options = options
        self._profile = profile
        self._rules = rules
        limit = ClockLimit(options.ahead_ms, clock) if options.live else None
        self._records = RecordReader(reader, field_map, options.topics.rejects, clock, limit)
        self._versions: RunVersions = FixedVersions(versions) if isinstance(versions, Mapping) else versions
        self._archive = archive
        self._outbox = outbox
        self._observer = observer or NoObserver()
        self._stories: dict[int, StoryIndex] = {}
        self._published: dict[int, tuple[str, int]] = {}
        """Where sending failed: the epoch, and the offset up to which all but the mentions is acknowledged."""

    async def handle(self, run: Run) -> None:
        try:
            await self._handle(run)
        except BaseException:
            self._stories.pop(run.partition, None)  # its stories are ahead of the archive: read them again
            raise

    async def _handle(self, run: Run) -> None:
        """Chunk by chunk: while one is classified, the next is read, the one before is archived, and it is claimed."""
        parts = await self._versions.of(run)
        profile = self._profile if self._rules is None else with_both(self._profile, await self._rules.current())
        stories = await self._story_index(run)
        results = _Results()
        chunks = [run.records[start : start + CHUNK] for start in range(0, len(run.records), CHUNK)]
        reading = asyncio.ensure_future(asyncio.to_thread(self._records.draft, run, chunks[0], stories))
        claiming: asyncio.Future[Claims | None] | None = None
        writing: asyncio.Future[None] | None = None
        try:
            for following in [*chunks[1:], None]:
                draft = await reading
                if following is not None:
                    reading = asyncio.ensure_future(asyncio.to_thread(self._records.draft, run, following, stories))
                claiming = asyncio.ensure_future(self._archive.claim(draft.read)) if draft.read else None
                await asyncio.to_thread(self._classify, draft, parts, profile)
                draft.claims = await claiming if claiming is not None else None
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(self._archive_chunk(run, draft, results))
            if writing is not None:
                await writing
        finally:  # after a failure nothing of this attempt may go on beside the next
            begun = [one for one in (reading, claiming, writing) if one is not None]
            await asyncio.gather(*begun, return_exceptions=True)

        await self._send(run, results.sends, self._mentions_of(run, parts, results))
        self._observer.rejected(results.reasons)
        self._observer.read(run.partition, results.newest_ms, results.newest_source)

    async def _send(self, run: Run, sends: Sequence[Send], mentions: Sequence[Send]) -> None:
        """All at once. After a failure the mentions go apart, and what was acknowledged before them is not sent again:
        a partition that refuses mentions for a day gets no item published twice a minute.
        """
        known = self._published.get(run.partition)
        if known is None:
            self._published[run.partition] = (run.epoch, -1)
            await self._outbox.send([*sends, *mentions])
        else:
            if known[0] != run.epoch or run.last_offset > known[1]:
                await self._outbox.send(sends)
                self._published[run.partition] = (run.epoch, run.last_offset)
            await self._outbox.send(mentions)
        del self._published[run.partition]

    async def _archive_chunk(self, run: Run, draft: Draft, results: _Results) -> None:
        """Archive a chunk; what the topics are to learn of it is sent with the run's other chunks, at once."""
        outcomes = await self._archive.write_items(draft.items, draft.claims) if draft.items else []
        stored = [
            (item, outcome)
            for item, outcome in zip(draft.items, outcomes, strict=True)
            if outcome in (Outcome.ADDED, Outcome.REVISION)
        ]
        topic = self._options.topics.scored
        results.sends += [*draft.rejects, *self._refused(run, draft, outcomes)]
        results.reasons += draft.reasons
        results.sends += [scored_send(topic, item) for item, _ in stored]
        results.added += [item for item, outcome in stored if outcome is Outcome.ADDED]
        results.progress_ms = max(results.progress_ms, draft.progress_ms)
        if draft.newest_ms > results.newest_ms:
            results.newest_ms, results.newest_source = draft.newest_ms, draft.newest_source

    def _refused(self, run: Run, draft: Draft, outcomes: Sequence[Written]) -> list[Send]:
        """What the archive can never store is parked like any other bad record, with the archive's reason."""
        refusals = {
            item.position.offset: Reject(f"archive_{outcome.reason}", outcome.detail)
            for item, outcome in zip(draft.items, outcomes, strict=True)
            if isinstance(outcome, Refused)
        }
        if not refusals:
            return []
        records = {record.offset: record for record in run.records if record.offset in refusals}
        draft.reasons += [reject.reason for reject in refusals.values()]
        return [self._records.reject(run, records[offset], reject, draft.now_ms) for offset, reject in refusals.items()]

    async def idle(self, partition: int, now_ms: int) -> None:
        """Report that the partition is read to its end, so that time goes on while no news comes."""
        options = self._options
        if options.live:
            ends = self._mentions(options.source_epoch, partition, options.source_partitions, now_ms, [])
            await self._outbox.send(ends)

    def forget(self, partition: int) -> None:
        self._stories.pop(partition, None)
        self._published.pop(partition, None)
        self._versions.forget(partition)

    async def _story_index(self, run: Run) -> StoryIndex:
        index = self._stories.get(run.partition)
        if index is None:
            index = StoryIndex(self._options.story_capacity, self._profile.opposites)
            rows = await self._archive.stories(
                partition=run.partition,
                epoch=run.epoch,
                before_offset=run.first_offset,
                since_ms=self._records.first_seen_ms(run) - _STORY_SPAN_MS,
                limit=self._options.story_capacity,
            )
            index.restore(rows)
            self._stories[run.partition] = index
        return index

    def _classify(self, draft: Draft, parts: Sequence[Part], profile: Profile) -> None:
        """Score what was read, each by the version of its offset; for a worker thread."""
        verdicts: list[Verdict] = []
        watched: list[ReadNews] = []
        for part, reads in _by_part(parts, draft.read, lambda read: read.position.offset):
            own = reads if part.lists is None else [_watched(read, part.lists) for read in reads]
            verdicts += classify_items(profile, part.classifiers, [read.item for read in own])
            watched += own
        draft.read = watched
        draft.items = [
            scored_of(read, verdict, draft.now_ms, self._options.late_after_ms)
            for read, verdict in zip(draft.read, verdicts, strict=True)
        ]

    def _mentions_of(self, run: Run, parts: Sequence[Part], results: _Results) -> list[Send]:
        """Each part's mentions apart, for they name its version; the last ones tell the progress."""
        sends: list[Send] = []
        for part, items in _by_part(parts, results.added, lambda item: item.position.offset):
            progress_ms = results.progress_ms if part is parts[-1] else 0
            sends += self._mentions(run.epoch, run.partition, run.partitions, progress_ms, items, part.promotion)
        return sends

    def _mentions(
        self, epoch: str, partition: int, partitions: int, progress_ms: int, items: Sequence[Scored], promotion: int = 0
    ) -> list[Send]:
        options = self._options
        return mention_sends(
            options.topics.mentions,
            options.mentions_partitions,
            epoch=epoch,
            partition=partition,
            partitions=partitions,
            progress_ms=progress_ms,
            items=items,
            promotion=promotion,
        )


def _watched(read: ReadNews, lists: RunningLists) -> ReadNews:
    """The item with the watchlists of its offset."""
    item, entities = read.item, [entity.id for entity in read.item.entities]
    names = lists.matched(item.watchlists, item.title, item.text, entities, read.news.source)
    item = msgspec.structs.replace(item, watchlists=names[:WATCHLISTS_PER_ITEM])
    return msgspec.structs.replace(read, item=item)


def _by_part(
    parts: Sequence[Part], things: Sequence[T], offset_of: Callable[[T], int]
) -> Iterator[tuple[Part, Sequence[T]]]:
    """Each part with its things, which stand in order of their offsets."""
    begin = 0
    for part in parts:
        end = bisect_left(things, part.end_offset, begin, key=offset_of)
        yield part, things[begin:end]
        begin = end
