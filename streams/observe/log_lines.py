"""Log lines on their way to standard error, which may be a pipe that no program reads or a stopped terminal.

the program ─► line ─► at most 2,000 lines ─► a daemon thread ─► standard error
                          └─► full: left out and counted; a line says so once standard error takes lines again
"""

from __future__ import annotations

import logging
import threading
from queue import Full, Queue
from typing import TextIO

__all__ = ["LineHandler"]

_MOST_WAITING = 2_000
_FLUSH_SECONDS = 1.0


class LineHandler(logging.Handler):
    """Writes to `stream` without ever holding up the program. `most_waiting` lines are kept for a stream that is stuck.

    `left_out` is the number of lines that were not written. A stream in memory has each line at once.
    """

    def __init__(
        self, stream: TextIO, most_waiting: int = _MOST_WAITING, flush_seconds: float = _FLUSH_SECONDS
    ) -> None:
        super().__init__()
        self.left_out = 0
        self._reported = 0
        self._stream = stream
        self._flush_seconds = flush_seconds
        self._lines: Queue[str] = Queue(most_waiting)
        self._thread: threading.Thread | None = None
        self._in_memory = not _has_descriptor(stream)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes the line, or counts it where too many wait."""
        try:
            if self.left_out > self._reported and not self._lines.full():
                self._report()
            self._take(record)
        except Full:
            self.left_out += 1
        except Exception:  # as every handler of the standard library: logs end no program
            self.handleError(record)

    def _report(self) -> None:
        text = f"{self.left_out - self._reported:,} log lines were left out: standard error took none"
        self._take(logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (), None))
        self._reported = self.left_out

    def _take(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        if self._in_memory:
            _write(self._stream, line)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="log lines", daemon=True)
            self._thread.start()
        self._lines.put_nowait(line)

    def flush(self) -> None:
        """Waits until what was logged before is written, for a second at most."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, self._flush_seconds)

    def _serve(self) -> None:
        while True:
            line = self._lines.get()
            try:
                _write(self._stream, line)
            except (OSError, ValueError):  # it is gone, full or closed: there is nowhere to say so
                self.left_out += 1
            finally:
                self._lines.task_done()


def _write(stream: TextIO, line: str) -> None:
    from alerts.delivery.aside import write_all  # with the first line: `--help` logs none, and needs no NumPy

    write_all(stream, line)


def _has_descriptor(stream: TextIO) -> bool:
    try:
        return stream.fileno() >= 0
    except (AttributeError, OSError, ValueError):
        return False
