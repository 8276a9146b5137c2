"""The state of `watch` again from the archive: when it is lost and the mentions have left retention.

    changelog, mentions ─► how far each source partition had come ─┐
    archive ─► versions by position ─► merged by event time ─► topic mentions, made anew ─► `watch` counts it all

Mentions carry the positions that the items had, so what `score` sends again later is not counted again. Alerts get
the ids and versions that they had, so what was archived or sent stays as it is. What the archive does not hold any
more (it was pruned) is in no baseline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from streams.archive.protocol import Archive
from streams.engine.ports import Send
from streams.errors import TransportError
from streams.records import MentionBatch, Scored
from streams.serving.prepared import is_baselines
from streams.stages.mentions import MENTIONS, mention_sends
from streams.stages.watch_rows import PARTITION_KEY, progress_of
from streams.topics import Topics
from streams.transport.broker import Broker, TopicSpec

__all__ = ["Layout", "Taken", "progress_by_partition", "restate", "restated", "watch_changelogs"]

NEVER_MS = 1 << 62
"""The progress of a source partition that is there no more: the watermark waits for it no longer."""

_decoder = msgspec.json.Decoder(MentionBatch)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where mentions go, and what they come from: `epoch` and `partitions` are those of the topic news now.

    At most `page` items are read of a source partition at once.
    """

    topic: str
    count: int
    epoch: str
    partitions: int
    page: int = MENTIONS

    def sends(self, epoch: str, partition: int, progress_ms: int, items: Sequence[Scored] = ()) -> list[Send]:
        return mention_sends(
            self.topic,
            self.count,
            epoch=epoch,
            partition=partition,
            partitions=self.partitions,
            progress_ms=progress_ms,
            items=items,
        )


@dataclass(slots=True)
class _Source:
    """A source partition while it is read: the next items, and the epochs after theirs."""

    partition: int
    ahead: list[tuple[str, list[Scored]]] = field(default_factory=list)
    progress_ms: int = 0

    async def take(self, archive: Archive, page: int) -> tuple[str, list[Scored]]:
        """The next items by offset, of one epoch, with what follows them fetched.

        They tell no more progress than what follows allows: one whose clock was ahead makes nothing late.
        """
        epoch, items = self.ahead.pop(0)
        more = await _page(archive, page, epoch, self.partition, items[-1].position.offset)
        if more:
            self.ahead.insert(0, (epoch, more))
        newest_ms = max(item.news.seen_ms for item in items)
        if self.ahead:
            newest_ms = min(newest_ms, min(item.news.seen_ms for item in self.ahead[0][1]))
        self.progress_ms = max(self.progress_ms, newest_ms)
        return epoch, items


async def restate(
    broker: Broker,
    topics: Topics,
    specs: Iterable[TopicSpec],
    archive: Archive,
    *,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # nobody looks
) -> int:
    """Make `mentions` anew from the archive and drop the state of `watch`; how many versions were read.

    `on_progress` hears that number as it grows. To be done again from the start when it was cut off: the old state
    goes last, and until then it still tells how far the source partitions had come. Raises StageTaken while `score`
    or `watch` run in the namespace, TransportError when the broker has not forgotten the old offsets.
    """
    specs = list(specs)
    [mentions] = [spec for spec in specs if spec.name == topics.mentions]
    with broker.held([topics.group("score"), topics.group("watch")]):
        await asyncio.to_thread(broker.ensure_topics, specs)
        news = await asyncio.to_thread(broker.topic, topics.news)
        changelogs = await asyncio.to_thread(watch_changelogs, broker, topics)
        known = await asyncio.to_thread(_known_progress, broker, topics, changelogs)
        await asyncio.to_thread(broker.delete_topic, topics.mentions)
        await asyncio.to_thread(broker.ensure_topics, [mentions])
        layout = Layout(topics.mentions, mentions.partitions, news.epoch, news.partitions)
        done = sent = 0
        async for read, sends in restated(archive, layout, known):
            await asyncio.to_thread(broker.append, sends)
            done += read
            sent += len(sends)
            on_progress(done)
        if await asyncio.to_thread(broker.lag, topics.group("watch"), topics.mentions) < sent:
            raise TransportError(
                f"group {topics.group('watch')} still has offsets of the {topics.mentions} that was deleted, and would"
                " pass over some of the new one: start the command again"
            )
        for changelog in changelogs:
            await asyncio.to_thread(broker.delete_topic, changelog)
    return done


def watch_changelogs(broker: Broker, topics: Topics) -> list[str]:
    """The topics that hold the rows of `watch`."""
    return [name for name in broker.names(f"{topics.group('watch')}-") if name.endswith("-changelog")]


