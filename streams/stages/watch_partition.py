"""One mentions partition of the stage `watch`, in memory and pure: records in, alert events and changed rows out.

    record ─► partition rule ─► row rule ─► SeriesState.add ─► watermark ─► ticks ─► close_tick ─► alert events

A batch that names a promotion not heard of before finds the baselines that were prepared for it, and the partition
goes over to them before it counts the batch (`streams.learning.baselines`).

Only records change state, so counts, onsets and alert ids do not depend on how runs were cut, how often a
crash redid them or how many workers share the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alerts import AlertConfig, AlertEvent, Mention, StreamState, close_tick, kind_of, tick_of
from alerts.rebase import rebased_series, rebased_stream
from streams.engine.runs import Record
from streams.engine.ticks import ClockLimit, Schedule, watermark_ms
from streams.learning.prepared import Prepared, is_baselines
from streams.records import MentionBatch
from streams.stages.mention_records import read_mentions, take_baselines
from streams.stages.watch_rows import SERIES_PREFIX, PartitionRow, Series

__all__ = ["WatchPartition"]

#: Own offsets count on from incarnation to incarnation of the own topic: its number takes the upper bits.
EPOCH_SHIFT = 44


class WatchPartition:
    """One mentions partition in memory. Pure: `apply` takes a record and returns the alert events it caused.

    `longest_hold_ms` is how far a source partition that has fallen silent holds the watermark back; None: for ever.
    `baselines` are those that wait for a promotion. `limit` bounds event time while the stream is live.
    """

    def __init__(
        self,
        config: AlertConfig,
        row: bytes | None,
        series: Iterable[tuple[str, bytes]],
        longest_hold_ms: int | None = None,
        baselines: Iterable[bytes] = (),
        limit: ClockLimit | None = None,
    ) -> None:
        self._config = config
        self._prepared = Prepared(baselines)
        self._longest_hold_ms = longest_hold_ms
        self._limit = limit
        self._row = PartitionRow.restored(row)
        self._prepared.spend(self._row.change)  # a crash may have come before they were deleted
        self._stream = StreamState.from_bytes(self._row.stream) if self._row.stream else StreamState()
        self._series: dict[str, Series] = {}
        self._schedule = Schedule()
        self._dirty: dict[str, Series] = {}
        self._base = 0
        for name, data in series:
            self._restore(name, data)

    def _restore(self, name: str, data: bytes) -> None:
        entry = self._series[name] = Series.restored(name, data)
        for tick_ms in entry.state.pending_ticks(self._config):
            self._plan(name, tick_ms)
        self._plan_next_look(name, entry)

    def _plan(self, name: str, tick_ms: int) -> None:
        """The series needs a look at that tick, or at the first one that is still open."""
        self._schedule.add(max(tick_ms, self._row.tick_ms + self._config.hop_ms), name)

    def _plan_next_look(self, name: str, entry: Series) -> None:
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
        """`apply` in steps, one a series that is looked at: it is applied when all of them are taken.

        Raises `Reject` before anything is changed when it is no record of mentions, or `NewerVersion`.
        """
        own = self._base + record.offset
        if own <= self._row.own_offset or record.value is None:
            return
        if is_baselines(record.headers):
            take_baselines(self._prepared, record)
            self._prepared.spend(self._row.change)
            self._row.own_offset = own
            return
        batch, change = read_mentions(record)
        touched: dict[str, Series] = {}
        if change > self._row.change:
            yield from self._go_over(change, own, touched)
        self._count(batch, own, touched)
        self._row.hear(batch, self._limit.latest_ms() if self._limit else None)
        yield from self._close_due(own, touched)
        for entry in touched.values():
            entry.own_offset = own
        self._dirty.update(touched)
        self._row.own_offset = own

    def _go_over(self, change: int, own: int, touched: dict[str, Series]) -> Iterator[list[AlertEvent]]:
        """Take the baselines of a promotion, in steps, one a series; without any what was counted goes on."""
        found = self._prepared.complete(change)
        self._row.change = change
        self._prepared.spend(change)
        if found is None:
            return
        self._row.cut_ms = found.cut_ms
        self._stream = rebased_stream(self._stream, found.stream, found.cut_ms, self._config)
        for name in sorted({*self._series, *found.series}):
            entry = self._known_or_new(name)
            if entry.own_offset < own:
                entry.state = rebased_series(entry.state, found.of(name), found.cut_ms, self._config)
                touched[name] = entry
                yield []

    def _count(self, batch: MentionBatch, own: int, touched: dict[str, Series]) -> None:
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
                entry = self._known_or_new(name)
                if entry.own_offset < own:
                    entry.state.add(mention)
                    touched[name] = entry
                    self._plan(name, tick_ms)
        self._row.positions.advance(batch)

    def _known_or_new(self, name: str) -> Series:
        entry = self._series.get(name)
        if entry is None:
            entry = self._series[name] = Series.new(name)
        return entry

    def _close_due(self, own: int, touched: dict[str, Series]) -> Iterator[list[AlertEvent]]:
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
            yield SERIES_PREFIX + name, entry.encoded()

    def take_spent(self) -> list[str]:
        """The rows that no one needs once the partition row is written."""
        return self._prepared.take_spent()

    def states(self) -> tuple[bytes, dict[str, bytes]]:
        """What all series share, and each series, as rows hold them."""
        return self._stream.to_bytes(), {name: entry.state.to_bytes() for name, entry in self._series.items()}

    def partition_row(self) -> bytes:
        self._row.stream = self._stream.to_bytes()
        return self._row.encoded()
