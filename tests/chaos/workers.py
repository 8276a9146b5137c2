"""Worker processes as a test holds them, and waiting for what other processes do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["ROOT", "Worker", "times_done", "wait_until"]

ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 40

Place = tuple[str, int, int]
"""Epoch, partition and offset of a record."""


def wait_until(condition: Callable[[], bool], what: str, at_most_seconds: float = 240) -> None:
    """Looks until it holds; other processes tell of nothing, so it polls."""
    deadline = time.monotonic() + at_most_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {at_most_seconds:.0f} s: {what}"
        time.sleep(0.05)


class Worker:
    """One process of `tests.chaos.worker`; its two outputs are files beside each other in `folder`.

    `root` is the checkout whose code it runs.
    """

    def __init__(
        self, name: str, folder: Path, settings: Mapping[str, str], stages: Sequence[str] = (), root: Path = ROOT
    ) -> None:
        self.name = name
        self._told, self._log = folder / f"{name}.out", folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MOODWIRE_")}
        with self._told.open("wb") as told, self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.worker", *stages],
                cwd=root, stdout=told, stderr=log, env={**environment, **settings},
            )  # fmt: skip

    @property
    def errors(self) -> str:
        return self._log.read_text(errors="replace")

    def done(self, stage: str = "score") -> list[tuple[int, int, int, str]]:
        """(partition, first offset, last offset, epoch) of each run of the stage that it has finished."""
        found = []
        lines = self._told.read_text().split("\n")[:-1]  # a kill may leave a last line unfinished
        for line in lines:
            if not line.startswith("done "):
                continue  # a warning
            _, own, partition, first, last, epoch = line.split()
            if own == stage:
                found.append((int(partition), int(first), int(last), epoch))
        return found

    def wait_for_runs(self, more: int, stage: str = "score", at_most_seconds: float = 240) -> None:
        """Until it has finished so many more runs."""
        wanted = len(self.done(stage)) + more

        def finished() -> bool:
            assert self.process.poll() is None, f"worker {self.name} ended:\n{self.errors[-4000:]}"
            return len(self.done(stage)) >= wanted

        try:
            wait_until(finished, f"{more} more runs of {stage} by worker {self.name}", at_most_seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.errors[-4000:]}") from None

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, whatever it is doing; also when it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def terminate(self) -> float:
        """SIGTERM, which must end it well; the seconds that it took."""
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"worker {self.name} did not end at SIGTERM:\n{self.errors[-4000:]}") from None
        assert self.process.returncode == 0, self.errors[-4000:]
        return time.monotonic() - began


def times_done(workers: Sequence[Worker]) -> Counter[Place]:
    """How often each record of the topic news was in a run that a worker had finished."""
    times: Counter[Place] = Counter()
    for worker in workers:
        for partition, first, last, epoch in worker.done():
            times.update((epoch, partition, offset) for offset in range(first, last + 1))
    return times
