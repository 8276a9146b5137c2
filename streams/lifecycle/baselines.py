"""Baselines for a model that is to be promoted: the span that they rest on, scored again.

    archive ─► items up to the cut ─► scored by the candidate ─► mentions ─► a `watch` of its own, in memory
                                                                               └─► its rows at the cut ─► `mentions`

A new model shifts every base rate: one that calls twice as many items negative would raise an alert on every busy
series the moment it goes into service, and one that calls half as many would hide the next surge. So before the
promotion its own past is made, by the same code that counts live, and `watch` takes it over at the first mention that
the new model scored: an exact position of its topic, the same for whoever redoes it. Windows go over together with the
baselines, for the counts of one model are none against the rates of the other. Alerts that are open stay open.

The cut is the last full hour that `watch` has passed: before it all is counted and archived, after it what was counted
live stays, by the old model's scores; these are minutes to hours of one day. It leaves the windows within a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from alerts import AlertConfig
from models import Classifier
from streams.archive.protocol import Archive
from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.records import MentionBatch, Scored
from streams.serving.prepared import baseline_sends
from streams.stages.archived_mentions import Layout, archived_mentions
from streams.stages.classify import classify_again, with_verdict
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import Profile
from streams.wall_clock import HOUR_MS

__all__ = ["Rescoring", "build_baselines", "cut_of", "scored_again"]


_batches = msgspec.json.Decoder(MentionBatch)


@dataclass(frozen=True, slots=True)
class Rescoring:
    """What the past is scored with: `classifiers` by language. Items of other languages keep their scores, as do those
    that the same version scored before.
    """

    profile: Profile
    classifiers: Mapping[str, Classifier]

    def __call__(self, items: Sequence[Scored]) -> list[Scored]:
        """The items in order, with new scores; slow, for a thread."""
        asked = [at for at, item in enumerate(items) if self._asked(item)]
        new = scored_again(self.profile, self.classifiers, [items[at] for at in asked])
        found = list(items)
        for at, item in zip(asked, new, strict=True):
            found[at] = item
        return found

    def _asked(self, item: Scored) -> bool:
        classifier = self.classifiers.get(item.language)
        return classifier is not None and (classifier.name, classifier.version) != (item.model, item.model_version)


def scored_again(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[Scored]) -> list[Scored]:
    """The items as the classifiers see them; all that the text says besides is kept."""
    verdicts = classify_again(profile, classifiers, items)
    return [with_verdict(item, verdict) for item, verdict in zip(items, verdicts, strict=True)]


def cut_of(progress: Mapping[int, int], partitions: int, config: AlertConfig) -> int | None:
    """The last full hour that the watermark has passed, in ms; None while a source partition has not been heard."""
    if len(progress) < partitions:
        return None
    return (min(progress.values()) - config.lateness_ms) // HOUR_MS * HOUR_MS


async def build_baselines(
    archive: Archive,
    layout: Layout,
    config: AlertConfig,
    rescoring: Rescoring,
    *,
    promotion: int,
    cut_ms: int,
    since_ms: int = 0,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # nobody looks
) -> list[Send]:
    """The records that bring the baselines to every mentions partition, in order.

    The baselines rest on items seen in [since_ms, cut_ms), which `cut_of` found.
    `on_progress` hears how many versions of items were read. Memory holds all series, as `watch` does.
    """
    end_ms = cut_ms + config.lateness_ms  # with this progress the watermark is the cut, and its ticks are closed

    async def taken(items: Sequence[Scored]) -> list[Scored]:
        before = [item for item in items if since_ms <= item.news.seen_ms < cut_ms]
        return await asyncio.to_thread(rescoring, before)

    targets = [WatchPartition(config, None, []) for _ in range(layout.count)]
    offsets = [0] * layout.count
    done = 0
    async for read, sends in archived_mentions(archive, layout, dict.fromkeys(range(layout.partitions), end_ms), taken):
        for send in sends:
            target = send.partition or 0
            targets[target].apply(Record(offsets[target], None, _until(send, end_ms), 0))
            offsets[target] += 1
        done += read
        on_progress(done)
    return [send for number, target in enumerate(targets) for send in _sends(layout, number, target, promotion, cut_ms)]


def _until(send: Send, end_ms: int) -> bytes:
    """The batch, no further than the end in time."""
    batch = _batches.decode(send.value or b"")
    return msgspec.json.encode(msgspec.structs.replace(batch, progress_ms=min(batch.progress_ms, end_ms)))


def _sends(layout: Layout, number: int, target: WatchPartition, promotion: int, cut_ms: int) -> Iterator[Send]:
    streams, series = target.states()
    yield from baseline_sends(layout.topic, number, promotion, cut_ms, streams, series)
