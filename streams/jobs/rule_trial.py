"""Rules tried on an archive: the alerts that they would have raised. Nothing is changed and nothing is sent.

archive ─► stages.archived_mentions, as the profile counts now ─► mentions partitions, per configuration ─► Trial
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from alerts import AlertConfig, AlertEvent
from streams.archive.protocol import Archive
from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.records import Scored
from streams.stages.archived_mentions import Layout, archived_mentions
from streams.stages.counting import Counting
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import Profile
from streams.wall_clock import DAY_MS

__all__ = ["OPENINGS", "Trial", "changes", "try_rules"]

OPENINGS: Final = ("opened", "noted")
_TOPIC: Final = "mentions"


@dataclass(slots=True)
class Trial:
    """What a configuration found: every event in order, among items seen from `first_ms` to `last_ms`."""

    config: AlertConfig
    events: list[AlertEvent] = field(default_factory=list)
    items: int = 0
    first_ms: int = 0
    last_ms: int = 0

    @property
    def openings(self) -> list[AlertEvent]:
        """Returns the alerts that opened, and what was noted."""
        return [event for event in self.events if event.change in OPENINGS]

    @property
    def weeks(self) -> float:
        """Returns how long the items span, at least a day."""
        return max(self.last_ms - self.first_ms, DAY_MS) / (7 * DAY_MS)

    def busiest_day(self, rule: str) -> int:
        """Returns the most openings of a rule on one day (UTC)."""
        days = Counter(event.updated_ms // DAY_MS for event in self.openings if event.rule == rule)
        return max(days.values(), default=0)


def changes(before: Trial, after: Trial) -> tuple[list[AlertEvent], list[AlertEvent]]:
    """Returns the openings that only `before` has and those that only `after` has, by rule, signal, series and time."""
    old, new = ({event.id: event for event in trial.openings} for trial in (before, after))
    return [one for key, one in old.items() if key not in new], [one for key, one in new.items() if key not in old]


async def try_rules(
    archive: Archive,
    configs: Sequence[AlertConfig],
    profile: Profile,
    *,
    partitions: int = 1,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # progress is optional
) -> list[Trial]:
    """Returns a trial per configuration. Reads all items once; `partitions` is the number of partitions of `mentions`.

    Items count in the series that the profile has now, by the scores that they were given first. `on_progress` gets
    the number read so far. Raises `Retry` where the archive does not answer.
    """
    trials, counting, read = [Trial(config) for config in configs], Counting(profile), 0
    watched = [[_begun(config) for _ in range(partitions)] for config in configs]
    offsets = [0] * partitions

    async def again(items: Sequence[Scored]) -> Sequence[Scored]:
        for trial in trials:
            _span(trial, items)
        return [counting.again(item) for item in items]

    async for more, sends in archived_mentions(archive, Layout(_TOPIC, partitions, "", 1), {}, again):
        for send in sends:
            number = send.partition or 0
            record = _record(send, offsets[number])
            offsets[number] += 1
            for trial, parts in zip(trials, watched, strict=True):
                trial.events += parts[number].apply(record)
        read += more
        on_progress(read)
    for trial in trials:
        trial.events.sort(key=lambda event: (event.updated_ms, event.series, event.rule, event.revision))
    return trials


def _begun(config: AlertConfig) -> WatchPartition:
    partition = WatchPartition(config)
    partition.begin(_TOPIC)
    return partition


def _record(send: Send, offset: int) -> Record:
    return Record(offset, None, send.value, 0, send.headers)


def _span(trial: Trial, items: Sequence[Scored]) -> None:
    seen = [item.news.seen_ms for item in items if item.is_counted]
    if seen:
        trial.items += len(seen)
        trial.first_ms = min(trial.first_ms or seen[0], *seen)
        trial.last_ms = max(trial.last_ms, *seen)
