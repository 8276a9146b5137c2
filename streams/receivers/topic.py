"""Alerts to a topic of a Kafka cluster: CloudEvents in binary mode, the attributes as `ce_` headers.

    key    the id of the alert or group: all that is about one is in one partition, in order
    value  the alert, group or notice in JSON, as in the posts of a webhook

A consumer leaves out a `ce_id` that it has: a record may come again after an attempt whose answer was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from alerts.delivery import Delivered, Delivery, GiveUp, Notification, RetryLater, back_off_seconds
from alerts.delivery.channel import fingerprint
from alerts.delivery.webhook import cloud_event
from streams.engine.ports import Send
from streams.errors import MoodwireError, TooLarge
from streams.receivers.attempt import BoundedAttempt
from streams.transport.broker import Broker, TopicSpec

__all__ = ["TopicChannel"]

_SECONDS = 60.0


class TopicChannel:
    """Appends to `topic`, which is made with one partition where it is missing and may be.

    `open_broker` connects, at the first notification; `address` tells brokers apart. An attempt that takes over a
    minute is left to itself, and none begins before it has ended.
    """

    def __init__(
        self,
        open_broker: Callable[[], Broker],
        topic: str,
        *,
        name: str = "kafka",
        address: str = "",
        source: str = "moodwire",
        timeout_seconds: float = _SECONDS,
    ) -> None:
        self.name = name
        self._open, self._topic, self._source = open_broker, topic, source
        self._address = address
        self._broker: Broker | None = None
        self._attempts = BoundedAttempt(f"append to {topic}", timeout_seconds)

    def __repr__(self) -> str:
        return f"TopicChannel({self._topic!r})"

    @property
    def endpoint(self) -> str:
        return fingerprint(self._address, self._topic)

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Returns `Delivered` when the record is durable."""
        send = self._send(notification, now_ms)
        return await self._attempts.of(notification, lambda: self._append(send, notification))

    async def aclose(self) -> None:
        """Leaves an attempt that hangs to itself."""
        self._attempts.leave()
        if self._broker is not None:
            broker, self._broker = self._broker, None
            await asyncio.to_thread(broker.close)

    def _append(self, send: Send, notification: Notification) -> Delivery:
        try:
            self._opened().append([send])
        except TooLarge as error:
            return GiveUp(str(error))
        except MoodwireError as error:
            return RetryLater(back_off_seconds(notification), str(error))
        return Delivered()

    def _opened(self) -> Broker:
        if self._broker is None:
            broker = self._open()
            try:
                _ensure(broker, self._topic)
            except BaseException:
                broker.close()
                raise
            self._broker = broker
        return self._broker

    def _send(self, notification: Notification, now_ms: int) -> Send:
        event = cloud_event(notification, self._source)
        attributes = {
            "ce_specversion": event.specversion,
            "ce_id": event.id,
            "ce_source": event.source,
            "ce_type": event.type,
            "ce_subject": event.subject,
            "ce_time": event.time,
            "content-type": event.datacontenttype,
        }
        headers = tuple((name, value.encode()) for name, value in attributes.items())
        key, value = event.subject.encode(), msgspec.json.encode(event.data)
        return Send(self._topic, key, value, headers=headers, timestamp_ms=now_ms)


def _ensure(broker: Broker, topic: str) -> None:
    """Makes the topic where it is missing; one that exists stays as it is."""
    if topic not in broker.names(topic):
        broker.ensure_topics([TopicSpec(topic)])
