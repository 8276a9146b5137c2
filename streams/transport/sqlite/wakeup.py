"""Tells everybody in this process that something was appended to a file, without polling it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["Hub", "hub"]


class Hub:
    """One per file and process. `write_lock` keeps this process's own writers from busy-waiting on SQLite's.

    `refusal` is why the file refused this process's last write; empty once it has taken one.
    """

    def __init__(self) -> None:
        self.write_lock = threading.Lock()
        self.refusal = ""
        self._lock = threading.Lock()
        self._listeners: frozenset[Callable[[], None]] = frozenset()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` after every append, from the appending thread; returns what ends that."""
        with self._lock:
            self._listeners |= {listener}

        def stop() -> None:
            with self._lock:
                self._listeners -= {listener}

        return stop

    def announce(self) -> None:
        """Something was appended and is durable."""
        for listener in self._listeners:
            listener()


_hubs: dict[Path, Hub] = {}
_hubs_lock = threading.Lock()


def hub(path: Path) -> Hub:
    """This process's hub for the file at `path`, which must be resolved."""
    with _hubs_lock:
        return _hubs.setdefault(path, Hub())
