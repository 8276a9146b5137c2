"""Mentions that wait for the watermark: in memory and in rows once each, whatever they are mentioned with.

    add ──► by the tick that will count them ──► rows "w/TICK/PART" of 8 KB ──► pop, when the tick is closed

A mention's tick is settled when it comes, from its `seen` and from the ticks that are closed by then. So which
mentions a tick counts is a function of the log alone, and the rows of any attempt may stand beside each other: a part
holds the mentions in the order in which they came, each with its own offset, and those past the own offset to go on
from are left out. A part that is full never changes again; only the last one of a tick is written anew.

What is written is kept packed in memory too: 55 bytes a mention, and a hold of a day costs no more.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from alerts import Heard
from streams.errors import check_version

__all__ = ["WAITING_PREFIX", "Waiting"]

WAITING_PREFIX = "w/"

PART_BYTES: Final = 8 << 10
"""A row: large enough for 100 mentions, small enough to be written anew twice a second."""

_MENTION_BYTES: Final = 48
FORMAT = 2


class _Part(msgspec.Struct, array_like=True):
    """Mentions by column; `ids` are 16 bytes each, or texts where one is no such number.

    `hits` has a byte a mention, how many signals it hits; `signals` and `probabilities` those of all mentions in turn.
    Series and signals are numbers in `names`.
    """

    version: int
    sources: list[int]
    offsets: list[int]
    seen: list[int]
    ids: bytes | list[str]
    signatures: bytes
    hits: bytes
    signals: list[int]
    probabilities: bytes
    names: list[str]
    series: list[list[int]]


class _Head(msgspec.Struct, array_like=True):
    """What every version begins with."""

    version: int


_heads = msgspec.msgpack.Decoder(_Head)
_parts = msgspec.msgpack.Decoder(_Part)
_encoder = msgspec.msgpack.Encoder()


class _Bucket:
    """What one tick will count: full parts and the last one, packed, and what came since they were written."""

    __slots__ = ("fresh", "full", "last", "rows")

    def __init__(self) -> None:
        self.full: list[bytes] = []
        self.last: bytes | None = None
        self.fresh: list[Heard] = []
        self.rows = 0  # of the tick that may be in the log, also of an attempt that was cut off

    def mentions(self) -> list[Heard]:
        """All, in the order in which they came."""
        packed = [*self.full, self.last] if self.last is not None else self.full
        return [one for row in packed for one in unpacked(row)] + self.fresh

    def pack(self) -> Iterator[tuple[int, bytes]]:
        """Packs what came; the parts that have changed, by number."""
        entries = (unpacked(self.last) if self.last is not None else []) + self.fresh
        self.last, self.fresh = None, []
        for part, is_full in _split(entries):
            row = packed(part)
            yield len(self.full), row
            if is_full:
                self.full.append(row)
            else:
                self.last = row
        self.rows = max(self.rows, len(self.full) + (self.last is not None))


class Waiting:
    """The mentions of one partition that wait, by tick. `len` is their number."""

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}
        self._counts: dict[int, int] = {}
        self._ticks: list[int] = []
        self._dirty: set[int] = set()
        self._spent: list[str] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, tick_ms: int, mention: Heard) -> None:
        """The tick has not been closed yet. Mentions come in the order of `source`, the own offset."""
        bucket = self._buckets.get(tick_ms)
        if bucket is None:
            bucket = self._bucket(tick_ms)
        bucket.fresh.append(mention)
        self._dirty.add(tick_ms)
        self._counts[tick_ms] += 1
        self._count += 1

    def _bucket(self, tick_ms: int) -> _Bucket:
        bucket = self._buckets[tick_ms] = _Bucket()
        self._counts[tick_ms] = 0
        heapq.heappush(self._ticks, tick_ms)
        return bucket

    def first(self) -> int | None:
        """The earliest tick with mentions."""
        return self._ticks[0] if self._ticks else None

    def tick_that_leaves(self, most: int) -> int | None:
        """The tick to close, with all before it, so that at most so many mentions wait; None where no more do."""
        left = self._count
        if left <= most:
            return None
        for tick_ms in sorted(self._ticks):
            left -= self._counts[tick_ms]
            if left <= most:
                return tick_ms
        return None

    def pop(self, tick_ms: int) -> list[Heard]:
        """The mentions of the earliest tick, if it is this one, sorted; they wait no longer."""
        if not self._ticks or self._ticks[0] != tick_ms:
            return []
        heapq.heappop(self._ticks)
        bucket = self._buckets.pop(tick_ms)
        self._count -= self._counts.pop(tick_ms)
        self._dirty.discard(tick_ms)
        self._spend(tick_ms, bucket.rows)
        return sorted(bucket.mentions())

    def _spend(self, tick_ms: int, rows: int) -> None:
        self._spent += [_key(tick_ms, number) for number in range(rows)]

    def taking_rows(self) -> Iterator[tuple[str, bytes]]:
        """The rows that have changed since the last call."""
        dirty, self._dirty = self._dirty, set()
        for tick_ms in sorted(dirty):
            for number, row in self._buckets[tick_ms].pack():
                yield _key(tick_ms, number), row

    def take_spent(self) -> list[str]:
        """The rows that no one needs since the last call."""
        spent, self._spent = self._spent, []
        return spent

    def restore(self, rows: dict[str, bytes], own_offset: int, closed_ms: int) -> Iterator[None]:
        """Takes all rows, in steps, as they were at this own offset, when this tick was closed."""
        for tick_ms, number, key in sorted((*_place(key), key) for key in rows):
            if tick_ms <= closed_ms:
                self._spent.append(key)
                continue
            bucket = self._buckets.get(tick_ms) or self._bucket(tick_ms)
            bucket.rows = number + 1
            self._restore_part(tick_ms, bucket, rows[key], own_offset)
            yield

    def _restore_part(self, tick_ms: int, bucket: _Bucket, row: bytes, own_offset: int) -> None:
        """A full part stays packed; a later one may hold what is counted again."""
        part = _decoded(row)
        kept = sum(source <= own_offset for source in part.sources)
        if not kept:
            return
        if bucket.last is not None:
            bucket.full.append(bucket.last)
        bucket.last = row if kept == len(part.sources) else packed(unpacked(row)[:kept])
        self._counts[tick_ms] += kept
        self._count += kept


def _key(tick_ms: int, number: int) -> str:
    return f"{WAITING_PREFIX}{tick_ms}/{number}"


def _place(key: str) -> tuple[int, int]:
    tick, _, number = key.removeprefix(WAITING_PREFIX).partition("/")
    return int(tick), int(number)


def _split(mentions: Sequence[Heard]) -> Iterator[tuple[Sequence[Heard], bool]]:
    """Parts in order, each with whether it is full; where one ends depends on the mentions in it alone."""
    start = size = 0
    for at, one in enumerate(mentions):
        size += _MENTION_BYTES + sum(map(len, one.series))
        if size >= PART_BYTES:
            yield mentions[start : at + 1], True
            start, size = at + 1, 0
    if start < len(mentions):
        yield mentions[start:], False


def packed(mentions: Sequence[Heard]) -> bytes:
    """The row of a part."""
    numbers: dict[str, int] = {}
    series = [[numbers.setdefault(name, len(numbers)) for name in one.series] for one in mentions]
    hits = [hit for one in mentions for hit in one.hits]
    signals = [numbers.setdefault(name, len(numbers)) for name, _ in hits]
    first = mentions[0]
    part = _Part(
        FORMAT,
        [one.source for one in mentions],
        [one.offset for one in mentions],
        [one.seen_ms - first.seen_ms for one in mentions],
        _packed_ids([one.id for one in mentions]),
        array("Q", [one.signature for one in mentions]).tobytes(),
        bytes([len(one.hits) for one in mentions]),
        signals,
        array("d", [probability for _, probability in hits]).tobytes(),
        list(numbers),
        series,
    )
    part.seen.append(first.seen_ms)
    return _encoder.encode(part)


def _packed_ids(ids: list[str]) -> bytes | list[str]:
    try:
        packed = bytes.fromhex("".join(ids))
    except ValueError:
        return ids
    return packed if packed.hex() == "".join(ids) and all(len(one) == 32 for one in ids) else ids


def _decoded(row: bytes) -> _Part:
    """Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`."""
    check_version("a row of waiting mentions", _heads.decode(row).version, FORMAT)
    return _parts.decode(row)


def unpacked(row: bytes) -> list[Heard]:
    """The mentions of a part's row, in order. Raises `NewerVersion` or `msgspec.DecodeError`."""
    part = _decoded(row)
    signatures, probabilities = array("Q"), array("d")
    signatures.frombytes(part.signatures)
    probabilities.frombytes(part.probabilities)
    ids = part.ids
    if isinstance(ids, bytes):
        text = ids.hex()
        ids = [text[start : start + 32] for start in range(0, len(text), 32)]
    base_ms, names = part.seen.pop(), part.names
    series = [tuple([names[number] for number in numbers]) for numbers in part.series]
    hits = iter([(names[number], probability) for number, probability in zip(part.signals, probabilities, strict=True)])
    return [
        Heard(base_ms + seen_ms, item_id, signature, tuple(islice(hits, count)) if count else (), of, source, offset)
        for seen_ms, item_id, signature, count, of, source, offset in zip(
            part.seen, ids, signatures, part.hits, series, part.sources, part.offsets, strict=True
        )
    ]
