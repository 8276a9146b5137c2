"""The stage `deliver`: every change of an alert's state goes to every channel, once in effect.

A notification's id is the alert's id, its version and the channel, so a redone run finds what was sent in
the archive. A channel that cannot take it now makes the partition wait; one that never will is recorded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from alerts import AlertEvent
from alerts.delivery import Channel, Delivered, GiveUp, Notification, RetryLater
from alerts.records import RECORD_VERSION
from streams.archive.protocol import Archive, StoredNotification
from streams.engine.observer import NoObserver, StageObserver
from streams.engine.runs import Record, Run
from streams.errors import NewerVersion, Reject, Retry

__all__ = ["DeliverStage"]

log = structlog.get_logger(__name__)

MOST_ATTEMPTS = 10


class DeliverStage:
    """Takes runs of alert events. `clock` gives the wall clock in ms."""

    def __init__(
        self,
        archive: Archive,
        channels: Sequence[Channel],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        observer: StageObserver | None = None,
    ) -> None:
        self._archive = archive
        self._channels = tuple(channels)
        self._clock = clock
        self._observer = observer or NoObserver()
        self._attempts: dict[str, int] = {}

    async def handle(self, run: Run) -> None:
        events = [_event_of(record) for record in run.records if record.value is not None]
        newest = max((event.schema for event in events), default=RECORD_VERSION)
        if newest > RECORD_VERSION:
            raise NewerVersion(f"an alert in {run.topic}[{run.partition}]", newest, RECORD_VERSION)
        pages = [event for event in events if event.change != "ongoing"]
        wanted = {self._id(event, channel): (event, channel) for event in pages for channel in self._channels}
        sent = await self._archive.notification_status(list(wanted))
        waits = [
            wait
            for key, (event, channel) in wanted.items()
            if key not in sent and (wait := await self._deliver(key, event, channel)) is not None
        ]
        if waits:
            raise Retry("a channel cannot take notifications now", min(waits))

    @staticmethod
    def _id(event: AlertEvent, channel: Channel) -> str:
        return f"{event.id}.{event.version}.{channel.name}"

    async def _deliver(self, key: str, event: AlertEvent, channel: Channel) -> float | None:
        """Send one notification; the seconds to wait before the next attempt, or None when it is settled."""
        attempt = self._attempts.get(key, 0) + 1
        result = await channel.notify(Notification(event, attempt), self._clock())
        if isinstance(result, RetryLater) and attempt < MOST_ATTEMPTS:
            self._attempts[key] = attempt
            self._observer.notified(channel.name, "retry")
            log.warning("delivery.retry", channel=channel.name, alert=event.id, problem=result.problem, attempt=attempt)
            return result.after_seconds
        self._attempts.pop(key, None)
        await self._archive.record_notifications([self._record(key, event, channel, result)])
        self._observer.notified(channel.name, "delivered" if isinstance(result, Delivered) else "failed")
        return None

    def _record(
        self, key: str, event: AlertEvent, channel: Channel, result: Delivered | RetryLater | GiveUp
    ) -> StoredNotification:
        problem = ""
        if not isinstance(result, Delivered):
            problem = result.reason if isinstance(result, GiveUp) else result.problem
            log.error("delivery.failed", channel=channel.name, alert=event.id, problem=problem)
        return StoredNotification(
            id=key,
            alert_id=event.id,
            version=event.version,
            channel=channel.name,
            sent_ms=self._clock(),
            problem=problem,
        )

    async def idle(self, partition: int, now_ms: int) -> None:
        """Nothing happens without a record."""

    def forget(self, partition: int) -> None:  # noqa: ARG002  # attempts are counted by notification
        self._attempts.clear()


def _event_of(record: Record) -> AlertEvent:
    """Raises `Reject` for a record that is no alert: anybody may write to a topic."""
    try:
        return AlertEvent.from_json(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Reject("bad_alert", f"no alert: {error}", record.offset) from error
