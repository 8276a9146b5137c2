"""A test of channels: an alert about nothing, and its end, through each of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from alerts.delivery import Channel, Delivered, Delivery, EmailChannel, Notification, RetryLater
from alerts.delivery.picture import Bar
from alerts.records import AlertEvent, Expected, Observed, Peak, TopItem, WindowSpan, labels_of
from streams.wall_clock import HOUR_MS, MINUTE_MS

__all__ = ["Trial", "trial_events", "try_channel", "try_channels"]

_SECONDS: Final = 90.0
"""Longer than any channel takes by itself."""

_TITLE: Final = "This is a test of moodwire's channels: nothing happened"


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it at one channel: `problem` is empty where it took both messages."""

    channel: str
    problem: str = ""

    @property
    def is_well(self) -> bool:
        return not self.problem


def trial_events(identity: str, now_ms: int, signal: str) -> tuple[AlertEvent, AlertEvent]:
    """Returns a warning that opens now, and its end; `identity` is its id."""
    span = WindowSpan(now_ms - 2 * HOUR_MS, now_ms, 7200)
    opened = AlertEvent(
        id=identity, revision=1, signal=signal, rule="test", detector="volume", series="test/moodwire", kind="test",
        state="firing", change="opened", severity="warning", onset_ms=now_ms, updated_ms=now_ms, window=span,
        observed=Observed(7, 9), expected=Expected(0.3, 0.15, (0, 2)), p_value=4e-5, level=1e-3,
        peak=Peak(now_ms, 7200, 7, 9, 0.3, (0, 2), 4e-5), reasons=("test",),
        top_items=(TopItem("test", now_ms, 1.0, _TITLE, "moodwire"),),
        labels=labels_of("test", signal, "test/moodwire", "test", "warning"), annotations={"summary": _TITLE},
    )  # fmt: skip
    ended = msgspec.structs.replace(
        opened, revision=2, change="resolved", state="resolved", updated_ms=now_ms + MINUTE_MS
    )
    return opened, ended


async def try_channels(
    channels: Sequence[Channel], events: Sequence[AlertEvent], clock: Callable[[], int]
) -> list[Trial]:
    """Returns what came of it at each channel, in their order; they are tried at once, and closed."""
    try:
        return list(await asyncio.gather(*(try_channel(channel, events, clock) for channel in channels)))
    finally:
        for channel in channels:
            await channel.aclose()


async def try_channel(channel: Channel, events: Sequence[AlertEvent], clock: Callable[[], int]) -> Trial:
    """Sends the events one after the other, until one is not delivered."""
    if isinstance(channel, EmailChannel) and channel.history is None:
        channel.history = _made_up
    for event in events:
        answer = await _answer(channel, event, clock())
        if not isinstance(answer, Delivered):
            problem = answer.problem if isinstance(answer, RetryLater) else answer.reason
            return Trial(channel.name, f"{event.change}: {problem}")
    return Trial(channel.name)


async def _answer(channel: Channel, event: AlertEvent, now_ms: int) -> Delivery:
    try:
        async with asyncio.timeout(_SECONDS):
            return await channel.notify(Notification(event), now_ms)
    except TimeoutError:
        return RetryLater(0, f"no answer in {_SECONDS:g} s")
    except Exception as error:  # the boundary: one channel's fault must not hide what came of the others
        return RetryLater(0, f"{type(error).__name__}: {error}")


async def _made_up(event: AlertEvent) -> Sequence[Bar]:
    """A calm day and a surge, for the picture."""
    first_ms = event.onset_ms // HOUR_MS * HOUR_MS - 24 * HOUR_MS
    return [Bar(first_ms + hour * HOUR_MS, 3600, 7 if hour == 24 else hour * 7 % 3, 9) for hour in range(25)]