def progress_by_partition(broker: Broker, changelogs: Iterable[str]) -> dict[int, dict[int, int]]:
    """How far each source partition (to ms) had come in each mentions partition that has a row of its own."""
    rows = {record.key: record.value for name in changelogs for record in broker.scan(name)}
    found: dict[int, dict[int, int]] = {}
    for key, row in rows.items():
        partition, _, name = (key or b"").partition(b"|")
        if row and name == PARTITION_KEY.encode():
            found[int(partition)] = progress_of(row)
    return found


def _known_progress(broker: Broker, topics: Topics, changelogs: Iterable[str]) -> dict[int, int]:
    """How far each source partition had come, as far as the state and the mentions still tell."""
    known: dict[int, int] = {}
    for record in broker.scan(topics.mentions):
        if record.value is not None and not is_baselines(record.headers):
            batch = _decoder.decode(record.value)
            known[batch.partition] = max(known.get(batch.partition, 0), batch.progress_ms)
    for progress in progress_by_partition(broker, changelogs).values():
        for partition, progress_ms in progress.items():
            known[partition] = max(known.get(partition, 0), progress_ms)
    return known


Taken = Callable[[Sequence[Scored]], Awaitable[Sequence[Scored]]]
"""What is mentioned of a page of items, in order: the same or fewer, with other scores if need be."""


async def _all(items: Sequence[Scored]) -> Sequence[Scored]:
    return items


async def restated(
    archive: Archive, layout: Layout, known: Mapping[int, int], taken: Taken = _all
) -> AsyncIterator[tuple[int, list[Send]]]:
    """All mentions of the archive in the order in which they may be counted: (versions read, records to send).

    Each source partition by epoch and offset, as `score` reads them; among partitions the one that is behind in
    event time comes next, so that the watermark follows and little waits for it. Last, every partition's progress,
    which is what `known` says where that is more.
    """
    epochs, sources = await _open(archive, layout)
    existing, layout = layout.partitions, replace(layout, partitions=len(sources))
    # All partitions are heard from the beginning: a late watermark would keep all of the archive in memory.
    yield 0, [send for partition in range(layout.partitions) for send in layout.sends(epochs[0], partition, 0)]
    while waiting := [source for source in sources if source.ahead]:
        source = min(waiting, key=lambda one: one.progress_ms)
        epoch, items = await source.take(archive, layout.page)
        counted = await taken(await _without_revisions(archive, items))
        sends = layout.sends(epoch, source.partition, source.progress_ms, counted)
        yield len(items), [*sends, *_followed(layout, epochs[-1], sources)]
    for source in sources:
        there = source.partition < existing
        progress_ms = max(source.progress_ms, known.get(source.partition, 0)) if there else NEVER_MS
        yield 0, layout.sends(epochs[-1], source.partition, progress_ms)


async def _without_revisions(archive: Archive, items: Sequence[Scored]) -> Sequence[Scored]:
    """A revision is never counted, as `score` mentions none."""
    earliest = {item.news.id: item.position for item in await archive.items_by_id([item.news.id for item in items])}
    return [item for item in items if earliest.get(item.news.id, item.position) == item.position]


def _followed(layout: Layout, epoch: str, sources: Sequence[_Source]) -> list[Send]:
    """Partitions of which all is read go along with the others: they hold nothing back any more."""
    behind_ms = min((source.progress_ms for source in sources if source.ahead), default=0)
    sends: list[Send] = []
    for source in sources:
        if not source.ahead and source.progress_ms < behind_ms:
            source.progress_ms = behind_ms
            sends += layout.sends(epoch, source.partition, behind_ms)
    return sends


async def _open(archive: Archive, layout: Layout) -> tuple[list[str], list[_Source]]:
    """The epochs in the order in which they were scored, and the source partitions at their first items."""
    firsts = {place: await _page(archive, layout.page, *place) for place in await archive.places()}
    began: dict[str, int] = {}
    for (epoch, _), items in firsts.items():
        if items:
            began[epoch] = min(began.get(epoch, items[0].scored_ms), items[0].scored_ms)
    epochs = sorted(began, key=lambda epoch: (epoch == layout.epoch, began[epoch], epoch))
    partitions = max([layout.partitions, *(partition + 1 for _, partition in firsts)])
    sources = [
        _Source(partition, [(epoch, firsts[epoch, partition]) for epoch in epochs if firsts.get((epoch, partition))])
        for partition in range(partitions)
    ]
    return epochs or [layout.epoch], sources


async def _page(archive: Archive, limit: int, epoch: str, partition: int, after_offset: int = -1) -> list[Scored]:
    return await archive.placed(epoch=epoch, partition=partition, after_offset=after_offset, limit=limit)
