"""A channel that fails for a while is trouble; one that is dead delays no notice of another."""

from __future__ import annotations

import asyncio

from alerts.delivery import Delivered, Delivery, Notification, ReceiverState, RetryLater
from streams.observe.notices import Notices
from streams.observe.receivers import look_at_receivers
from tests.observe.watched import NOW_MS, Clock, Listener, metrics_of, sample, troubles_of

MINUTE_MS = 60_000


def test_a_channel_that_fails_for_five_minutes_is_trouble_until_it_takes_something() -> None:
    clock = Clock()
    metrics = metrics_of(clock)
    troubles = troubles_of(metrics, clock)
    failing = ReceiverState("webhook x", 3, NOW_MS - 9 * MINUTE_MS, NOW_MS, "no connection")

    def look(state: ReceiverState) -> list[str]:
        look_at_receivers([state, ReceiverState("file")], metrics, troubles, clock(), 5 * MINUTE_MS)
        return [f"{trouble.reason} {trouble.subject}: {trouble.detail}" for trouble in troubles.active]

    assert look(failing) == []
    clock.pass_seconds(300)
    (found,) = look(failing)
    assert found.startswith("channel webhook x: webhook x has not taken notifications for 5 min, 3 wait: no connection")
    assert sample(metrics, "notifications_waiting", channel="webhook x") == 3
    assert sample(metrics, "notifications_oldest_waiting_seconds", channel="webhook x") == 14 * 60
    assert sample(metrics, "notifications_waiting", channel="file") == 0
    assert look(ReceiverState("webhook x")) == []
    assert sample(metrics, "notifications_oldest_waiting_seconds", channel="webhook x") == 0


class Hanging(Listener):
    """Never answers."""

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        self.heard.append(notification)
        await asyncio.Event().wait()
        return Delivered()


async def test_a_channel_that_hangs_delays_no_notice_of_another_and_not_the_monitor() -> None:
    clock = Clock()
    troubles = troubles_of(metrics_of(clock), clock, grace_ms=0)
    hanging, works = Hanging(), Listener()
    notices = Notices([hanging, works])
    async with asyncio.timeout(30):
        for reason in ("broker", "archive", "lag"):
            troubles.raise_trouble(reason, "no answer")
            await notices.turn(troubles.take_notices(), clock())
    assert [notice.reason for notice in works.notices] == ["broker", "archive", "lag"]
    assert len(hanging.heard) == 1
    await notices.aclose()


async def test_notices_of_a_channel_that_is_down_wait_in_order_for_hours_and_push_out_no_others() -> None:
    clock = Clock()
    troubles = troubles_of(metrics_of(clock), clock, grace_ms=0)
    dead, works = Listener([RetryLater(600, "no connection")] * 60), Listener()
    notices = Notices([dead, works])
    for number in range(60):
        troubles.raise_trouble("feed_silent", "quiet", f"feed {number}")
        await notices.turn(troubles.take_notices(), clock())
        clock.pass_seconds(600)
    await notices.turn([], clock())
    assert len(works.heard) == 60
    assert [notice.subject for notice in dead.notices][60:] == [f"feed {number}" for number in range(60)]
    await notices.aclose()
