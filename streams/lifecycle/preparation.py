"""Baselines for a promotion, made by a command beside the running pipeline and sent to `watch`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from alerts import AlertConfig
from streams.archive.protocol import Archive
from streams.lifecycle.baselines import Rescoring, build_baselines, cut_of
from streams.stages.archived_mentions import Layout
from streams.stages.watch_rows import changelogs_of, progress_by_partition
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["PreparedBaselines", "prepare_baselines"]


@dataclass(frozen=True, slots=True)
class PreparedBaselines:
    """What was sent: up to which hour (ms), from how many versions of items, in how many records."""

    cut_ms: int
    items: int
    records: int


async def prepare_baselines(
    broker: Broker,
    topics: Topics,
    mentions_partitions: int,
    archive: Archive,
    config: AlertConfig,
    rescoring: Rescoring,
    promotion: int,
    *,
    span_ms: int,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # nobody looks
) -> PreparedBaselines | None:
    """Send every mentions partition the baselines of `promotion`; None when `watch` has counted nothing yet.

    They rest on the last `span_ms`. To be done before the promotion's record stands in `control`. Raises what the
    broker and the archive raise.
    """
    news = await asyncio.to_thread(broker.topic, topics.news)
    progress = await asyncio.to_thread(_progress, broker, topics, mentions_partitions)
    cut_ms = cut_of(progress, news.partitions, config)
    if cut_ms is None:
        return None
    layout = Layout(topics.mentions, mentions_partitions, news.epoch, news.partitions)
    read = 0

    def count(items: int) -> None:
        nonlocal read
        read = items
        on_progress(items)

    sends = await build_baselines(
        archive,
        layout,
        config,
        rescoring,
        promotion=promotion,
        cut_ms=cut_ms,
        since_ms=cut_ms - span_ms,
        on_progress=count,
    )
    await asyncio.to_thread(broker.append, sends)
    return PreparedBaselines(cut_ms, read, len(sends))


def _progress(broker: Broker, topics: Topics, partitions: int) -> dict[int, int]:
    """How far each source partition has come in the mentions partition that is furthest behind; empty: not known."""
    changelogs = changelogs_of(broker.names(f"{topics.group('watch')}-"))
    known = progress_by_partition(record for name in changelogs for record in broker.scan(name))
    least: dict[int, int] = {}
    for number in range(partitions):
        if number not in known:
            return {}
        for source, progress_ms in known[number].items():
            least[source] = min(least.get(source, progress_ms), progress_ms)
    return least
