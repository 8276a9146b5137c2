"""The stage `watch`: counts mentions exactly once, closes ticks in event time, raises alerts.

    run ─► WatchPartition, record by record ─► alerts archived ─► alerts and seals sent ─► hours archived
                                                                               rows, the partition row last ◄─┘

What a record changes is decided in `watch_partition`, what is written down of it stands in `watch_rows`. After a
crash between any two effects they are done again, with the same ids and keys. Rules that changed are taken between two
runs, also before the first one of a process (`watch_rules`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from alerts import AlertConfig, AlertEvent, Headline
from alerts.records import NEWS
from alerts.rule_file import RulesDocument
from streams.alert_log import ALERTS_PARTITION, Seal, seal_send, tick_header
from streams.archive.protocol import Archive, StoredAlert
from streams.engine.observer import NoObserver, StageObserver
from streams.engine.ports import Outbox, Send, StateStore
from streams.engine.runs import Run
from streams.engine.ticks import ClockLimit
from streams.logs import get_logger
from streams.stages.watch_partition import WatchPartition
from streams.stages.watch_rows import PARTITION_KEY, SERIES_PREFIX
from streams.stages.watch_rules import BEGUN_KEY, RULES_KEY, BegunRow, LiveRules, OftenFired, RulesRow, retired_by
from streams.wall_clock import HOUR_MS

__all__ = ["WatchStage", "stored_alert"]

log = get_logger(__name__)

#: A tick may look at thousands of series: after so long the other stages of the process have their turn.
TURN_SECONDS = 0.005


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
        limit: ClockLimit | None = None,
        most_waiting: int | None = None,
        rules: LiveRules | None = None,
    ) -> None:
        self._config = config
        self._rules = rules
        self._documents: dict[int, RulesDocument | None] = {}
        self._rested: set[int] = set()
        """Partitions that were read to their end, or whose rows say so: no run of theirs was begun and not finished."""
        self._begun: dict[int, int] = {}
        """How far runs of a partition were begun."""
        self._often = OftenFired(rules.on_trouble) if rules is not None else None
        self._longest_hold_ms = longest_hold_ms
        self._limit = limit
        self._most_waiting = most_waiting
        self._archive = archive
        self._outbox = outbox
        self._state = state
        self._topic = alerts_topic
        self._observer = observer or NoObserver()
        self._partitions: dict[int, WatchPartition] = {}
        self._warned: set[str] = set()

    async def handle(self, run: Run) -> None:
        try:
            await self._handle(run)
        except BaseException:
            self.forget(run.partition)  # memory is ahead of what was written: read it again
            raise

    async def _handle(self, run: Run) -> None:
        partition = await self.partition(run.partition)
        if self._documents[run.partition] is None or run.partition in self._rested:
            self._rested.discard(run.partition)
            await self._take_rules(run.partition, partition)
        if partition.begin(run.epoch):
            await self._state.put(run.partition, {PARTITION_KEY: partition.partition_row()})
        turn = _Turn()
        events: list[AlertEvent] = []
        seals: list[tuple[int, int]] = []
        for record in run.records:
            sealed_ms = partition.tick_ms
            for caused in partition.applying(record):
                events += caused
                await turn.over()
            if partition.tick_ms > sealed_ms:
                seals.append((len(events), partition.tick_ms))
        await self._begins(run.partition, partition)
        await self._publish(run, events, seals)
        if hours := partition.take_hours():
            await self._archive.record_hours(hours)
        await self._write(run.partition, partition, turn)
        if self._is_whole(run.partition, partition):
            await self._take_rules(run.partition, partition)
        if self._often is not None:
            self._often.note(events, partition.config, partition.tick_ms)
        self._observer.watched(run.partition, partition.watermark, partition.series_count, partition.dropped)

    async def _begins(self, number: int, partition: WatchPartition) -> None:
        """What is written before any other effect of a run: up to where it goes, and the limits that hold in it."""
        rows = partition.take_limits()
        if self._rules is not None and partition.own_offset > self._begun.get(number, -1):
            self._begun[number] = partition.own_offset
            rows = {BEGUN_KEY: BegunRow(partition.own_offset).encoded()} | rows
        await self._state.put(number, rows)

    async def _write(self, number: int, partition: WatchPartition, turn: _Turn) -> None:
        # One write, in this order: rows stand in one partition of one log, so none is there without those before it.
        rows: dict[str, bytes | None] = {}
        for key, row in partition.taking_rows():
            rows[key] = row
            await turn.over()
        await self._state.put(number, rows | {PARTITION_KEY: partition.partition_row()})
        # Only now: were the run done again in parts, the partition row would speak for rows that are written anew.
        await self._state.put(number, dict.fromkeys(partition.take_spent()))
        for _ in partition.settle():
            await turn.over()

    async def _publish(self, run: Run, events: list[AlertEvent], seals: list[tuple[int, int]]) -> None:
        """Archives the events and sends them with their seals."""
        if events:
            events = await self._with_headlines(events)
            await self._archive.write_alerts([stored_alert(event) for event in events])
        if seals:  # no event is without one: it belongs to a tick that its record closed
            await self._outbox.send(list(self._sends(run, events, seals)))
            for event in events:
                self._observer.alerted(event, _newest_seen_ms(event))

    async def _take_rules(self, number: int, partition: WatchPartition) -> None:
        """The rules of the file, from the next run on: no run is done again by other rules than the first time."""
        if self._rules is None:
            return
        document = await self._rules.current()
        if document == self._documents[number]:
            return
        retired = retired_by(partition.config, document)
        partition.adopt(self._rules.build(document, retired))
        row = RulesRow(partition.own_offset, document, retired).encoded()
        # In this order: where the second is lost, the rules are taken again.
        await self._state.put(number, {PARTITION_KEY: partition.partition_row(), RULES_KEY: row})
        log.info("Rules taken", partition=number, offset=partition.own_offset)
        self._documents[number] = document

    def _configured(self, number: int) -> AlertConfig:
        """The rules that the partition's rows were judged by."""
        row = self._state.get(number, RULES_KEY) if self._rules is not None else None
        if self._rules is None or row is None:
            self._documents[number] = None
            return self._config
        found = RulesRow.restored(row)
        self._documents[number] = found.document
        return self._rules.build(found.document, found.retired)

    def _sends(self, run: Run, events: Sequence[AlertEvent], seals: Sequence[tuple[int, int]]) -> Iterator[Send]:
        """The events in order, and behind those of each record its seal: (how many events are before it, the tick)."""
        headers, sent = (tick_header(run.partition),), 0
        for before, tick_ms in seals:
            for event in events[sent:before]:
                yield Send(self._topic, event.series.encode(), event.to_json(), ALERTS_PARTITION, headers)
            sent = before
            yield seal_send(self._topic, Seal(partition=run.partition, partitions=run.partitions, tick_ms=tick_ms))

    async def _with_headlines(self, events: Sequence[AlertEvent]) -> list[AlertEvent]:
        ids = {item.id for event in events for item in event.top_items}
        scored = await self._archive.items_by_id(sorted(ids))
        headlines = {
            item.news.id: Headline(title=item.news.title, publisher=item.news.source, url=item.news.url)
            for item in scored
        }
        return [event.with_headlines(headlines) for event in events]

    async def partition(self, number: int) -> WatchPartition:
        """The partition as its rows have it, read in steps: there may be hundreds of thousands."""
        partition = self._partitions.get(number)
        if partition is None:
            partition = WatchPartition(
                self._configured(number),
                self._state.get(number, PARTITION_KEY),
                longest_hold_ms=self._longest_hold_ms,
                limit=self._limit,
                stored=_StoredSeries(self._state, number),
                most_waiting=self._most_waiting,
                reports_hours=True,
            )
            turn = _Turn()
            for _ in partition.restoring(self._state.items(number)):
                await turn.over()
            self._partitions[number] = partition
            self._recall_begun(number, partition)
            self._warn_of_signals(partition.signals_without_history)
        return partition

    def _recall_begun(self, number: int, partition: WatchPartition) -> None:
        """Without a row of an earlier version of moodwire a run may have been begun."""
        if (row := self._state.get(number, BEGUN_KEY)) is not None:
            self._begun[number] = BegunRow.restored(row).own_offset
            if self._is_whole(number, partition):
                self._rested.add(number)

    def _is_whole(self, number: int, partition: WatchPartition) -> bool:
        """Whether no run was begun that goes on beyond what is written: it would be finished by other rules."""
        return partition.own_offset >= self._begun.get(number, -1)

    def _warn_of_signals(self, added: Sequence[str]) -> None:
        """Once a signal, not once a partition: it concerns all of them."""
        fresh = [name for name in added if name not in self._warned]
        self._warned.update(fresh)
        if fresh:
            log.warning(
                "Signals without history are counted from now on; their alerts begin after the warm-up. To count them "
                "from the archive, stop score and watch and run `moodwire archive rebuild-state`",
                signals=fresh,
                warm_up_hours=self._config.warm_up_ms / HOUR_MS,
            )

    async def idle(self, partition: int, now_ms: int) -> None:  # noqa: ARG002  # time is the records'
        """Time passes by records alone: `score` reports progress for partitions that are read to their end.

        Nothing is written here, for it would have no position; the run to come may begin with other rules.
        """
        self._rested.add(partition)

    def forget(self, partition: int) -> None:
        self._rested.discard(partition)
        self._begun.pop(partition, None)
        if self._partitions.pop(partition, None) is not None:
            self._observer.forgot(partition)


class _StoredSeries:
    """The rows of series in a state store."""

    def __init__(self, state: StateStore, partition: int) -> None:
        self._state = state
        self._partition = partition

    def get(self, name: str) -> bytes | None:
        return self._state.get(self._partition, SERIES_PREFIX + name)

    def names(self) -> Iterator[str]:
        for key, _ in self._state.items(self._partition):
            if key.startswith(SERIES_PREFIX):
                yield key.removeprefix(SERIES_PREFIX)


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
    if event.change not in NEWS:
        return None
    return max((item.seen_ms for item in event.top_items), default=None)


def stored_alert(event: AlertEvent) -> StoredAlert:
    return StoredAlert(
        id=event.id,
        revision=event.revision,
        signal=event.signal,
        rule=event.rule,
        series=event.series,
        state=event.state,
        severity=event.severity,
        onset_ms=event.onset_ms,
        updated_ms=event.updated_ms,
        body=event.to_json(),
    )
