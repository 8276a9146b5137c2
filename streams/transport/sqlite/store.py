"""`Store`: a durable partitioned log in one SQLite file, used by threads and by several processes at once."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import TransportError
from streams.group_commit import transaction
from streams.kept_file import KeptFile
from streams.private_files import private_database, tighten
from streams.transport.sqlite.log import Log, TopicInfo
from streams.transport.sqlite.schema import connect, explained, lost, prepare
from streams.transport.sqlite.upkeep import Held, Upkeep
from streams.transport.sqlite.wakeup import hub
from streams.wall_clock import wall_clock_ms

__all__ = ["Commit", "Store"]

_SCAN_RECORDS = 1_000
_MAX_READ_BYTES = 4 << 20

#: A trial write is that of a small run, so that a file with room for a few bytes is still full.
_TRIAL_BYTES = 32 << 10
_TRIAL_NOTE = "trial write"
_TRIAL_BUSY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Commit:
    """Offsets that a group has done with: of each (topic, partition) the next offset to read."""

    group: str
    offsets: Mapping[tuple[str, int], int]


class Store:
    """The log, synchronous. What `append` and `commit` have returned survives a crash and a power cut.

        store = Store.open(Path("data/live/broker.db"))
        store.create_topic("moodwire.live.news", partitions=4)
        store.append([Send("moodwire.live.news", b"key", b"value")])
        store.read("moodwire.live.news", partition=2, offset=0, limit=500)

    Threads may share a store: one connection writes, one reads. Every method raises TransportError when the
    file fails, with the fix in its text.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hub = hub(path)
        self._reading = threading.Lock()
        self._file = KeptFile(path)
        with explained(path), ExitStack() as opened:
            self._write_db = opened.enter_context(closing(connect(path)))
            with self.hub.write_lock:
                prepare(self._write_db, path)
            tighten(path)
            self._read_db = opened.enter_context(closing(connect(path)))
            opened.pop_all()
        self._write_log = Log(self._write_db)
        self._read_log = Log(self._read_db)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens the file, or makes it with its folder.

        Raises TransportError for a file that is no broker's, damaged, or from a newer version.
        """
        path = path.expanduser().resolve()
        with explained(path):
            private_database(path)
        return cls(path)

    def check(self) -> None:
        """Raises BrokerDamaged when the path names the open file no longer; a few microseconds."""
        if loss := self._file.loss():
            raise lost(self.path, loss)

    def close(self) -> None:
        """Closes the file; the last one to close folds the write-ahead log into it."""
        with self.hub.write_lock, self._reading:
            self._read_db.close()
            self._write_db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[Log]:
        """One transaction on the log, committed at the end; raises TransportError."""
        self.check()
        with explained(self.path), self.hub.write_lock, self._noted(self._write_db), transaction(self._write_db):
            yield self._write_log
        self.check()  # after the commit: what went to a file that is gone is not durable

    @contextmanager
    def _noted(self, db: sqlite3.Connection) -> Iterator[None]:
        """Keeps in the hub why the file refused the write; a transaction that changed nothing proves nothing."""
        before = db.total_changes
        try:
            with explained(self.path):
                yield
        except TransportError as error:
            if isinstance(error.__cause__, sqlite3.OperationalError):  # no other is about the file as a whole
                self.hub.refusal = str(error)
            raise
        if db.total_changes > before:
            self.hub.refusal = ""

    def check_writes(self) -> None:
        """Raises TransportError when the file refused this process's last write and refuses a trial write too.

        Costs nothing while writes succeed. The trial ends the refusal where nothing else is written.
        """
        if not self.hub.refusal:
            return
        self.check()  # to connect would make the file anew
        with explained(self.path), closing(connect(self.path, busy_seconds=_TRIAL_BUSY_SECONDS)) as db:
            for note in (os.urandom(_TRIAL_BYTES // 2).hex(), ""):
                with self._noted(db), transaction(db):
                    Log(db).set_progress({_TRIAL_NOTE: note})

    @contextmanager
    def _looking(self) -> Iterator[Log]:
        self.check()
        with explained(self.path), self._reading:
            yield self._read_log

    # -- topics

    def create_topic(
        self, name: str, partitions: int, *, compacted: bool = False, retention_ms: int | None = None
    ) -> None:
        """Creates the topic; does nothing when it exists as asked, and updates its retention.

        `compacted` keeps the last record of each key; `retention_ms` removes records that every group has
        passed once they are so old (None: never).
        Raises TransportError when it exists with other partitions.
        """
        with self._looking() as log:
            known = log.topics().get(name)
        if known and (known.partitions, known.compacted, known.retention_ms) == (
            partitions,
            compacted,
            retention_ms,
        ):
            return
        with self.writing() as log:
            log.create_topic(name, partitions, compacted=compacted, retention_ms=retention_ms)

    def delete_topic(self, name: str) -> None:
        """Deletes the topic with all its records and committed offsets; made again it has another epoch."""
        with self.writing() as log:
            log.delete_topic(name)

    def topics(self) -> dict[str, TopicInfo]:
        """Every topic by name."""
        with self._looking() as log:
            return dict(log.topics())

    def epoch(self, topic: str) -> str:
        """The id that this incarnation of the topic got at random when it was created."""
        with self._looking() as log:
            return log.topic(topic).epoch

    # -- writing

    def append(
        self, sends: Sequence[Send], progress: Mapping[str, str] | None = None, *, now_ms: int | None = None
    ) -> list[int]:
        """Appends in one transaction and returns the offsets; durable when it returns.

        `progress` is written in the same transaction: a publisher's own note of how far it has come.
        Without `partition` the key decides as in Kafka (murmur2), without a key partitions take turns.
        """
        return [offset for _, offset in self.write(sends, progress=progress, now_ms=now_ms)]

    def write(
        self,
        sends: Sequence[Send],
        *,
        progress: Mapping[str, str] | None = None,
        commits: Sequence[Commit] = (),
        now_ms: int | None = None,
    ) -> list[tuple[int, int]]:
        """`append` and `commit` in one transaction; returns (partition, offset) of each send."""
        with self.writing() as log:
            placed = log.append(sends, wall_clock_ms() if now_ms is None else now_ms)
            if progress:
                log.set_progress(progress)
            for commit in commits:
                log.commit(commit.group, commit.offsets)
        if sends:
            self.hub.announce()
        return placed

    def commit(self, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Remembers for the group the next offset to read of each (topic, partition)."""
        self.write((), commits=(Commit(group, offsets),))

    def join(self, group: str, topics: Sequence[str]) -> None:
        """The group reads these topics: retention waits for it from now on."""
        with self.writing() as log:
            for topic in topics:
                log.join(group, topic)

    def leave(self, group: str) -> None:
        """Forgets the group's offsets: retention waits for it no longer. For a stage that is given up."""
        with self.writing() as log:
            log.leave(group)

    # -- reading

    def read(
        self, topic: str, partition: int, offset: int, limit: int, max_bytes: int = _MAX_READ_BYTES
    ) -> list[Record]:
        """Records from `offset` on, oldest first: at most `limit`, and until their values fill `max_bytes`."""
        with self._looking() as log:
            return log.read(log.tp_id(topic, partition), offset, limit, max_bytes)

    def scan(self, topic: str) -> Iterator[Record]:
        """Yields every record in the topic now, partition by partition, oldest first."""
        for partition in range(self.topics()[topic].partitions):
            yield from self.records(topic, partition)

    def records(self, topic: str, partition: int, after: int = -1) -> Iterator[Record]:
        """Yields every record in the partition now behind offset `after`, oldest first; read page by page."""
        first, end = self.bounds(topic, partition)
        offset = max(first, after + 1)
        while offset < end and (page := self.read(topic, partition, offset, _SCAN_RECORDS)):
            yield from page
            offset = page[-1].offset + 1

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """(first offset that retention has left, offset of the next append)."""
        with self._looking() as log:
            return log.bounds(log.tp_id(topic, partition))

    def first_offset(self, topic: str, partition: int) -> int:
        """The first offset that retention has left; compaction leaves gaps after it."""
        return self.bounds(topic, partition)[0]

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset that the next record will get."""
        return self.bounds(topic, partition)[1]

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The group's next offset of each (topic, partition) that it reads."""
        with self._looking() as log:
            return log.committed(group)

    def lags(self, group: str, topic: str) -> dict[int, int]:
        """Per partition, how many records the group has not committed yet."""
        done = self.committed(group)
        partitions = range(self.topics()[topic].partitions)
        return {p: max(0, self.end_offset(topic, p) - done.get((topic, p), 0)) for p in partitions}

    def progress(self, key: str) -> str | None:
        """What was last written with `append(..., progress={key: …})`."""
        with self._looking():
            row = self._read_db.execute("SELECT value FROM progress WHERE key = ?", (key,)).fetchone()
            return None if row is None else row[0]

    def changes(self) -> int:
        """A number that changes with every commit to the file, by any process; a few microseconds."""
        with self._looking():
            number: int = self._read_db.execute("PRAGMA data_version").fetchone()[0]
            return number

    # -- upkeep

    def enforce_retention(self, now_ms: int) -> int:
        """Removes what is older than its topic's retention and passed by every group; returns how many."""
        with self._upkeep() as upkeep:
            return upkeep.retain(now_ms)

    def held_back(self, now_ms: int, absent: Iterable[tuple[str, str]] = ()) -> list[Held]:
        """Where a group is so far behind that retention must keep records past their age, worst first.

        Of the (group, topic) pairs `absent` also those that have not joined yet and for which nothing is kept.
        """
        with self._upkeep() as upkeep:
            return upkeep.held_back(now_ms, absent)

    def compact(self, now_ms: int | None = None, *, force: bool = False) -> int:
        """Removes superseded records of compacted topics where that pays (`force`: everywhere); returns how many."""
        with self._upkeep() as upkeep:
            return upkeep.compact(wall_clock_ms() if now_ms is None else now_ms, force=force)

    @contextmanager
    def _upkeep(self) -> Iterator[Upkeep]:
        """A connection of its own, so that a long look over a topic holds up neither readers nor writers."""
        self.check()  # to connect would make the file anew
        with explained(self.path), closing(connect(self.path)) as db:

            @contextmanager
            def step() -> Iterator[None]:
                with self.hub.write_lock, transaction(db):
                    yield

            yield Upkeep(db, Log(db), step)
