"""What a stage produces, through its app's producer: one batch, acknowledged as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.engine.ports import Send
from streams.transport.dispatch import CURRENT

__all__ = ["FaustOutbox"]


class FaustOutbox:
    """`engine.ports.Outbox` over a Faust app; usable from the moment the app has started.

    The app's producer must offer `send_batch(sends)`: both transports' producers do.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def send(self, sends: Sequence[Send]) -> None:
        """Appends in the order given; returns when the broker has acknowledged all.

        Raises TransportError, or LeaseLost before anything is sent when another worker owns the run by now.
        """
        if sends:
            await self._app.consumer.hold(CURRENT.get())
            await self._app.producer.send_batch(sends)
