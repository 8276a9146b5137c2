"""An archive as notebooks read it: calls that answer at once, without an event loop, as data frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import msgspec

from streams.archive.protocol import Archive as AsyncArchive
from streams.archive.protocol import Query, RateBucket
from streams.errors import MoodwireError
from streams.existing import open_existing_archive
from streams.library.frames import Moment, Span, epoch_ms, frame_of, milliseconds
from streams.settings import load_settings
from streams.text.heads import Of
from streams.text.profile import load_profile
from streams.transport.loop_thread import LoopThread
from streams.userfiles import suggestion
from streams.wall_clock import wall_clock_ms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Archive", "open_archive"]

T = TypeVar("T")
_SAMPLE = 1_000


def open_archive(namespace: str | None = None) -> Archive:
    """Returns the archive of a namespace, by default that of the settings; it only reads, workers may run.

    Raises SettingsError naming the namespaces that exist if it is none of them.
    """
    settings = load_settings(namespace=namespace)
    profile = load_profile(settings.profile)
    everything = next((kind for kind, made in profile.series.items() if made.of is Of.EVERYTHING), "")
    return Archive(lambda: open_existing_archive(settings), everything, tuple(profile.signals), profile.name)


class Archive:
    """An open archive; close it, or use it in a `with` statement. Threads may share it.

    `everything` is the series of all items and the first of `signals` the one of which hits are counted, where a call
    names none: both are of the profile called `profile`.
    """

    def __init__(
        self, opened: Callable[[], AsyncArchive], everything: str, signals: Sequence[str], profile: str
    ) -> None:
        self._everything = everything
        self._signals = signals
        self._profile = profile
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
        given. A series without items has no rows. Raises MoodwireError for a signal that the archive does not know, and
        without pandas.
        """
        end = wall_clock_ms() if until is None else epoch_ms(until)
        start, length = epoch_ms(since), milliseconds(bucket)
        counted, asked = name or self._everything, signal or self._signals[0]
        buckets = self._loop.call(lambda: self._archive.rates(counted, asked, start, end, length))
        if not any(one.hits for one in buckets):
            self._check(asked, default=signal is None or name is None)
        return frame_of(map(asdict, buckets), index="start", columns=[field.name for field in fields(RateBucket)])

    def _check(self, signal: str, *, default: bool) -> None:
        """Raises MoodwireError for a signal that is not known, and for defaults of a profile that is another one."""
        held = self._loop.call(self._held)
        is_other = bool(held) and held.isdisjoint(self._signals)
        known = sorted(held if is_other else {*held, *self._signals})
        if default and is_other:
            raise MoodwireError(
                f"the archive holds the signals {', '.join(known)}, and was not filled with the profile "
                f"{self._profile!r}: set MOODWIRE_PROFILE to its own, or name series and signal"
            )
        if signal not in known:
            raise MoodwireError(f"there is no signal {signal!r} in the archive; {suggestion(signal, known)}")

    async def _held(self) -> set[str]:
        """Returns the signals that the newest items and alerts hit."""
        hits = await self._archive.search(Query(limit=_SAMPLE))
        alerts = await self._archive.alerts(limit=_SAMPLE)
        of_items = {signal for hit in hits for signals in hit.item.series.values() for signal in signals}
        return of_items | {alert.signal for alert in alerts}

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
