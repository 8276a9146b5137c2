"""One series counted again from the archive: what it expected, and why it did or did not raise an alert.

    archive ─► stages.archived_mentions ─► a mentions partition that judges one series ─┬─► looks at given ticks
                                                                                        ├─► what it counted
                                                                                        └─► changes of its alerts

The counts are those of `watch` as long as the archive holds the items: pruned ones are in no baseline here, and after
a promotion `watch` may have gone over to baselines that were scored again, which the archive's scores do not give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import msgspec

from alerts import AlertConfig, AlertEvent, Heard, SeriesState, StreamState
from alerts.memory import hit_probability
from streams.archive.protocol import Archive
from streams.engine.runs import Record
from streams.records import Scored
from streams.stages.archived_mentions import Layout, archived_mentions
from streams.stages.mentions import mentions_partition
from streams.stages.watch_partition import WatchPartition
from streams.stages.watch_rows import watched_key

__all__ = ["Look", "Recounted", "Watched", "recount"]

_TOPIC: Final = "mentions"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Watched:
    """A series and the signal whose hits are counted in it."""

    series: str
    signal: str


@dataclass(frozen=True, slots=True)
class Look:
    """A series, and what all series share, once everything before `tick_ms` is counted; no alert is decided yet."""

    tick_ms: int
    state: SeriesState
    stream: StreamState


@dataclass(slots=True)
class Recounted(Generic[T]):
    """What counting again found.

    `looks` are the answers at the ticks, in order. `counted` are (seen_ms, whether it hit) of the items that counted,
    copies left out. `models` are the versions of the models that scored the archive's items.
    """

    looks: list[T] = field(default_factory=list)
    counted: list[tuple[int, bool]] = field(default_factory=list)
    events: list[AlertEvent] = field(default_factory=list)
    models: set[str] = field(default_factory=set)


class _Recount(WatchPartition, Generic[T]):
    """A mentions partition that judges one series for one signal, and looks at it at `ticks`, which are sorted.

    What all series share is counted in full, and so are copies: the series is judged as `watch` judges it.
    """

    def __init__(self, config: AlertConfig, watched: Watched, ticks: Sequence[int], look: Callable[[Look], T]) -> None:
        super().__init__(msgspec.structs.replace(config, signals=(watched.signal,)))
        self._watched = watched
        self._ticks = list(ticks)
        self._answer = look
        self.found: Recounted[T] = Recounted()

    @property
    def is_done(self) -> bool:
        return not self._ticks

    def finish(self) -> None:
        """Looks at the ticks that no item follows."""
        while self._ticks:
            self._look(self._ticks[0], ())

    def _share(self, tick_ms: int, fresh: Sequence[Heard]) -> None:
        while self._ticks and self._ticks[0] < tick_ms:
            self._look(self._ticks[0], ())
        super()._share(tick_ms, fresh)

    def _close(
        self, tick_ms: int, counted: Mapping[str, Sequence[Heard]], looks: Iterable[str]
    ) -> Iterator[list[AlertEvent]]:
        own, signal = counted.get(self._watched.series, ()), self._watched.signal
        self.found.counted += [(one.seen_ms, hit_probability(one.hits, signal) is not None) for one in own]
        if self._ticks and self._ticks[0] == tick_ms:
            self._look(tick_ms, own)
        for events in super()._close(tick_ms, {self._watched.series: own} if own else {}, looks):
            self.found.events += events
            yield events

    def _look(self, tick_ms: int, mentions: Sequence[Heard]) -> None:
        """Looks at a copy: closing the tick early would hide it from `watch`'s own steps."""
        stream = self._streams[self._watched.signal]
        stream.close_tick(tick_ms, self._config)
        entry = self._series.of(watched_key(self._watched.signal, self._watched.series), tick_ms, 0)
        state = SeriesState.from_bytes(entry.state.to_bytes())
        state.apply(tick_ms, mentions, self._config, self._watched.signal)
        self.found.looks.append(self._answer(Look(tick_ms, state, stream)))
        del self._ticks[0]


async def recount(
    archive: Archive,
    config: AlertConfig,
    watched: Watched,
    ticks: Iterable[int],
    look: Callable[[Look], T],
    *,
    partitions: int = 1,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # progress is optional
) -> Recounted[T]:
    """Returns what the series was at `ticks`, multiples of `config.hop_ms`; `partitions` is the number of `mentions`.

    Reads all items up to the last tick: about a minute for a million. `on_progress` gets the number read so far.
    Raises `Retry` where the archive does not answer.
    """
    wanted = sorted(set(ticks))
    counting = _Recount(config, watched, wanted, look)
    counting.begin(_TOPIC)
    own, read, offset = mentions_partition(watched.series, partitions), 0, 0
    known = {0: wanted[-1] + config.lateness_ms + config.hop_ms}

    async def noting(items: Sequence[Scored]) -> Sequence[Scored]:
        counting.found.models.update(f"{item.model} {item.model_version}" for item in items if item.is_counted)
        return items

    async for more, sends in archived_mentions(archive, Layout(_TOPIC, partitions, "", 1), known, noting):
        for send in sends:
            if send.partition == own:
                counting.apply(Record(offset, None, send.value, 0, send.headers))
                offset += 1
        read += more
        on_progress(read)
        if counting.is_done:
            break
    counting.finish()
    return counting.found
