"""The archive: every scored item with its revisions, alerts and notifications, for search and dashboards.

    write_items ─► versions (id, content) ─► the item: its earliest version ─► search, rates, top, recent
    write_alerts, record_notifications ─► which notification went to whom

`protocol` says what an archive must do, `sqlite` is the embedded one, `elastic` the one on Elasticsearch, `memory`
the fake of the tests; one contract suite runs over all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr

from streams.archive.elastic.address import is_elastic, normalised, without_user
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import Archive, OnTrouble
from streams.archive.sqlite import SqliteArchive
from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.archive.elastic.archive import ElasticArchive

__all__ = ["check_archive_url", "closing_archive", "open_archive", "open_elastic"]

_EMBEDDED = "sqlite://"

A = TypeVar("A", bound=Archive)


@asynccontextmanager
async def closing_archive(archive: A) -> AsyncIterator[A]:
    """Closes the archive at the end: ``async with closing_archive(open_archive(url)) as archive``."""
    try:
        yield archive
    finally:
        await archive.close()


def open_archive(
    url: str,
    options: ElasticOptions | None = None,
    *,
    on_trouble: OnTrouble = lambda reason: None,  # noqa: ARG005  # by default trouble is only logged
) -> Archive:
    """The archive behind `sqlite:///absolute/path` or `https://host:port` (also http, elasticsearch).

    `options` and `on_trouble` are for Elasticsearch alone. Raises `SettingsError` for anything else.
    """
    check_archive_url(url)
    if is_elastic(url):
        return open_elastic(url, options, on_trouble=on_trouble)
    return SqliteArchive(Path(url.removeprefix(_EMBEDDED)))


def check_archive_url(url: str) -> None:
    """Raises `SettingsError` for a URL that `open_archive` would not take."""
    if is_elastic(url):
        normalised(without_user(url)[0])
    elif not url.startswith(f"{_EMBEDDED}/"):
        raise SettingsError(
            f"MOODWIRE_ARCHIVE_URL={url!r}: take sqlite:///absolute/path/archive.db, or https://host:port"
        )


def open_elastic(
    url: str,
    options: ElasticOptions | None = None,
    *,
    on_trouble: OnTrouble = lambda reason: None,  # noqa: ARG005  # by default trouble is only logged
) -> ElasticArchive:
    """The archive on Elasticsearch; a user and password in `url` are taken out of it. Raises `SettingsError`."""
    from streams.archive.elastic.archive import ElasticArchive  # its client takes a second to load

    options = options or ElasticOptions()
    clean, user, password = without_user(url)
    if user and not options.user:
        options = replace(options, user=user, password=SecretStr(password))
    return ElasticArchive(normalised(clean), options, on_trouble=on_trouble)
