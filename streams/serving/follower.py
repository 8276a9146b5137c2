"""Follows the topic `control` for a worker: what is promoted is loaded in a thread and then wanted.

It looks every few seconds. A promotion is decided by people and takes effect at a stored offset, so nothing depends on
when a worker hears of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from models import ModelError
from streams.errors import MoodwireError
from streams.logs import get_logger
from streams.serving.control import Control
from streams.serving.model_cache import ModelCache
from streams.serving.versions import ActiveModels
from streams.serving.watched import WatchedLists
from streams.supervision import Beat, Supervisor
from streams.transport.asking import ask

__all__ = ["Follower", "active_models"]

log = get_logger(__name__)


def active_models(
    control: Control, profile: Mapping[str, tuple[str, str]], lists: WatchedLists | None = None
) -> ActiveModels:
    """The models by language: those of the profile, and over them what was promoted for its languages.

    `lists` takes the watchlists that were changed; without it they are left out.
    """
    promoted = {
        language: (promotion.name, promotion.version)
        for language, promotion in control.promotions.items()
        if language in profile
    }
    models = {**profile, **promoted}
    if lists is None:
        return ActiveModels(models, control.latest_number)
    return ActiveModels(models, control.latest_number, lists.take(control.watchlists.values()), control.lists_change)


class Listener(Protocol):
    """Somebody else who wants to know what `control` says."""

    def heard(self, control: Control) -> None:
        """Called in a thread, at every look; raises `ModelError` when it cannot follow."""


class Follower:
    """An async context manager: on entering, what `control` holds is wanted already, or the error is raised.

    `read` reads the topic, in a thread. `on_trouble` hears why a promoted model cannot be loaded, and None when that is
    over. `supervisor` keeps the following alive, `lists` takes the watchlists that people change. Later, when a
    promoted model cannot be loaded, the one before goes on, and loading is tried again at every look.
    """

    def __init__(
        self,
        read: Callable[[], Control],
        cache: ModelCache,
        profile: Mapping[str, tuple[str, str]],
        *,
        every_seconds: float,
        listeners: tuple[Listener, ...] = (),
        on_trouble: Callable[[str | None], None] = lambda _: None,
        supervisor: Supervisor | None = None,
        lists: WatchedLists | None = None,
    ) -> None:
        self._lists = lists
        self._read = read
        self._cache = cache
        self._profile = profile
        self._every_seconds = every_seconds
        self._listeners = listeners
        self._on_trouble = on_trouble
        self._supervisor = supervisor or Supervisor()
        self._reported = ""

    async def __aenter__(self) -> Self:
        control = await ask(self._follow_once, "control")
        if control.unreadable:
            self._pass_over(control)
        self._supervisor.start("control", self._follow)
        return self

    async def look(self) -> None:
        """Reads `control` once and follows it."""
        try:
            control = await ask(self._follow_once, "control")
        except ModelError as error:
            self._on_trouble(f"the promoted model cannot be loaded, the previous one stays in service: {error}")
            self._tell(str(error))
        except MoodwireError as error:  # others report a broker that is away
            self._tell(str(error))
        else:
            self._pass_over(control)

    def _pass_over(self, control: Control) -> None:
        """Reports what cannot be read in `control`; all else of it is followed."""
        if control.unreadable:
            problem = "; ".join(control.unreadable)[:1_000]
            self._on_trouble(problem)
            self._tell(problem)
        else:
            self._on_trouble(None)
            self._reported = ""

    def _tell(self, problem: str) -> None:
        if problem != self._reported:
            self._reported = problem
            log.error("Promotions cannot be followed; retrying", error=problem)

    def _follow_once(self) -> Control:
        control = self._read()
        self._cache.want(active_models(control, self._profile, self._lists))
        for listener in self._listeners:
            listener.heard(control)
        return control

    async def _follow(self, beat: Beat) -> None:
        while True:
            beat()
            await asyncio.sleep(self._every_seconds)
            await self.look()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._supervisor.stop("control")
