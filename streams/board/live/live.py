"""The live part of a board: it follows the topics, serves streams, and hands decisions to the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from alerts.judge import Answer, Decision
from streams.alert_log import decision_send
from streams.board.live.follow import Follower
from streams.board.live.hub import Hub
from streams.board.live.judge import JudgeFollower
from streams.board.live.sources import Items, JudgedAlerts, Source
from streams.board.once import Once
from streams.board.shapes.news import PushResult
from streams.jobs.judge_state import JudgeState
from streams.records import Scored
from streams.settings import Settings
from streams.topics import Topics
from streams.transport.asking import ask
from streams.transport.broker import Broker, open_broker

__all__ = ["Live"]


class Live:
    """Follows while it is entered, in a thread with a connection of its own.

    `encode` makes the JSON of an item. The hub is for the event loop in which it was entered. `pushes` are the answers
    to pushes by their key, `decisions` those of the judge, `promoting` is held while a model is promoted.
    """

    def __init__(self, settings: Settings, encode: Callable[[Scored], bytes]) -> None:
        self.hub = Hub()
        self.judge = JudgeFollower()
        self.pushes = Once[PushResult]()
        self.decisions = Once[Answer]()
        self.promoting = asyncio.Lock()
        self._topics: Topics = settings.topics
        self._settings = settings
        self._sources: Sequence[Source] = [Items(settings.topics, encode), JudgedAlerts(settings.topics, self.judge)]
        self._follower: Follower | None = None

    async def __aenter__(self) -> Self:
        self._follower = Follower(self._opened, self._sources, self.hub)
        self._follower.start()
        return self

    def _opened(self) -> Broker:
        return open_broker(self._settings.broker, self._settings.kafka)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends all streams, then the thread."""
        self.hub.close()
        assert self._follower is not None
        await self._follower.stop()

    async def state(self) -> JudgeState:
        """Returns what the judge knows now; not to be changed. Raises `NewerVersion` and `alerts.StateError`."""
        return await asyncio.to_thread(self.judge.state)

    async def decide(self, broker: Broker, decision: Decision, wait_seconds: float) -> Answer | None:
        """Sends the decision; returns its answer, or None when no worker has given one within the wait.

        Raises `Retry` and `TransportError` where it could not be sent. Sent again under the same id it is answered as
        before.
        """
        after = self.judge.last_place()
        await ask(lambda: broker.append([decision_send(self._topics.control, decision)]), "decide")
        return await self.judge.answer(decision.id, after, wait_seconds)
