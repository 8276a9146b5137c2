"""One mentions partition of the stage `watch`, in memory and pure: records in, alert events and changed rows out.

    record ─► partition rule ─► Waiting ─► watermark ─► a tick closes ─► Copies ─► close_tick by series ─► alert events
                                                                      └─(at an hour's end)─► hours

A batch that names a promotion not heard of before finds the baselines that were prepared for it, and the partition
goes over to them before it counts the batch (`streams.lifecycle.baselines`).

Only records change state, so counts, onsets and alert ids do not depend on how runs were cut, how often a
crash redid them or how many workers share the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from alerts import AlertConfig, AlertEvent, Copies, Counted, Heard, StreamState, close_tick, tick_of
from alerts.bands import hour_due
from alerts.rebase import rebased_series, rebased_stream
from streams.archive.protocol import StoredHour
from streams.engine.runs import Record
from streams.engine.ticks import ClockLimit, Schedule, watermark_ms
from streams.records import MentionBatch
from streams.serving.prepared import BASELINES_PREFIX, Baselines, Prepared, is_baselines
from streams.stages.mention_records import read_mentions, take_baselines
from streams.stages.waiting import WAITING_PREFIX, Waiting
from streams.stages.watch_hours import hour_of
from streams.stages.watch_rows import (
    COPIES_PREFIX,
    LIMIT_PREFIX,
    SERIES_PREFIX,
    KeptLimits,
    PartitionRow,
    Series,
    watched_key,
)
from streams.stages.watch_series import NoRows, SeriesRows, SeriesShelf
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["WatchPartition"]

#: Own offsets count on from incarnation to incarnation of the own topic: its number takes the upper bits.
EPOCH_SHIFT = 44


class WatchPartition:
    """One mentions partition in memory. Pure: `apply` takes a record and returns the alert events it caused.

    `row` is that of key `PARTITION_KEY`, `rows` all others, by key. `stored` has those of series, now and later: one
    that has been silent for a day is read from it again; without it all series stay in memory. `longest_hold_ms` is
    how far a source partition that has fallen silent holds the watermark back, `most_waiting` how many mentions wait
    for it at most; None: for ever, and any number. `limit` bounds event time while the stream is live; then
    what is more than a day behind its source partition's progress is in no baseline, before any tick is closed too.
    `reports_hours`: `take_hours` is asked for what the series counted.
    """

    def __init__(
        self,
        config: AlertConfig,
        row: bytes | None = None,
        rows: Iterable[tuple[str, bytes]] = (),
        longest_hold_ms: int | None = None,
        limit: ClockLimit | None = None,
        *,
        stored: SeriesRows | None = None,
        most_waiting: int | None = None,
        reports_hours: bool = False,
    ) -> None:
        self._config = config
        self._reports_hours = reports_hours
        self._hours: list[StoredHour] = []
        self._prepared = Prepared()
        self._longest_hold_ms = longest_hold_ms
        self._most_waiting = most_waiting
        self._limit = limit
        self._limits = KeptLimits()
        self._row = PartitionRow.restored(row)
        stored_streams = self._row.streams
        self._streams = {
            signal: StreamState.from_bytes(stored_streams[signal]) if signal in stored_streams else StreamState()
            for signal in config.signals
        }
        has_counted = self._row.own_offset >= 0
        self._without_history = tuple([name for name in config.signals if has_counted and name not in stored_streams])
        self._waiting = Waiting()
        self._copies = Copies()
        self._looks = Schedule()
        self._base = 0
        rows = list(rows)
        self._series = SeriesShelf(config, stored or (_Rows(rows) if rows else NoRows()))
        for _ in self.restoring(rows):
            pass

    def restoring(self, rows: Iterable[tuple[str, bytes]]) -> Iterator[None]:
        """Takes all rows but the partition's own, in steps. To be done before the first record."""
        waiting: dict[str, bytes] = {}
        parts: dict[int, bytes] = {}
        baselines: list[bytes] = []
        for key, data in rows:
            if key.startswith(SERIES_PREFIX):
                self._restore(key.removeprefix(SERIES_PREFIX), data)
            elif key.startswith(WAITING_PREFIX):
                waiting[key] = data
            elif key.startswith(COPIES_PREFIX):
                parts[int(key.removeprefix(COPIES_PREFIX))] = data
            elif key.startswith(BASELINES_PREFIX):
                baselines.append(data)
            elif key.startswith(LIMIT_PREFIX):
                self._limits.restore(key, data)
            yield
        if baselines:
            self._prepared = Prepared(baselines)
            self._prepared.spend(self._row.promotion)  # a crash may have come before they were deleted
        yield from self._waiting.restore(waiting, self._row.own_offset, self._row.tick_ms)
        yield from self._copies.restore(parts, self._row.copies_part, self._row.tick_ms)

    def _restore(self, name: str, data: bytes) -> None:
        """The series of open alerts alone are needed before they speak: one whose rule or signal is gone ends."""
        entry, hour_ms = self._series.restore(name, data, self._row.tick_ms)
        if entry is not None:
            self._plan_next_look(name, entry.state.next_due(self._config))
        if hour_ms and self._reports_hours:
            self._plan_next_look(name, hour_ms)

    def _plan_next_look(self, name: str, due_ms: int | None) -> None:
        """An open alert is looked at now and then without new mentions too; never at a tick that is closed."""
        if due_ms is not None:
            self._looks.add(max(due_ms, self._row.tick_ms + self._config.hop_ms), name)

    @property
    def watermark(self) -> int | None:
        """The time up to which all has been heard, or past which no more can wait."""
        row = self._row
        heard_ms = watermark_ms(row.progress, row.partitions, self._config.lateness_ms, self._longest_hold_ms)
        full_ms = None if self._most_waiting is None else self._waiting.tick_that_leaves(self._most_waiting)
        if heard_ms is None and full_ms is None:
            return None
        return max(heard_ms or 0, full_ms or 0, row.tick_ms)

    @property
    def config(self) -> AlertConfig:
        """The rules that it judges by."""
        return self._config

    @property
    def own_offset(self) -> int:
        """The own offset of the record that was applied last."""
        return self._row.own_offset

    @property
    def tick_ms(self) -> int:
        """The tick up to which all are closed."""
        return self._row.tick_ms

    @property
    def waiting_count(self) -> int:
        """Mentions that wait for the watermark."""
        return len(self._waiting)

    @property
    def series_count(self) -> int:
        """Series in memory."""
        return len(self._series)

    @property
    def signals_without_history(self) -> tuple[str, ...]:
        """Watched signals that were added after the partition had begun to count: they are counted from now on."""
        return self._without_history

    @property
    def dropped(self) -> int:
        """Mentions that came over a day late and are in no baseline."""
        return max((stream.late for stream in self._streams.values()), default=0)

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

    def adopt(self, config: AlertConfig) -> None:
        """Other rules from the next record on. A signal or a kind of series that is new has its warm-up before it."""
        before, self._config = self._config, config
        self._series.adopt(config)
        self._streams = {signal: self._streams.get(signal) or StreamState() for signal in config.signals}
        for stream in self._streams.values():
            stream.adopt(set(before.kinds) - set(config.kinds))
            if self._row.own_offset >= 0:
                for kind in set(config.kinds) - set(before.kinds):
                    stream.begin_kind(kind, self._row.tick_ms)

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
            self._prepared.spend(self._row.promotion)
            self._row.own_offset = own
            return
        batch, promotion = read_mentions(record)
        if promotion > self._row.promotion:
            yield from self._go_over(promotion)
        self._count(batch, own)
        self._row.hear(batch, self._latest_ms(batch, own))
        yield from self._close_due()
        self._row.own_offset = own

    def _go_over(self, promotion: int) -> Iterator[list[AlertEvent]]:
        """Take the baselines of a promotion, in steps, one a series; without any what was counted goes on."""
        before, found = self._row.promotion, self._prepared.complete(promotion)
        self._row.promotion = promotion
        self._prepared.spend(promotion)
        if found is None:
            return
        self._row.cut_ms = found.cut_ms
        self._streams = {
            signal: rebased_stream(stream, found.streams[signal], found.cut_ms, self._config)
            if signal in found.streams
            else stream
            for signal, stream in self._streams.items()
        }
        for name in sorted({*self._series.names(), *found.series}):
            self._rebase(name, before, promotion, found)
            yield []

    def _rebase(self, name: str, before: int, promotion: int, found: Baselines) -> None:
        """A row that is ahead has the baselines already."""
        was_awake = self._series.is_awake(name)
        entry = self._series.of(name, self._row.tick_ms, before)
        prepared = found.of(name)
        if entry.promotion < promotion and (prepared is not None or entry.state.tick_ms):
            entry.state = rebased_series(entry.state, prepared, found.cut_ms, self._config)
            entry.promotion = promotion
            self._series.touch(name, entry)
        if not was_awake:
            self._series.put_away(name)

    def _count(self, batch: MentionBatch, own: int) -> None:
        """Which tick counts a mention is settled here, so that it follows from the log alone."""
        row, ruleset, hop_ms = self._row, self._config.ruleset, self._config.hop_ms
        earliest_ms = row.tick_ms + hop_ms
        event_ms = row.progress.get(batch.partition, 0)
        for item in row.positions.fresh(batch):
            seen_ms = item.seen_ms
            if seen_ms <= batch.progress_ms:  # else its clock is ahead: it says nothing of the others
                event_ms = max(event_ms, seen_ms)
            if seen_ms < row.cut_ms:
                continue  # it is in the baselines
            names = tuple([name for name in item.series if ruleset.watches(name)])
            if not names:
                continue
            if self._limit is not None and seen_ms < event_ms - DAY_MS:
                for stream in self._streams.values():
                    stream.leave_out(len(names))
                continue  # a producer's clock was behind: the stream did not start then, and no tick of then is closed
            hits = tuple(item.signals.items())
            heard = Heard(seen_ms, item.id, item.signature, hits, names, own, item.offset)
            self._waiting.add(max(tick_of(seen_ms, hop_ms), earliest_ms), heard)
        row.positions.advance(batch)

    def _latest_ms(self, batch: MentionBatch, own: int) -> int | None:
        """How far the batch may move event time; the same at a redo."""
        if self._limit is None:
            return None
        latest_ms = self._limits.get(own)
        if latest_ms is None:
            latest_ms = self._limit.latest_ms()
            if batch.progress_ms > latest_ms:
                self._limits.keep(own, latest_ms)
        return latest_ms

    def _close_due(self) -> Iterator[list[AlertEvent]]:
        watermark = self.watermark
        if watermark is None:
            return
        until_ms = watermark // self._config.hop_ms * self._config.hop_ms
        while (tick_ms := self._next_tick()) is not None and tick_ms <= until_ms:
            self._row.tick_ms = max(self._row.tick_ms, tick_ms)
            heard = [one for one in self._waiting.pop(tick_ms) if one.seen_ms >= self._row.cut_ms]
            counted = self._copies.counted(tick_ms, heard, self._config) if heard else Counted()
            self._share(tick_ms, counted.fresh)
            yield from self._close(tick_ms, counted.by_series, self._looks.take(tick_ms))
        self._row.tick_ms = max(self._row.tick_ms, until_ms)

    def _next_tick(self) -> int | None:
        """The earliest tick at which there is something to do."""
        waiting, look = self._waiting.first(), self._looks.first()
        return waiting if look is None else look if waiting is None else min(waiting, look)

    def _share(self, tick_ms: int, fresh: Sequence[Heard]) -> None:
        """What all series share learns of the tick: of copies too, of revisions never."""
        for signal, stream in self._streams.items():
            stream.close_tick(tick_ms, self._config)
            for one in fresh:
                hit = any(name == signal for name, _ in one.hits)
                for name in one.series:
                    stream.add(name, one.seen_ms, hit)

    def _close(
        self, tick_ms: int, counted: Mapping[str, Sequence[Heard]], looks: Iterable[str]
    ) -> Iterator[list[AlertEvent]]:
        """Close a tick, in steps, one a series and signal. Which mentions are copies is the same for all signals."""
        keys = {watched_key(signal, name) for signal in self._streams for name in counted}
        keys.update(looks)
        for key in sorted(keys):
            entry = self._series.of(key, tick_ms, self._row.promotion)
            if tick_ms <= entry.state.tick_ms:
                continue  # a crash came after this row was written: the tick is in it already
            yield self._closed(entry, tick_ms, counted.get(entry.name, ()))
            self._series.touch(key, entry)
            self._plan_next_look(key, entry.state.next_due(self._config))
            if self._reports_hours:
                self._report(key, entry, tick_ms)

    def _report(self, key: str, entry: Series, tick_ms: int) -> None:
        """At the end of an hour what the series counted in it; before, a look at that end."""
        if tick_ms % HOUR_MS == 0 and (hour := hour_of(entry, self._streams.get(entry.signal), tick_ms, self._config)):
            self._hours.append(hour)
        self._plan_next_look(key, hour_due(entry.state))

    def _closed(self, entry: Series, tick_ms: int, mentions: Sequence[Heard]) -> list[AlertEvent]:
        stream = self._streams.get(entry.signal) or StreamState()  # of a signal that is not watched any more
        return close_tick(entry.signal, entry.name, entry.kind, entry.state, stream, tick_ms, self._config, mentions)

    def take_hours(self) -> list[StoredHour]:
        """The hours that ended since the last call. To be written before any row: each is made once."""
        hours, self._hours = self._hours, []
        return hours

    def take_limits(self) -> dict[str, bytes]:
        """Rows to be written before any other effect of the records that were applied since the last call."""
        return self._limits.take_rows()

    def take_rows(self) -> dict[str, bytes]:
        """The rows changed since the last call, but for the partition's own."""
        return dict(self.taking_rows())

    def taking_rows(self) -> Iterator[tuple[str, bytes]]:
        """`take_rows` in steps, one a row."""
        yield from self._prepared.take_rows()
        yield from self._waiting.taking_rows()
        for number, row in self._copies.taking_rows():
            yield f"{COPIES_PREFIX}{number}", row
        yield from self._series.taking_rows()

    def take_spent(self) -> list[str]:
        """The rows that no one needs once the partition row is written."""
        copies = [f"{COPIES_PREFIX}{number}" for number in self._copies.take_spent()]
        limits = self._limits.take_spent(self._row.own_offset)
        return [*self._prepared.take_spent(), *self._waiting.take_spent(), *copies, *self._series.take_spent(), *limits]

    def settle(self) -> Iterator[None]:
        """All that was taken is written down, the partition row too: what is quiet leaves memory, in steps."""
        return self._series.settle(self._row.tick_ms)

    def states(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """What all series share, by signal, and each series, by `watched_key`, as rows hold them."""
        return self._shared(), self._series.states()

    def _shared(self) -> dict[str, bytes]:
        return {signal: stream.to_bytes() for signal, stream in self._streams.items()}

    def partition_row(self) -> bytes:
        self._row.streams = self._shared()
        self._row.copies_part = self._copies.open_part
        return self._row.encoded()


class _Rows:
    """Rows of series that are given and never written."""

    def __init__(self, rows: Iterable[tuple[str, bytes]]) -> None:
        self._rows = {key.removeprefix(SERIES_PREFIX): row for key, row in rows if key.startswith(SERIES_PREFIX)}

    def get(self, name: str) -> bytes | None:
        return self._rows.get(name)

    def names(self) -> Iterable[str]:
        return self._rows
