"""One worker of a stage per embedded broker: a lock on a file that dies with its process."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from streams.errors import StageTaken
from streams.private_files import private_folder

__all__ = ["GroupLock"]


class GroupLock:
    """The right to be the worker of one consumer group on one broker's file."""

    def __init__(self, broker: Path, group: str) -> None:
        folder = broker.parent / "locks"
        private_folder(folder)
        self._group = group
        self._broker = broker
        self._pid = folder / f"{group}.pid"
        self._lock = FileLock(folder / f"{group}.lock", timeout=0, thread_local=False)

    def acquire(self) -> None:
        """Takes the lock for this process; raises StageTaken, naming the holder, when another has it."""
        try:
            self._lock.acquire()
        except Timeout:
            raise StageTaken(self._taken()) from None
        self._pid.write_text(str(os.getpid()))

    def release(self) -> None:
        """Gives the lock back; does nothing when it is not held."""
        self._lock.release()

    def _taken(self) -> str:
        try:
            holder = f"process {int(self._pid.read_text())}"
        except (OSError, ValueError):
            holder = "another process"
        return (
            f"Stage {self._group} already runs on {self._broker}, in {holder}: an embedded broker has one "
            "worker per stage. Stop that one, run another stage (--stage), or share the work on Kafka."
        )
