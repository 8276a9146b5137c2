"""A ring of recent events that every stream reads at its own pace: a slow reader costs the others nothing.

    publish ─► ring (bounded in events and bytes) ◄── a cursor each ── Reader ── Reader …
                  └─ what falls off raises the floor: an id below it, or of another epoch, is answered by `resync`

There is no queue a client. One that falls behind the ring has lost events, and is to be closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final

from streams.board.live.position import Position, decoded, encoded

__all__ = ["Event", "FellBehind", "Happening", "Hub", "Reader", "Resync"]

_MOST_EVENTS: Final = 2_000
_MOST_BYTES: Final = 8 << 20

_MOST_AHEAD: Final = 100_000
"""An id may be ahead of a board that has just begun, or follows a little later than the one before."""


class FellBehind(Exception):
    """The reader's next event is in the ring no longer."""


class Resync(StrEnum):
    """Why a reader must read everything anew."""

    UNKNOWN = "unknown_id"
    """The id is none of a stream's, or of a topic that was made again."""
    TOO_OLD = "too_old"
    """Events since then are no longer kept."""
    AHEAD = "ahead"
    """The topic has not come so far: it lost records, or the id is made up."""
    RESTARTED = "restarted"
    """What was followed began anew."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something to report: `topic` (`items`, `alerts`) and its place there, the event's name and its JSON.

    `next_offset` is the offset behind it.
    """

    topic: str
    partition: int
    next_offset: int
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """A happening with what goes over the wire, which all streams share."""

    topic: str
    partition: int
    offset: int
    wire: bytes


@dataclass(slots=True)
class _Place:
    """Of one partition: events before `floor` are no longer in the ring, `next_offset` is how far it was read."""

    floor: int
    next_offset: int


@dataclass(slots=True)
class Reader:
    """A cursor on the ring. Events of a partition before `since` are known to it already.

    `resync` is why it has to read everything anew, which the next event says. `own_status` are fields of the status,
    as JSON, that are this reader's own.
    """

    topics: frozenset[str]
    cursor: int
    generation: int
    since: Position = field(default_factory=dict)
    resync: Resync | None = None
    status_number: int = -1
    own_status: bytes = b""

    def lacks(self, event: Event) -> bool:
        """Whether the event is for this reader, and new to it."""
        if event.topic not in self.topics:
            return False
        _, offsets = self.since.get(event.topic, ("", {}))
        return event.offset >= offsets.get(event.partition, 0)


