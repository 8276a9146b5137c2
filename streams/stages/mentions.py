"""From scored items to records of the topic `mentions`: what `score` tells `watch`, live and when state is rebuilt.

scored items ─► those that count ─► mentions: by the signals hit, and by partition ─► batches

An item that is bad news for one of its companies and good for another makes two mentions at the same position. They
stand in one batch, for `watch` takes a position once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

import msgspec

from alerts import Hits
from streams.engine.ports import Send
from streams.limits import RECORD_BYTES
from streams.records import VERSION, MentionBatch, MentionItem, Scored
from streams.topics import PROMOTION_HEADER

__all__ = ["MENTIONS", "mention_sends", "mentions_partition"]

MENTIONS = 2_000
"""Most items in one record of the topic mentions: some 300 KB of ordinary ones. A record that would be larger than
`limits.RECORD_BYTES` is halved, between items: `watch` takes a position once."""

_HEADER_BYTES = 256

_encoder = msgspec.json.Encoder()


class _Encoded(Protocol):
    """Encodes a batch of items' mentions."""

    def __call__(self, batch: Sequence[list[MentionItem]], *, last: bool) -> bytes: ...


def mentions_partition(series: str, count: int) -> int:
    """Returns which of the `count` partitions of `mentions` counts a series."""
    return zlib.crc32(series.encode()) % count if count > 1 else 0


def mention_sends(
    topic: str,
    count: int,
    *,
    epoch: str,
    partition: int,
    partitions: int,
    progress_ms: int,
    items: Sequence[Scored],
    promotion: int = 0,
) -> list[Send]:
    """The records that tell of items of one source partition, in order of their offsets, and of its progress.

    For every one of the `count` mentions partitions at least one batch, empty or not: each must learn of the
    progress. Only the last batch of a partition tells it: the items of the others are not all of it. Items that
    are not counted are not mentioned. `partitions` is the source topic's number of partitions; `promotion` is
    the number of the one whose model scored the items; it goes into the header `PROMOTION_HEADER`.
    """
    mentioned: list[list[list[MentionItem]]] = [[] for _ in range(count)]
    for item in items:
        if not item.is_counted:
            continue
        for target, of_item in _mentions(item, count).items():
            mentioned[target].append(of_item)
    headers = ((PROMOTION_HEADER, str(promotion).encode()),) if promotion else ()

    def encoded(batch: Sequence[list[MentionItem]], *, last: bool) -> bytes:
        mentions = tuple(chain.from_iterable(batch))
        return _encoder.encode(
            MentionBatch(VERSION, epoch, partition, partitions, progress_ms if last else 0, mentions)
        )

    return [
        Send(topic, None, value, partition=target, headers=headers)
        for target, of_target in enumerate(mentioned)
        for value in _records(of_target, encoded)
    ]


def _records(of_target: Sequence[list[MentionItem]], encoded: _Encoded) -> Iterator[bytes]:
    """The batches of one partition, each within both limits; only the last is encoded as the last."""
    for start in range(0, max(len(of_target), 1), MENTIONS):
        batch = of_target[start : start + MENTIONS]
        yield from _fitting(batch, encoded, last=start + MENTIONS >= len(of_target))


def _fitting(batch: Sequence[list[MentionItem]], encoded: _Encoded, *, last: bool) -> Iterator[bytes]:
    value = encoded(batch, last=last)
    if len(value) <= RECORD_BYTES - _HEADER_BYTES or len(batch) < 2:
        yield value
        return
    middle = len(batch) // 2
    yield from _fitting(batch[:middle], encoded, last=False)
    yield from _fitting(batch[middle:], encoded, last=last)


def _mentions(item: Scored, count: int) -> dict[int, list[MentionItem]]:
    """By mentions partition the item's mentions: one for all series in which it hits the same signals alike."""
    grouped: dict[tuple[int, Hits], list[str]] = {}
    for series, hits in item.series.items():
        target = mentions_partition(series, count)
        grouped.setdefault((target, tuple(hits.items())), []).append(series)
    found: dict[int, list[MentionItem]] = {}
    for (target, same), names in grouped.items():
        found.setdefault(target, []).append(_mention(item, same, tuple(names)))
    return found


def _mention(item: Scored, hits: Hits, series: tuple[str, ...]) -> MentionItem:
    signature = int(item.signature, 16)
    return MentionItem(item.position.offset, item.news.id, item.news.seen_ms, signature, dict(hits), series)
