"""What /health and /ready answer, decided from what is known; asks nobody.

health   the process serves: no stage has crashed                       restart it when this fails
ready    stages fetch, rows are restored, broker and archive answered   what is missing, in words
well     ready, no trouble, every stage gets on                         what the watchdog vouches for
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from streams.observe.stage import ObservedStage
from streams.observe.troubles import Troubles

__all__ = ["Answer", "Health", "StageState"]


class StageState(Protocol):
    """Where a stage's app stands."""

    @property
    def up(self) -> bool:
        """Started, rows restored, fetching."""

    @property
    def crash(self) -> str:
        """Why it has crashed; empty while it has not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON body, and whether all is as it should be."""

    good: bool
    body: Mapping[str, Any]


@dataclass(slots=True)
class Health:
    """What is known of the process. Stages register before they start; the monitor notes what servers answered.

    `broker_problem` and `archive_problem` are empty after an answer; before the first check they say so.
    `tasks` are the background tasks: what is wrong with each, or nothing.
    `stall_ms` is how long a stage that owns partitions may take without finishing a run or finding all read.
    """

    troubles: Troubles
    clock: Callable[[], int]
    stall_ms: int = 120_000
    states: dict[str, StageState] = field(default_factory=dict)
    stages: dict[str, ObservedStage] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    broker_problem: str = "not asked yet"
    archive_problem: str = "not asked yet"

    def health(self) -> Answer:
        crashes = {name: state.crash for name, state in self.states.items() if state.crash}
        return Answer(not crashes, {"healthy": not crashes, "crashed": crashes})

    def missing(self) -> list[str]:
        """What keeps the process from being ready, in words."""
        found = [f"stage {name} crashed: {state.crash}" for name, state in self.states.items() if state.crash]
        found += [
            f"stage {name} is starting, restoring its rows, or rebalancing"
            for name, state in self.states.items()
            if not state.up and not state.crash
        ]
        if self.broker_problem:
            found.append(f"broker: {self.broker_problem}")
        if self.archive_problem:
            found.append(f"archive: {self.archive_problem}")
        found += [f"task {name}: {problem}" for name, problem in self.tasks.items() if problem]
        return found

    def ready(self) -> Answer:
        missing = self.missing()
        troubles = [
            {
                "reason": trouble.reason,
                "subject": trouble.subject,
                "detail": trouble.detail,
                "since_ms": trouble.since_ms,
            }
            for trouble in self.troubles.active
        ]
        stages = {name: "up" if state.up else "down" for name, state in self.states.items()}
        body = {"ready": not missing, "missing": missing, "stages": stages, "troubles": troubles}
        return Answer(not missing, body)

    def stalled(self) -> Sequence[str]:
        """The stages that own partitions and have not got on for too long."""
        now_ms = self.clock()
        return [
            name
            for name, stage in self.stages.items()
            if stage.owned and stage.progress_ms is not None and now_ms - stage.progress_ms > self.stall_ms
        ]

    @property
    def well(self) -> bool:
        return not self.missing() and not self.stalled() and not self.troubles.active
