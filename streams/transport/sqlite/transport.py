"""Faust's transport for `sqlite:///absolute/path/broker.db`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from faust.transport import base
from faust.transport.drivers import TRANSPORTS

from streams.transport.broker import Late
from streams.transport.sqlite.broker import Broker
from streams.transport.sqlite.client import late
from streams.transport.sqlite.consumer import Consumer
from streams.transport.sqlite.lock import GroupLock
from streams.transport.sqlite.producer import Producer

__all__ = ["Transport", "register"]


class Transport(base.Transport):
    """Opens the process's broker when first needed; holds the stage's lock while its consumer runs."""

    Consumer: ClassVar[type[Any]] = Consumer
    Producer: ClassVar[type[Any]] = Producer
    driver_version = "sqlite"

    #: One worker holds the lock on its group, paused or not: no other one's rows can stand in between.
    rows_tell_position = False

    _broker: Broker | None = None
    _lock: GroupLock | None = None

    @property
    def broker(self) -> Broker:
        if self._broker is None:
            self._broker = Broker.acquire(Path(self.url[0].path).resolve())
        return self._broker

    def claim(self) -> None:
        """Makes this process the worker of the app's group; raises StageTaken when another one is."""
        if self._lock is None:
            lock = GroupLock(self.broker.path, self.app.conf.id)
            lock.acquire()
            self._lock = lock

    def unclaim(self) -> None:
        """Lets another process become the worker."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def tidy(self, now_ms: int) -> None:
        """Retention and compaction of the file."""
        self.broker.store.enforce_retention(now_ms)
        self.broker.store.compact(now_ms)

    def late(self, now_ms: int, groups: Sequence[tuple[str, str]]) -> list[Late]:
        """Which of the (group, topic) hold back records past their age, or lose them because they have not joined."""
        return late(self.broker.store, now_ms, groups)

    def release(self) -> None:
        """The app has stopped: closes the file if no other app of this process uses it."""
        if self._broker is not None:
            self._broker.release()
            self._broker = None


def register() -> None:
    """Makes Faust find this transport under the URL scheme `sqlite`."""
    TRANSPORTS.aliases["sqlite"] = f"{__name__}:Transport"
