"""What a channel is: it takes an alert's change of state, notifies people, and answers how it went.

    Notification ──► Channel.notify ──► Delivered | RetryLater(after) | GiveUp(reason)

A channel never raises for a delivery that failed: the answer says whether to try again. A notification's id
is the same in every attempt, so that a receiver (or a file) can leave out what it has.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from alerts.backoff import Backoff
from alerts.delivery.group import AlertGroup
from alerts.delivery.notice import Notice
from alerts.records import AlertEvent

__all__ = [
    "Channel",
    "Delivered",
    "Delivery",
    "GiveUp",
    "Notification",
    "RetryLater",
    "Told",
    "back_off_seconds",
    "fingerprint",
]

_BACKOFF: Final = Backoff(first_seconds=5.0, longest_seconds=3600.0, spread=(1.0, 1.2))


@dataclass(frozen=True, slots=True)
class Told:
    """Who of the several addresses of one receiver is settled: those that have the notification, and the others.

    `refused` has the answer by address where it was refused for good. Addresses in neither are still to be told.
    """

    had: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    def left(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Returns those of the addresses that are still to be told."""
        settled = {*self.had, *(address for address, _ in self.refused)}
        return tuple(address for address in addresses if address not in settled)


@dataclass(frozen=True, slots=True)
class Notification:
    """One event for one channel, of an alert, of a group or about moodwire itself; `attempt` counts from 1.

    `told` is what earlier attempts came to, for a channel with several addresses.
    """

    event: AlertEvent | AlertGroup | Notice
    attempt: int = 1
    told: Told = Told()

    @property
    def id(self) -> str:
        """Names the event, whatever the attempt: its id and revision."""
        return f"{self.event.id}.{self.event.revision}"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it (or had it before)."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now: try again after so many seconds.

    `down` says that the receiver takes nothing now; without it this notification alone is refused. `told` is whom it
    need not be sent to again; None: nobody was reached, it is as before.
    """

    after_seconds: float
    problem: str
    down: bool = True
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never: the receiver is gone or refuses; an operator should read the reason. `told` is as in `RetryLater`."""

    reason: str
    told: Told | None = None


Delivery = Delivered | RetryLater | GiveUp


class Channel(Protocol):
    """A way to tell people.

    `name` is what notifications, logs and metrics know the channel by: it holds no secret, and stays when the address
    is corrected. `endpoint` tells one address from another without showing it; empty where there is none.
    """

    @property
    def name(self) -> str: ...

    @property
    def endpoint(self) -> str: ...

    async def notify(self, notification: Notification, now_ms: int) -> Delivery: ...

    async def aclose(self) -> None: ...


def fingerprint(*parts: str | bytes) -> str:
    """Six hexadecimal digits that tell addresses apart and give none away; for `Channel.endpoint`."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8) + data)
    return digest.hexdigest()[:6]


def back_off_seconds(notification: Notification) -> float:
    """5 s, 10 s, … at most an hour; spread by up to 20 % so that a receiver's recovery is not a stampede.

    The spread is taken from the notification's id and attempt: the same in a test and after a restart.
    """
    chance = zlib.crc32(f"{notification.id}/{notification.attempt}".encode()) / 2**32
    return _BACKOFF.wait_seconds(notification.attempt, chance=chance)
