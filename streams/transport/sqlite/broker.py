"""What the stages of one process share of a broker's file: one store, one writer thread."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import ClassVar

from streams.errors import SettingsError
from streams.transport.sqlite.store import Store
from streams.transport.sqlite.writer import Writer

__all__ = ["Broker", "broker_path"]


def broker_path(url: str) -> Path:
    """The file of `sqlite:///absolute/path`; raises SettingsError for any other URL."""
    scheme, separator, path = url.partition("://")
    if scheme != "sqlite" or not separator or not path.startswith("/") or path == "/":
        hidden = re.sub(r"//[^/]*@", "//…@", url)
        raise SettingsError(
            f"{hidden!r} is neither sqlite:///absolute/path/broker.db nor kafka://host:port[,host:port…]"
        )
    return Path(path).resolve()


class Broker:
    """Opened by the first stage that needs the file, closed by the last."""

    _open: ClassVar[dict[Path, Broker]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store.open(path)
        self.writer = Writer(self.store)
        self._users = 0

    @classmethod
    def acquire(cls, path: Path) -> Broker:
        """This process's broker for the file; to be released once for every time it was acquired."""
        with cls._lock:
            broker = cls._open.get(path)
            if broker is None:
                broker = cls._open[path] = cls(path)
            broker._users += 1
            return broker

    def release(self) -> None:
        """Closes writer and file when the last user has released them."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            del self._open[self.path]
        self.writer.close()
        self.store.close()
