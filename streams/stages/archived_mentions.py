"""All mentions of an archive, made again in the order in which `watch` may count them.

    archive ─► versions by position ─► merged by event time ─► records of the topic mentions

They carry the positions that the items had, so what `score` sends again later is not counted again. What the archive
does not hold any more (it was pruned) is in none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from streams.archive.protocol import Archive, Outcome
from streams.engine.ports import Send
from streams.records import Scored
from streams.stages.mentions import MENTIONS, mention_sends

__all__ = ["Layout", "Taken", "archived_mentions"]

NEVER_MS = 1 << 62
"""The progress of a source partition that no longer exists: the watermark waits for it no longer."""


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


Taken = Callable[[Sequence[Scored]], Awaitable[Sequence[Scored]]]
"""What is mentioned of a page of items, in order: the same or fewer, with other scores if need be."""


async def _all(items: Sequence[Scored]) -> Sequence[Scored]:
    return items


async def archived_mentions(
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
    """What was a revision when it came is not mentioned, as `score` mentioned none."""
    outcomes = await archive.outcomes(items)
    return [item for item, outcome in zip(items, outcomes, strict=True) if outcome is Outcome.ADDED]


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
    firsts = {place: await _page(archive, layout.page, *place) for place in await archive.source_partitions()}
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
    return await archive.items_after(epoch=epoch, partition=partition, after_offset=after_offset, limit=limit)
