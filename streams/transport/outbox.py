"""What a stage produces, through its app's producer: one batch, acknowledged as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.engine.ports import Send
from streams.limits import check_records
from streams.transport.lane import CURRENT

__all__ = ["FaustOutbox", "append"]


class FaustOutbox:
    """`engine.ports.Outbox` over a Faust app; usable from the moment the app has started.

    The app's producer must offer `send_batch(sends)`: both transports' producers do.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def send(self, sends: Sequence[Send]) -> None:
        """Appends in the order given; returns when the broker has acknowledged all.

        Raises Retry and TransportError. Before anything is sent: TooLarge for a record above the limit, LeaseLost
        when another worker owns the run by now.
        """
        check_records(sends)
        await append(self._app, sends)


async def append(app: Any, sends: Sequence[Send]) -> None:
    """Appends under the lease of the run that is being handled; raises LeaseLost, Retry and TransportError."""
    if sends:
        await app.consumer.check_lease(CURRENT.get())
        await app.producer.send_batch(sends)
