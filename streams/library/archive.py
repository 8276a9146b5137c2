"""An archive as notebooks read it: calls that answer at once, without an event loop, as data frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import msgspec

from streams.archive.protocol import Archive as AsyncArchive
from streams.archive.protocol import Query
from streams.existing import open_existing_archive
from streams.library.frames import Moment, Span, epoch_ms, frame_of, milliseconds
from streams.settings import load_settings
from streams.text.heads import Of
from streams.text.profile import load_profile
from streams.transport.loop_thread import LoopThread
from streams.wall_clock import wall_clock_ms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Archive", "open_archive"]

T = TypeVar("T")


def open_archive(namespace: str | None = None) -> Archive:
    """Returns the archive of a namespace, by default that of the settings; it only reads, workers may run.

    Raises SettingsError naming the namespaces that exist if it is none of them.
    """
    settings = load_settings(namespace=namespace)
    profile = load_profile(settings.profile)
    everything = next((kind for kind, made in profile.series.items() if made.of is Of.EVERYTHING), "")
    return Archive(lambda: open_existing_archive(settings), everything, next(iter(profile.signals)))


class Archive:
    """An open archive; close it, or use it in a `with` statement. Threads may share it.

    `everything` is the series of all items, `signal` the one of which hits are counted, where a call names none.
    """

    def __init__(self, opened: Callable[[], AsyncArchive], everything: str, signal: str) -> None:
        self._everything = everything
        self._signal = signal
        self._loop = LoopThread("moodwire-library")
        try:
            self._archive = self._loop.call(lambda: _called(opened))
        except BaseException:
            self._loop.close()
            raise

    def series(
        self,
        name: str | None = None,
        *,
        signal: str | None = None,
        since: Moment = "1970-01-01",
        until: Moment | None = None,
        bucket: Span = "1h",
    ) -> pd.DataFrame:
        """Returns the counts of a series such as `entity/AAPL`: a row for each bucket with items, by its start in UTC.

        `hits` are those of `signal`, by default the first of the profile. `until` is excluded, and now if it is not
        given. Raises MoodwireError without pandas.
        """
        end = wall_clock_ms() if until is None else epoch_ms(until)
        start, length = epoch_ms(since), milliseconds(bucket)
        buckets = self._loop.call(
            lambda: self._archive.rates(name or self._everything, signal or self._signal, start, end, length)
        )
        return frame_of(map(asdict, buckets), index="start")

    def alerts(self, *, series: str = "", since: Moment | None = None, limit: int = 1_000) -> pd.DataFrame:
        """Returns a row for each alert in its present state, the latest onset first; `since` restricts the onset."""
        start = None if since is None else epoch_ms(since)
        found = self._loop.call(lambda: self._archive.alerts(series=series, since_ms=start, limit=limit))
        return frame_of((msgspec.json.decode(alert.body) for alert in found), index="id")

    def search(self, text: str = "", *, series: str = "", limit: int = 100) -> pd.DataFrame:
        """Returns a row for each item that has all words of `text`, the newest first, with the matches in `snippet`."""
        query = Query(text=text, series=series, limit=limit)
        hits = self._loop.call(lambda: self._archive.search(query))
        return frame_of({**msgspec.to_builtins(hit.item), "snippet": hit.snippet} for hit in hits)

    def close(self) -> None:
        """Releases the files and threads; a second call does nothing."""
        if self._loop.running:
            self._loop.call(self._archive.close)
            self._loop.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _called(opened: Callable[[], T]) -> T:
    return opened()
