"""Parking: a record that its stage cannot handle goes to `rejects`; what is lost with it is a trouble."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streams.engine.isolation import Culprit
from streams.engine.observer import NoObserver, StageObserver
from streams.engine.ports import Outbox
from streams.engine.runs import Run
from streams.feeds.rejects import parked_send
from streams.logs import get_logger
from streams.wall_clock import wall_clock_ms

__all__ = ["LOSES", "RejectsParking"]

log = get_logger(__name__)

LOSES = {
    "mentions": "what it counted is missing from windows and baselines until `moodwire archive rebuild-state`",
    "alerts": "its notifications are not sent until `moodwire rejects retry`",
}
"""What is lost with a record of a topic that moodwire writes itself."""


class RejectsParking:
    """`engine.ports.Parking` of `stage`. `kind` is its topic without the prefix; `clock` gives the wall clock in ms.

    `on_loss` hears of a parked record of an internal topic: (kind and partition, what happened).
    """

    def __init__(
        self,
        outbox: Outbox,
        rejects_topic: str,
        kind: str,
        stage: str,
        observer: StageObserver | None = None,
        on_loss: Callable[[str, str], None] = lambda *_: None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._outbox = outbox
        self._rejects = rejects_topic
        self._kind = kind
        self._stage = stage
        self._observer = observer or NoObserver()
        self._on_loss = on_loss
        self._clock = clock

    async def park(self, run: Run, culprits: Sequence[Culprit]) -> None:
        now_ms = self._clock()
        await self._outbox.send(
            [parked_send(self._rejects, self._kind, run, one.record, one.reject, at_ms=now_ms) for one in culprits]
        )
        self._observer.rejected([one.reject.reason for one in culprits], self._stage)
        for one in culprits:
            self._tell(run, one)

    def _tell(self, run: Run, culprit: Culprit) -> None:
        reason, offset = str(culprit.reject)[:1_000], culprit.record.offset
        loss = LOSES.get(self._kind)
        log.error(
            "Record parked",
            topic=run.topic,
            partition=run.partition,
            offset=offset,
            reason=reason,
            loss=loss or "nothing: `moodwire rejects list` shows it",
        )
        if loss is not None:
            detail = f"offset {offset} of {run.topic}/{run.partition} could not be processed ({reason}): {loss}"
            self._on_loss(f"{self._kind}/{run.partition}", detail)
