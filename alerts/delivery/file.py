"""Alerts as lines of a file: a JSON object each, written once, on the disk before it counts as delivered."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from alerts.delivery.aside import Aside
from alerts.delivery.channel import Delivered, Delivery, Notification, RetryLater, back_off_seconds, fingerprint
from alerts.delivery.group import AlertGroup
from alerts.delivery.notice import Notice
from alerts.records import AlertEvent

__all__ = ["FileChannel", "FileLine"]

_DEADLINE_SECONDS: Final = 4.0
"""Shorter than the time that a process gives its stages at SIGTERM."""


class _Line(msgspec.Struct, frozen=True):
    """What identifies a line: the notification's id."""

    notification: str


class FileLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the file: an alert, a group of alerts, or a notice about moodwire itself."""

    notification: str
    sent_ms: int
    alert: AlertEvent | None = None
    group: AlertGroup | None = None
    notice: Notice | None = None


class FileChannel:
    """Appends to an NDJSON file; safe to start again on the same file.

    On its first write it reads which notifications the file holds, and cuts off a last line that a crash left
    unfinished. The file is the memory of what was delivered: move it away and everything is news again. An attempt
    takes `deadline_seconds` at most; what is written after them is found in the file by the next attempt.
    """

    def __init__(self, path: Path, deadline_seconds: float = _DEADLINE_SECONDS) -> None:
        self._path = path
        self._deadline_seconds = deadline_seconds
        self._aside = Aside("alerts file")
        self._written: set[str] | None = None

    def __repr__(self) -> str:
        return f"FileChannel({str(self._path)!r})"

    @property
    def name(self) -> str:
        return "file"

    @property
    def endpoint(self) -> str:
        return fingerprint(os.fsencode(self._path.absolute()))

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Returns `Delivered` when the line is on the disk, `RetryLater` when the disk refuses."""
        try:
            await self._aside.call(lambda: self._append(notification, now_ms), self._deadline_seconds)
        except TimeoutError:
            return self._later(notification, f"the disk took nothing for {self._deadline_seconds:g} s")
        except OSError as error:
            return self._later(notification, error.strerror or str(error))
        return Delivered()

    def _later(self, notification: Notification, problem: str) -> RetryLater:
        return RetryLater(back_off_seconds(notification), f"cannot write the alerts file {self._path}: {problem}")

    async def aclose(self) -> None:
        """Nothing is held open between notifications."""

    def _append(self, notification: Notification, now_ms: int) -> None:
        if self._written is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._written = _read(self._path)
        if notification.id in self._written:
            return
        line = msgspec.json.encode(_line(notification.id, now_ms, notification.event)) + b"\n"
        try:
            with self._path.open("ab", buffering=0) as file:
                _append_whole(file, line)
        except OSError:
            self._written = None  # the file may end in a part of the line: read it again
            raise
        self._written.add(notification.id)


def _line(name: str, now_ms: int, event: AlertEvent | AlertGroup | Notice) -> FileLine:
    match event:
        case Notice():
            return FileLine(name, now_ms, notice=event)
        case AlertGroup():
            return FileLine(name, now_ms, group=event)
    return FileLine(name, now_ms, alert=event)


def _append_whole(file: FileIO, line: bytes) -> None:
    """The whole line, on the disk, or none of it: a full disk takes a part of a line without an error."""
    taken = 0
    try:
        while taken < len(line):
            taken += _write_some(file, line[taken:])
        os.fsync(file.fileno())
    except OSError:
        if taken and file.tell() == os.fstat(file.fileno()).st_size:  # nothing of another process behind it
            file.truncate(file.tell() - taken)
        raise


def _write_some(file: FileIO, data: bytes) -> int:
    """How many bytes the file took, at least one; raises `OSError`."""
    taken = file.write(data)
    if not taken:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return taken


def _read(path: Path) -> set[str]:
    """The ids that the file holds, on the disk; makes a missing file, cuts an unfinished last line.

    Lines of other programs are left alone.
    """
    found: set[str] = set()
    whole = 0
    if path.is_fifo():
        raise OSError(errno.ESPIPE, "it is a pipe, which keeps no record of what was delivered; it must be a file")
    with path.open("ab+") as file:
        file.seek(0)
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(whole)
                break
            whole += len(line)
            try:
                found.add(msgspec.json.decode(line, type=_Line).notification)
            except msgspec.MsgspecError:
                continue
        os.fsync(file.fileno())  # an earlier process may have died before it did
    _sync_folder(path.parent)
    return found


def _sync_folder(folder: Path) -> None:
    """The file's name is on the disk as well, where the system syncs folders."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