@dataclass(slots=True)
class Hub:
    """For one event loop. `readers` is how many streams are open; `closed` says that all of them are to end."""

    most_events: int = _MOST_EVENTS
    most_bytes: int = _MOST_BYTES
    _ring: deque[Event] = field(default_factory=deque)
    _first: int = 0
    _bytes: int = 0
    _epochs: dict[str, str] = field(default_factory=dict)
    _places: dict[tuple[str, int], _Place] = field(default_factory=dict)
    _grown: asyncio.Event = field(default_factory=asyncio.Event)
    _joined: asyncio.Event = field(default_factory=asyncio.Event)
    _generation: int = 0
    _status: bytes = b""
    _status_number: int = 0
    readers: int = 0
    closed: bool = False

    # -- writing

    def begin(self, topic: str, epoch: str, offsets: Mapping[int, int]) -> None:
        """The topic is followed from these offsets on. Where it was followed before, what is known of it is void."""
        if topic in self._epochs:
            self._forget(topic)
        self._epochs[topic] = epoch
        for partition, offset in offsets.items():
            self._places[topic, partition] = _Place(offset, offset)

    def _forget(self, topic: str) -> None:
        """Every open stream is to read anew: none can tell what it has missed."""
        self._places = {place: one for place, one in self._places.items() if place[0] != topic}
        self._first += len(self._ring)
        self._ring.clear()
        self._bytes = 0
        for one in self._places.values():
            one.floor = one.next_offset
        self._generation += 1
        self._wake()

    def publish(self, happenings: Sequence[Happening], reached: Mapping[tuple[str, int], int]) -> None:
        """Adds events; `reached` are the offsets that come next, also of partitions in which nothing happened."""
        for one in happenings:
            self._places[one.topic, one.partition].next_offset = one.next_offset
            self._add(one)
        for place, offset in reached.items():
            self._places[place].next_offset = max(self._places[place].next_offset, offset)
        if happenings:
            self._wake()

    def _add(self, one: Happening) -> None:
        wire = wire_of(one.name, one.data, self.position_id)
        self._ring.append(Event(one.topic, one.partition, one.next_offset - 1, wire))
        self._bytes += len(wire)
        while len(self._ring) > self.most_events or (self._bytes > self.most_bytes and len(self._ring) > 1):
            gone = self._ring.popleft()
            self._first += 1
            self._bytes -= len(gone.wire)
            self._places[gone.topic, gone.partition].floor = gone.offset + 1

    def report_status(self, data: bytes) -> None:
        """Replaces what every stream is told of the whole, a JSON object; it has no place in the ring."""
        if data != self._status:
            self._status = data
            self._status_number += 1
            self._wake()

    def close(self) -> None:
        """Ends all streams."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    # -- reading

    @property
    def position(self) -> Position:
        """How far this hub is."""
        found: Position = {topic: (epoch, {}) for topic, epoch in self._epochs.items()}
        for (topic, partition), place in self._places.items():
            found[topic][1][partition] = place.next_offset
        return found

    @property
    def position_id(self) -> str:
        """The position as an event's id."""
        return encoded(self.position)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the ring's events."""
        return self._bytes

    @contextmanager
    def reading(self, topics: Iterable[str], last_id: str = "", own_status: bytes = b"") -> Iterator[Reader]:
        """A reader of `topics` from now on, or from behind the event of the id `last_id`."""
        cursor = self._first + len(self._ring)
        reader = Reader(frozenset(topics), cursor, self._generation, own_status=own_status)
        if last_id:
            self._go_back(reader, decoded(last_id))
        self.readers += 1
        self._joined.set()
        try:
            yield reader
        finally:
            self.readers -= 1
            if not self.readers:
                self._status = b""  # nobody renews it: whoever comes next waits for the next one

    async def joined(self) -> None:
        """Waits until there is a reader."""
        self._joined.clear()
        if not self.readers:
            await self._joined.wait()

    def _go_back(self, reader: Reader, last: Position | None) -> None:
        reader.resync = Resync.UNKNOWN if last is None else self._problem(last, reader.topics)
        if last is not None and reader.resync is None:
            reader.since, reader.cursor = last, self._first

    def _problem(self, last: Position, topics: frozenset[str]) -> Resync | None:
        """Why a stream cannot go on from a position; None where it can."""
        for topic in topics & self._epochs.keys():
            epoch, offsets = last.get(topic, ("", {}))
            places = {partition: place for (name, partition), place in self._places.items() if name == topic}
            if epoch != self._epochs[topic] or offsets.keys() != places.keys():
                return Resync.UNKNOWN
            if any(offset < places[partition].floor for partition, offset in offsets.items()):
                return Resync.TOO_OLD
            if any(offset > places[partition].next_offset + _MOST_AHEAD for partition, offset in offsets.items()):
                return Resync.AHEAD
        return None

    def take(self, reader: Reader, most_bytes: int) -> bytes:
        """Returns what is new to the reader, some at a time; empty when there is nothing. Raises `FellBehind`."""
        parts = [*self._resync(reader), *self._new_status(reader)]
        size = 0
        for wire in self._new_events(reader):
            parts.append(wire)
            size += len(wire)
            if size >= most_bytes:
                break
        return b"".join(parts)

    def _new_events(self, reader: Reader) -> Iterator[bytes]:
        if reader.cursor < self._first:
            raise FellBehind
        for event in islice(self._ring, reader.cursor - self._first, None):
            reader.cursor += 1
            if reader.lacks(event):
                yield event.wire

    def _resync(self, reader: Reader) -> Iterator[bytes]:
        if reader.generation != self._generation:
            reader.generation, reader.cursor, reader.since = self._generation, self._first, {}
            reader.resync = Resync.RESTARTED
        if reader.resync is not None:
            data = b'{"reason":"%s"}' % reader.resync.value.encode()
            reader.resync = None
            yield wire_of("resync", data, self.position_id)

    def _new_status(self, reader: Reader) -> Iterator[bytes]:
        if "status" in reader.topics and reader.status_number != self._status_number:
            reader.status_number = self._status_number
            if self._status:
                yield wire_of("status", with_own(self._status, reader.own_status))

    async def grown(self, wait_seconds: float) -> bool:
        """Waits until something may be new; returns False when nothing came within the wait."""
        try:
            async with asyncio.timeout(wait_seconds):
                await self._grown.wait()
        except TimeoutError:
            return False
        return True


def with_own(status: bytes, own: bytes) -> bytes:
    """Returns the JSON object with the reader's own fields."""
    return status if not own else status[:-1] + b"," + own[1:]


def wire_of(name: str, data: bytes, event_id: str = "") -> bytes:
    """Returns an event as server-sent events have it; `data` is JSON of one line."""
    head = f"event: {name}\nid: {event_id}\n" if event_id else f"event: {name}\n"
    return b"".join((head.encode(), b"data: ", data, b"\n\n"))
