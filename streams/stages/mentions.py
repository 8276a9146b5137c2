"""From scored items to records of the topic `mentions`: what `score` tells `watch`, live and when state is rebuilt.

scored items ─► those that count ─► one mention for each mentions partition of their series ─► batches
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from streams.archive.series import series_of
from streams.engine.ports import Send
from streams.records import VERSION, MentionBatch, MentionItem, Scored
from streams.topics import CHANGE_HEADER

__all__ = ["MENTIONS", "mention_sends"]

MENTIONS = 2_000
"""Most items in one record of the topic mentions: some 300 KB, while brokers take 1 MB."""

_encoder = msgspec.json.Encoder()


def mention_sends(
    topic: str,
    count: int,
    *,
    epoch: str,
    partition: int,
    partitions: int,
    progress_ms: int,
    items: Sequence[Scored],
    change: int = 0,
) -> list[Send]:
    """The records that tell of items of one source partition, in order of their offsets, and of its progress.

    For every one of the `count` mentions partitions at least one batch, empty or not: each must learn of the
    progress. Only the last batch of a partition tells it: the items of the others are not all of it. Items without
    a sentiment and late ones are not mentioned. `partitions` is the source topic's number of partitions; `change` is
    that of the promotion whose model scored the items, told in the header `CHANGE_HEADER`.
    """
    mentioned: list[list[MentionItem]] = [[] for _ in range(count)]
    for item in items:
        if item.sentiment is None or item.late:
            continue
        for target, series in _by_partition(series_of(item), count).items():
            mentioned[target].append(_mention(item, series))
    headers = ((CHANGE_HEADER, str(change).encode()),) if change else ()
    sends = []
    for target, of_target in enumerate(mentioned):
        for start in range(0, max(len(of_target), 1), MENTIONS):
            last = start + MENTIONS >= len(of_target)
            batch = tuple(of_target[start : start + MENTIONS])
            record = MentionBatch(VERSION, epoch, partition, partitions, progress_ms if last else 0, batch)
            sends.append(Send(topic, None, _encoder.encode(record), partition=target, headers=headers))
    return sends


def _by_partition(series: Sequence[str], count: int) -> dict[int, tuple[str, ...]]:
    if count == 1:
        return {0: tuple(series)}
    targets: dict[int, tuple[str, ...]] = {}
    for name in series:
        target = zlib.crc32(name.encode()) % count
        targets[target] = (*targets.get(target, ()), name)
    return targets


def _mention(item: Scored, series: tuple[str, ...]) -> MentionItem:
    sentiment = item.sentiment
    assert sentiment is not None
    negative = int(sentiment.label == "negative")
    return MentionItem(
        item.position.offset, item.news.id, item.news.seen_ms, item.signature, negative, sentiment.negative, series
    )
