"""Background tasks of a process, supervised in one place: none ends unnoticed, and each is started again.

start(name, run) ── run(beat) ──┬── beat() ─────► on_problem(name, None)       it works
                                ├── raises ─────► on_problem(name, "why")      again after 1, 2, 4 … 60 s
                                └── returns ────► done
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from alerts.backoff import Backoff
from streams.errors import is_ours
from streams.logs import get_logger, unexpected

__all__ = ["Beat", "OnProblem", "Supervisor"]

log = get_logger(__name__)

Beat = Callable[[], None]
"""A task calls it whenever it has done some of its work."""
OnProblem = Callable[[str, str | None], None]
"""Receives a task's name and what is wrong with it; None once it works again."""
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0


def _nowhere(name: str, problem: str | None) -> None: ...


class Supervisor:
    """Use as an async context manager: on leaving, every task is cancelled and waited for.

    `on_problem` is called in the event loop. `first_wait_seconds` is the wait before the first restart; it doubles with
    each failure until the task beats.
    """

    def __init__(self, on_problem: OnProblem = _nowhere, first_wait_seconds: float = _FIRST_WAIT_SECONDS) -> None:
        self._on_problem = on_problem
        self._backoff = Backoff(first_wait_seconds, _LONGEST_WAIT_SECONDS)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, run: Callable[[Beat], Awaitable[None]]) -> None:
        """Runs `run` until it returns, `stop` or the end; an error starts it again."""
        self._tasks[name] = asyncio.create_task(self._keep_running(name, run), name=name)

    async def stop(self, name: str) -> None:
        """Cancels the task, if there is one, and waits until it has ended."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _keep_running(self, name: str, run: Callable[[Beat], Awaitable[None]]) -> None:
        failures = 0

        def beat() -> None:
            nonlocal failures
            failures = 0
            self._on_problem(name, None)

        while True:
            try:
                return await run(beat)
            except Exception as error:  # the boundary: whatever a task dies of is reported, and it starts again
                failures += 1
                self._report(name, error)
            await asyncio.sleep(self._backoff.wait_seconds(failures))

    def _report(self, name: str, error: Exception) -> None:
        problem = str(error) if is_ours(error) else repr(error)
        log.error("Task failed and is restarted", task=name, error=problem, exc_info=unexpected(error))
        self._on_problem(name, problem)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._tasks):
            await self.stop(name)
