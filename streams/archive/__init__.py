"""The archive: every scored item with its revisions, alerts and notifications, for search and dashboards.

    write_items ─► versions (id, content) ─► the item: its earliest version ─► search, rates, top, recent
    write_alerts, record_notifications ─► what was said to whom

`protocol` says what an archive must do, `sqlite` is the embedded one, `memory` the fake of the tests; one
contract suite runs over all.
"""

from __future__ import annotations

from pathlib import Path

from streams.archive.protocol import Archive
from streams.archive.sqlite import SqliteArchive
from streams.errors import SettingsError

__all__ = ["open_archive"]


def open_archive(url: str) -> Archive:
    """The archive behind `sqlite:///absolute/path`; raises `SettingsError` for any other scheme."""
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator or not rest.startswith("/"):
        raise SettingsError(f"MOODWIRE_ARCHIVE_URL={url!r}: take sqlite:///absolute/path/archive.db")
    return SqliteArchive(Path(rest))
