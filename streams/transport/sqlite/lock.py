"""One worker of a stage per embedded broker: a lock on a file that dies with its process."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from streams.errors import SettingsError, StageTaken
from streams.private_files import private_folder

__all__ = ["GroupLock"]


class GroupLock:
    """The right to be the worker of one consumer group on one broker's file.

    Makes the folder of locks; raises SettingsError where that cannot be made.
    """

    def __init__(self, broker: Path, group: str) -> None:
        folder = broker.parent / "locks"
        self._folder = folder
        self._group = group
        self._broker = broker
        self._pid = folder / f"{group}.pid"
        self._lock = FileLock(folder / f"{group}.lock", timeout=0, thread_local=False)
        try:
            private_folder(folder)
        except OSError as error:
            raise SettingsError(self._unwritable(error)) from error

    def acquire(self) -> None:
        """Takes the lock for this process.

        Raises StageTaken, naming the holder, when another has it, and SettingsError when its files cannot be written.
        """
        try:
            self._lock.acquire()
            self._pid.write_text(str(os.getpid()))
        except Timeout:
            raise StageTaken(self._taken()) from None
        except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
            self._lock.release()
            raise SettingsError(self._unwritable(error)) from error

    def release(self) -> None:
        """Gives the lock back; does nothing when it is not held."""
        self._lock.release()

    def _unwritable(self, error: Exception) -> str:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        return (
            f"The lock of stage {self._group} in {self._folder} cannot be taken ({why}): moodwire needs a data folder "
            "on a disk that it may write and lock; correct that, or name another folder (MOODWIRE_DATA_DIR)."
        )

    def _taken(self) -> str:
        try:
            holder = f"process {int(self._pid.read_text())}"
        except (OSError, ValueError):
            holder = "another process"
        return (
            f"Stage {self._group} already runs on {self._broker}, in {holder}: an embedded broker has one "
            "worker per stage. Stop that one, run another stage (--stage), or share the work on Kafka."
        )
