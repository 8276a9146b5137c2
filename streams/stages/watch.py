"""The stage `watch`: counts mentions exactly once, closes ticks in event time, raises alerts.

    record ─► partition rule ─► row rule ─► SeriesState.add ─► watermark ─► ticks ─► close_tick ─► alert events

A batch that names a promotion not heard of before finds the baselines that were prepared for it, and the partition
goes over to them before it counts the batch (`streams.learning.baselines`).

Only records change state, so counts, onsets and alert ids do not depend on how runs were cut, how often a
crash redid them or how many workers share the work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from alerts import AlertConfig, AlertEvent, Headline, Mention, SeriesState, StreamState, close_tick, kind_of, tick_of
from alerts.rebase import rebased_series, rebased_stream
from streams.archive.protocol import Archive, StoredAlert
from streams.engine.observer import NoObserver, StageObserver
from streams.engine.ports import Outbox, Send, StateStore
from streams.engine.positions import SourcePositions
from streams.engine.runs import Record, Run
from streams.engine.ticks import Schedule, watermark_ms
from streams.errors import NewerVersion, TransportError
from streams.learning.prepared import BASELINES_PREFIX, Prepared, is_baselines
from streams.records import VERSION, MentionBatch
from streams.topics import change_of

__all__ = ["PARTITION_KEY", "WatchPartition", "WatchStage", "progress_of", "stored_alert"]

PARTITION_KEY = "p"
SERIES_PREFIX = "s/"

ROW_VERSION = 1

#: Own offsets count on from incarnation to incarnation of the own topic: its number takes the upper bits.
EPOCH_SHIFT = 44

#: A tick may look at thousands of series: after so long the other stages of the process have their turn.
TURN_SECONDS = 0.005

_batches = msgspec.json.Decoder(MentionBatch)


class _PartitionRow(msgspec.Struct):
    """What a mentions partition remembers as a whole; written after the series rows that it speaks for."""

    own_offset: int = -1
    positions: SourcePositions = msgspec.field(default_factory=SourcePositions)
    progress: dict[int, int] = msgspec.field(default_factory=dict)
    partitions: int = 1
    tick_ms: int = 0
    stream: bytes = b""
    version: int = ROW_VERSION
    epochs: list[str] = msgspec.field(default_factory=list)  # of the own topic, in the order first seen
    change: int = 0  # the latest promotion whose mentions came
    cut_ms: int = 0  # up to here all is in the baselines that were prepared for it


class _SeriesRow(msgspec.Struct, array_like=True):
    own_offset: int
    state: bytes


_rows_in = msgspec.msgpack.Decoder(_SeriesRow)
_partition_in = msgspec.msgpack.Decoder(_PartitionRow)
_rows_out = msgspec.msgpack.Encoder()


def progress_of(row: bytes) -> dict[int, int]:
    """Source partition to its progress in ms, from a row of key `PARTITION_KEY`; raises `msgspec.DecodeError`."""
    return _partition_in.decode(row).progress


class _Series:
    """A series in memory: its state, and the own offset up to which it is applied."""

    __slots__ = ("kind", "own_offset", "state")

    def __init__(self, kind: str, own_offset: int, state: SeriesState) -> None:
        self.kind = kind
        self.own_offset = own_offset
        self.state = state


class WatchPartition:
    """One mentions partition in memory. Pure: `apply` takes a record and returns the alert events it caused.

    `longest_hold_ms` is how far a source partition that has fallen silent holds the watermark back; None: for ever.
    `baselines` are those that wait for a promotion.
    """

    def __init__(
        self,
        config: AlertConfig,
        row: bytes | None,
        series: Iterable[tuple[str, bytes]],
        longest_hold_ms: int | None = None,
        baselines: Iterable[bytes] = (),
    ) -> None:
        self._config = config
        self._prepared = Prepared(baselines)
        self._longest_hold_ms = longest_hold_ms
        self._row = _partition_in.decode(row) if row else _PartitionRow()
        if self._row.version > ROW_VERSION:
            raise NewerVersion("the state of a mentions partition", self._row.version, ROW_VERSION)
        self._prepared.spend(self._row.change)  # a crash may have come before they were deleted
        self._stream = StreamState.from_bytes(self._row.stream) if self._row.stream else StreamState()
        self._series: dict[str, _Series] = {}
        self._schedule = Schedule()
        self._dirty: dict[str, _Series] = {}
        self._base = 0
        for name, data in series:
            self._restore(name, data)

    def _restore(self, name: str, data: bytes) -> None:
        row = _rows_in.decode(data)
        entry = self._series[name] = _Series(kind_of(name), row.own_offset, SeriesState.from_bytes(row.state))
        for tick_ms in entry.state.pending_ticks(self._config):
            self._plan(name, tick_ms)
        self._plan_next_look(name, entry)

    def _plan(self, name: str, tick_ms: int) -> None:
        """The series needs a look at that tick, or at the first one that is still open."""
        self._schedule.add(max(tick_ms, self._row.tick_ms + self._config.hop_ms), name)

    def _plan_next_look(self, name: str, entry: _Series) -> None:
        """An open alert is looked at now and then without new mentions too."""
        due_ms = entry.state.next_due(self._config)
        if due_ms is not None:
            self._plan(name, due_ms)

    @property
    def watermark(self) -> int | None:
        row = self._row
        return watermark_ms(row.progress, row.partitions, self._config.lateness_ms, self._longest_hold_ms)

    @property
    def series_count(self) -> int:
        return len(self._series)

    @property
    def dropped(self) -> int:
        """Mentions that came over a day late and are in no baseline."""
        return self._stream.late

    def begin(self, epoch: str) -> bool:
        """Records are this incarnation's of the own topic from now on: one made again starts from offset 0, and its
        records are newer than any before. True when the row must be written down before its series' rows are.
        """
        known = epoch in self._row.epochs
        if not known:
            self._row.epochs.append(epoch)
        number = self._row.epochs.index(epoch)
        self._base = number << EPOCH_SHIFT
        return number > 0 and not known

    def apply(self, record: Record) -> list[AlertEvent]:
        """Apply one mentions record: count its fresh items, then close every tick that the watermark has passed."""
        return [event for events in self.applying(record) for event in events]

    def applying(self, record: Record) -> Iterator[list[AlertEvent]]:
        """`apply` in steps, one a series that is looked at: it is applied when all of them are taken."""
        own = self._base + record.offset
        if own <= self._row.own_offset or record.value is None:
            return
        if is_baselines(record.headers):
            self._prepared.take(record.value)
            self._prepared.spend(self._row.change)
            self._row.own_offset = own
            return
        batch = _batches.decode(record.value)
        if batch.version > VERSION:
            raise NewerVersion(f"the mentions record at offset {record.offset}", batch.version, VERSION)
        touched: dict[str, _Series] = {}
        change = change_of(record.headers)
        if change > self._row.change:
            yield from self._go_over(change, own, touched)
        self._count(batch, own, touched)
        self._row.partitions = batch.partitions
        known = self._row.progress.get(batch.partition)
        if known is None or batch.progress_ms > known:
            self._row.progress[batch.partition] = batch.progress_ms
        yield from self._close_due(own, touched)
        for entry in touched.values():
            entry.own_offset = own
        self._dirty.update(touched)
        self._row.own_offset = own

    def _go_over(self, change: int, own: int, touched: dict[str, _Series]) -> Iterator[list[AlertEvent]]:
        """Take the baselines of a promotion, in steps, one a series; without any what was counted goes on."""
        found = self._prepared.complete(change)
        self._row.change = change
        self._prepared.spend(change)
        if found is None:
            return
        self._row.cut_ms = found.cut_ms
        self._stream = rebased_stream(self._stream, found.stream, found.cut_ms, self._config)
        for name in sorted({*self._series, *found.series}):
            entry = self._series.get(name)
            if entry is None:
                entry = self._series[name] = _Series(kind_of(name), -1, SeriesState())
            if entry.own_offset < own:
                entry.state = rebased_series(entry.state, found.of(name), found.cut_ms, self._config)
                touched[name] = entry
                yield []

    def _count(self, batch: MentionBatch, own: int, touched: dict[str, _Series]) -> None:
        kinds = self._config.kinds
        for item in self._row.positions.fresh(batch):
            if item.seen_ms < self._row.cut_ms:
                continue  # it is in the baselines
            mention = Mention(item.seen_ms, item.id, item.signature, item.negative, item.weight)
            tick_ms = tick_of(item.seen_ms, self._config.hop_ms)
            for name in item.series:
                if kind_of(name) not in kinds:
                    continue
                self._stream.add(name, item.seen_ms, item.negative)
                entry = self._series.get(name)
                if entry is None:
                    entry = self._series[name] = _Series(kind_of(name), -1, SeriesState())
                if entry.own_offset < own:
                    entry.state.add(mention)
                    touched[name] = entry
                    self._plan(name, tick_ms)
        self._row.positions.advance(batch)

    def _close_due(self, own: int, touched: dict[str, _Series]) -> Iterator[list[AlertEvent]]:
        watermark = self.watermark
        if watermark is None:
            return
        until_ms = watermark // self._config.hop_ms * self._config.hop_ms
        for tick_ms, names in self._schedule.due(until_ms):
            self._stream.close_tick(tick_ms, self._config)
            self._row.tick_ms = max(self._row.tick_ms, tick_ms)
            for name in names:
                entry = self._series[name]
                if entry.own_offset >= own:  # a crash came after this row was written: the tick is in it already
                    self._schedule.add(until_ms + self._config.hop_ms, name)  # what it still buffers is looked at later
                    continue
                touched[name] = entry
                yield close_tick(name, entry.kind, entry.state, self._stream, tick_ms, self._config)
                self._plan_next_look(name, entry)
        self._row.tick_ms = max(self._row.tick_ms, until_ms)

    def take_rows(self) -> dict[str, bytes]:
        """The series rows changed since the last call."""
        return dict(self.taking_rows())

    def taking_rows(self) -> Iterator[tuple[str, bytes]]:
        """`take_rows` in steps, one a row."""
        yield from self._prepared.take_rows()
        dirty, self._dirty = self._dirty, {}
        for name, entry in dirty.items():
            yield SERIES_PREFIX + name, _rows_out.encode(_SeriesRow(entry.own_offset, entry.state.to_bytes()))

    def states(self) -> tuple[bytes, dict[str, bytes]]:
        """What all series share, and each series, as rows hold them."""
        return self._stream.to_bytes(), {name: entry.state.to_bytes() for name, entry in self._series.items()}

    def take_spent(self) -> list[str]:
        """The rows that no one needs once the partition row is written."""
        return self._prepared.take_spent()

    def partition_row(self) -> bytes:
        self._row.stream = self._stream.to_bytes()
        return _rows_out.encode(self._row)


class WatchStage:
    """Effects around `WatchPartition`: archive the alerts, send them, write the rows, the partition row last."""

    def __init__(
        self,
        config: AlertConfig,
        archive: Archive,
        outbox: Outbox,
        state: StateStore,
        alerts_topic: str,
        observer: StageObserver | None = None,
        longest_hold_ms: int | None = None,
        baselines: Iterable[bytes] = (),
    ) -> None:
        self._config = config
        self._prepared = Prepared(baselines)
        self._longest_hold_ms = longest_hold_ms
        self._archive = archive
        self._outbox = outbox
        self._state = state
        self._topic = alerts_topic
        self._observer = observer or NoObserver()
        self._partitions: dict[int, WatchPartition] = {}

    async def handle(self, run: Run) -> None:
        try:
            await self._handle(run)
        except BaseException:
            self.forget(run.partition)  # memory is ahead of what was written: read it again
            raise

    async def _handle(self, run: Run) -> None:
        partition = self.partition(run.partition)
        if partition.begin(run.epoch):
            await self._state.put(run.partition, {PARTITION_KEY: partition.partition_row()})
        events: list[AlertEvent] = []
        turn = _Turn()
        for record in run.records:
            try:
                for caused in partition.applying(record):
                    events += caused
                    await turn.over()
            except msgspec.DecodeError as error:
                raise TransportError(
                    f"{run.topic}[{run.partition}] offset {record.offset} is no mentions record: {error}"
                ) from error
        if events:
            events = await self._with_headlines(events)
            await self._archive.write_alerts([stored_alert(event) for event in events])
            await self._outbox.send([Send(self._topic, event.series.encode(), event.to_json()) for event in events])
            for event in events:
                self._observer.alerted(event.change, event.severity, _newest_seen_ms(event))
        # One write, in this order: rows stand in one partition of one log, so none is there without those before it.
        rows: dict[str, bytes | None] = {}
        for key, row in partition.taking_rows():
            rows[key] = row
            await turn.over()
        spent = dict.fromkeys(partition.take_spent())
        await self._state.put(run.partition, rows | {PARTITION_KEY: partition.partition_row()} | spent)
        self._observer.watched(run.partition, partition.watermark, partition.series_count, partition.dropped)

    async def _with_headlines(self, events: Sequence[AlertEvent]) -> list[AlertEvent]:
        ids = {item.id for event in events for item in event.top_items}
        scored = await self._archive.items_by_id(sorted(ids))
        headlines = {
            item.news.id: Headline(title=item.news.title, publisher=item.news.source, url=item.news.url)
            for item in scored
        }
        return [event.with_headlines(headlines) for event in events]

    def partition(self, number: int) -> WatchPartition:
        partition = self._partitions.get(number)
        if partition is None:
            rows = [
                (key.removeprefix(SERIES_PREFIX), data)
                for key, data in self._state.items(number)
                if key.startswith(SERIES_PREFIX)
            ]
            waiting = [data for key, data in self._state.items(number) if key.startswith(BASELINES_PREFIX)]
            row = self._state.get(number, PARTITION_KEY)
            made = WatchPartition(self._config, row, rows, self._longest_hold_ms, waiting)
            partition = self._partitions[number] = made
        return partition

    async def idle(self, partition: int, now_ms: int) -> None:
        """Time passes by records alone: `score` reports progress for partitions that are read to their end."""

    def forget(self, partition: int) -> None:
        if self._partitions.pop(partition, None) is not None:
            self._observer.forgot(partition)


class _Turn:
    """Lets the event loop's other work go on when this has taken `TURN_SECONDS`."""

    def __init__(self) -> None:
        self._until = time.monotonic() + TURN_SECONDS

    async def over(self) -> None:
        if time.monotonic() >= self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + TURN_SECONDS


def _newest_seen_ms(event: AlertEvent) -> int | None:
    """When the last headline behind news of an alert was seen; an update or an end is no news."""
    if event.change not in ("opened", "escalated"):
        return None
    return max((item.seen_ms for item in event.top_items), default=None)


def stored_alert(event: AlertEvent) -> StoredAlert:
    return StoredAlert(
        id=event.id,
        version=event.version,
        rule=event.rule,
        series=event.series,
        state=event.state,
        severity=event.severity,
        onset_ms=event.onset_ms,
        updated_ms=event.updated_ms,
        body=event.to_json(),
    )
