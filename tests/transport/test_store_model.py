"""The store against a model of what a log is, over random sequences of everything it can do."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streams.engine.ports import Send
from streams.transport.partitioner import partition_for
from streams.transport.sqlite.log import AGE_STEP_MS
from streams.transport.sqlite.store import Store
from streams.transport.sqlite.upkeep import MARK_STAYS_MS

PARTITIONS = 2
RETENTION_MS = 600_000
KEYS = st.sampled_from([b"a", b"b", b"c", b"dd", b"eee"])


@dataclass
class Partition:
    """What the model remembers: every record ever, and what may have gone."""

    records: list[tuple[bytes | None, bytes | None, int]] = field(default_factory=list)  # key, value, appended_ms
    committed: dict[str, int] = field(default_factory=dict)
    first: int = 0
    compactable: int = 0
    """Tombstones below this offset may have gone: all groups had passed it when the topic was compacted."""

    @property
    def end(self) -> int:
        return len(self.records)


AGED = ("plain", "free")
TOPICS = st.sampled_from(["plain", "free", "kept"])


class StoreMachine(RuleBasedStateMachine):
    """Topics `plain` and `free` (with retention; nobody reads `free`) and `kept` (compacted)."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now_ms = 1_700_000_000_000
        self.model = {(topic, p): Partition() for topic in ("plain", "free", "kept") for p in range(PARTITIONS)}
        self.notes: dict[str, str] = {}
        self.open()
        for topic in AGED:
            self.store.create_topic(topic, PARTITIONS, retention_ms=RETENTION_MS)
        self.store.create_topic("kept", PARTITIONS, compacted=True)

    def open(self) -> None:
        self.store = Store.open(self.folder / "broker.db")

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(
        topic=TOPICS,
        records=st.lists(st.tuples(KEYS, st.none() | st.binary(min_size=1, max_size=8)), max_size=6),
        note=st.none() | st.text("xyz", min_size=1, max_size=2),
    )
    def append(self, topic: str, records: list[tuple[bytes, bytes | None]], note: str | None) -> None:
        progress = None if note is None else {note: str(self.now_ms)}
        offsets = self.store.append([Send(topic, key, value) for key, value in records], progress, now_ms=self.now_ms)
        self.notes.update(progress or {})
        for (key, value), offset in zip(records, offsets, strict=True):
            part = self.model[topic, partition_for(key, PARTITIONS)]
            assert offset == part.end
            part.records.append((key, value, self.now_ms))

    @rule(topic=st.sampled_from(["plain", "kept"]), p=st.integers(0, PARTITIONS - 1), data=st.data())
    def commit(self, topic: str, p: int, data: st.DataObject) -> None:
        part = self.model[topic, p]
        group = data.draw(st.sampled_from(["one", "two"]))
        start = max(part.first, part.committed.get(group, 0))
        offset = data.draw(st.just(part.end) | st.integers(start, part.end))
        self.store.commit(group, {(topic, p): offset})
        part.committed[group] = offset

    @rule(group=st.sampled_from(["one", "two"]))
    def join(self, group: str) -> None:
        self.store.join(group, ["plain"])
        for p in range(PARTITIONS):
            part = self.model["plain", p]
            part.committed.setdefault(group, part.first)

    @rule(seconds=st.integers(1, 900))
    def wait(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    @rule()
    def retain(self) -> None:
        self.store.enforce_retention(self.now_ms)
        for (topic, p), part in self.model.items():
            first = self.store.first_offset(topic, p)
            assert part.first <= first <= min(part.committed.values(), default=part.end)
            for _, _, appended_ms in part.records[part.first : first]:
                assert appended_ms <= self.now_ms - RETENTION_MS
            part.first = first

    @rule()
    def retain_after_a_long_time_takes_all_that_groups_have_passed(self) -> None:
        self.store.enforce_retention(self.now_ms)
        self.now_ms += RETENTION_MS + AGE_STEP_MS
        self.store.enforce_retention(self.now_ms)
        self.now_ms += RETENTION_MS + AGE_STEP_MS
        self.retain()
        for (topic, _), part in self.model.items():
            if topic in AGED:
                assert part.first == min(part.committed.values(), default=part.end)

    @rule(long_after=st.booleans())
    def compact(self, long_after: bool) -> None:
        for (topic, _), part in self.model.items():
            if topic == "kept":  # a group that commits for the first time later finds it gone
                part.compactable = max(part.compactable, min(part.committed.values(), default=part.end))
        if long_after:
            self.store.compact(self.now_ms, force=True)
            self.now_ms += 2 * MARK_STAYS_MS
        self.store.compact(self.now_ms, force=True)
        for p in range(PARTITIONS):
            keys = [record.key for record in self.store.read("kept", p, 0, 10_000)]
            assert len(keys) == len(set(keys))

    @precondition(lambda self: hasattr(self, "store"))
    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def reads_what_the_model_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        for (topic, p), part in self.model.items():
            assert self.store.end_offset(topic, p) == part.end
            found = self.store.read(topic, p, 0, 10_000)
            for record in found:
                assert (record.key, record.value) == part.records[record.offset][:2]
            offsets = [record.offset for record in found]
            if topic in AGED:
                assert offsets == list(range(part.first, part.end))
            else:
                assert offsets == sorted(set(offsets))
                self._keeps_the_last_of_each_key(part, {r.key: r.value for r in found}, offsets)

    def _keeps_the_last_of_each_key(
        self, part: Partition, found: dict[bytes | None, bytes | None], offsets: list[int]
    ) -> None:
        last = {key: value for key, value, _ in part.records}
        at = {key: offset for offset, (key, _, _) in enumerate(part.records)}
        assert all(key in found or at[key] < part.compactable for key in last)
        assert {k: v for k, v in found.items() if v is not None} == {k: v for k, v in last.items() if v is not None}
        assert not part.end or offsets[-1] == part.end - 1

    @invariant()
    def remembers_commits_and_notes(self) -> None:
        if not hasattr(self, "store"):
            return
        for group in ("one", "two"):
            expected = {place: part.committed[group] for place, part in self.model.items() if group in part.committed}
            assert self.store.committed(group) == expected
        for key, value in self.notes.items():
            assert self.store.progress(key) == value


StoreMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStoreAgainstModel = StoreMachine.TestCase
