"""Alerts as an Atom feed (RFC 4287): a file that holds the newest notifications, for any web server and feed reader.

Each notification is an entry of its own under the notification's id, so one that is sent again changes nothing. The
file is replaced as a whole: a reader never sees half of it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import xml.etree.ElementTree as ET  # of our own file alone
from contextlib import suppress
from pathlib import Path
from typing import Final

from alerts.delivery.brief import Brief, Words, iso_time
from alerts.delivery.channel import Delivered, Delivery, Notification, RetryLater, back_off_seconds, fingerprint
from alerts.errors import DeliveryError

__all__ = ["AtomChannel", "feed_with"]

_ATOM: Final = "http://www.w3.org/2005/Atom"
ENTRIES: Final = 100
_LARGEST_BYTES: Final = 16 << 20


class AtomChannel:
    """Keeps the newest `entries` notifications in the file at `path`, a feed called `title`.

    A file that is no feed of ours is refused rather than replaced. Raises `DeliveryError` for a path that is a folder.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str = "atom",
        title: str = "moodwire",
        entries: int = ENTRIES,
        words: Words | None = None,
    ) -> None:
        if path.is_dir():
            raise DeliveryError(f"{path} is a folder; name a file in it, such as {path / 'alerts.atom'}")
        self.name = name
        self._path, self._title, self._entries = path, title, entries
        self._words = words or Words()

    def __repr__(self) -> str:
        return f"AtomChannel({str(self._path)!r})"

    @property
    def endpoint(self) -> str:
        return fingerprint(os.fsencode(self._path.absolute()))

    async def notify(self, notification: Notification, now_ms: int) -> Delivery:
        """Returns `Delivered` when the entry is in the file, `RetryLater` when the disk or the file refuses it."""
        brief = await self._words.brief(notification.event)
        try:
            await asyncio.to_thread(self._add, brief, notification.id, now_ms)
        except OSError as error:
            return RetryLater(back_off_seconds(notification), f"cannot write {self._path}: {error.strerror or error}")
        except ValueError as error:
            return RetryLater(back_off_seconds(notification), f"{self._path}: {error}; move it away or name another")
        return Delivered()

    async def aclose(self) -> None:
        """Nothing else is held open between notifications."""
        await self._words.aclose()

    def _add(self, brief: Brief, notification: str, now_ms: int) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        old = _read(self._path)
        feed = feed_with(old, brief, notification, now_ms, title=self._title, entries=self._entries)
        if feed is not None:
            _replace(self._path, feed)


def feed_with(
    old: bytes | None, brief: Brief, notification: str, now_ms: int, *, title: str, entries: int = ENTRIES
) -> bytes | None:
    """Returns the feed with the notification as its first entry; None where it is one already.

    Raises `ValueError` for an old feed that is none of ours.
    """
    found = _entries(old) if old is not None else []
    identity = f"urn:moodwire:notification:{notification}"
    if any(entry.findtext(_tag("id")) == identity for entry in found):
        return None
    feed = ET.Element(_tag("feed"))
    _text(feed, "id", f"urn:moodwire:feed:{fingerprint(title)}")
    _text(feed, "title", title)
    _text(feed, "updated", iso_time(now_ms))
    ET.SubElement(feed, _tag("generator")).text = "moodwire"
    feed.extend([_entry(brief, identity, now_ms), *found][:entries])
    ET.register_namespace("", _ATOM)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(feed, encoding="unicode").encode()


def _entry(brief: Brief, identity: str, now_ms: int) -> ET.Element:
    entry = ET.Element(_tag("entry"))
    _text(entry, "id", identity)
    _text(entry, "title", brief.subject)
    _text(entry, "published", iso_time(brief.at_ms))
    _text(entry, "updated", iso_time(now_ms))
    ET.SubElement(ET.SubElement(entry, _tag("author")), _tag("name")).text = "moodwire"
    for name, value in brief.labels.items():
        ET.SubElement(entry, _tag("category"), {"term": _plain(value), "label": _plain(name)})
    for address, title in brief.links:
        ET.SubElement(entry, _tag("link"), {"rel": "related", "href": address, "title": _plain(title)})
    content = ET.SubElement(entry, _tag("content"), {"type": "text"})
    content.text = _plain(brief.text)
    return entry


def _entries(old: bytes) -> list[ET.Element]:
    try:
        root = ET.fromstring(old)  # noqa: S314  # our own file
    except ET.ParseError as error:
        raise ValueError(f"is no feed ({error})") from None
    if root.tag != _tag("feed") or root.findtext(_tag("generator")) != "moodwire":
        raise ValueError("is no feed of moodwire")
    return root.findall(_tag("entry"))


def _tag(name: str) -> str:
    return f"{{{_ATOM}}}{name}"


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, _tag(name)).text = _plain(text)


def _plain(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _read(path: Path) -> bytes | None:
    """Raises `ValueError` for a file that is too large to be ours."""
    try:
        with path.open("rb") as stream:
            found = stream.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(found) > _LARGEST_BYTES:
        raise ValueError(f"is larger than {_LARGEST_BYTES >> 20} MiB")
    return found


def _replace(path: Path, data: bytes) -> None:
    """The file is the data, on the disk, or as it was. A web server may read it: its mode is that of a new file."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
