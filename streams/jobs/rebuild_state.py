"""The state of `watch` again from the archive: when it is lost and the mentions have left retention.

    changelog, mentions ─► how far each source partition had come ─┐
    archive ─► stages.archived_mentions ───────────────────────────┴─► topic mentions, made anew ─► `watch` counts it

Items are counted with the signals and series that the profile has now, by the scores that they were given first. With
the same profile alerts get the ids and versions that they had, so what was archived or sent stays as it is. What the
archive does not hold any more (it was pruned) is in no baseline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from streams.archive.protocol import Archive
from streams.errors import TransportError
from streams.namespaces import check_profile
from streams.records import MentionBatch, Scored
from streams.serving.prepared import is_baselines
from streams.stages.archived_mentions import Layout, Taken, archived_mentions
from streams.stages.counting import Counting
from streams.stages.watch_rows import changelogs_of, progress_by_partition
from streams.text.profile import Profile
from streams.topics import Topics
from streams.transport.broker import Broker, TopicSpec

__all__ = ["rebuild_state"]

_decoder = msgspec.json.Decoder(MentionBatch)


async def rebuild_state(
    broker: Broker,
    topics: Topics,
    specs: Iterable[TopicSpec],
    archive: Archive,
    profile: Profile,
    *,
    on_progress: Callable[[int], None] = lambda items: None,  # noqa: ARG005  # progress is optional
) -> int:
    """Make `mentions` anew from the archive and drop the state of `watch`; how many versions were read.

    `on_progress` hears that number as it grows. To be done again from the start when it was cut off: the old state
    goes last, and until then it still tells how far the source partitions had come. Raises before anything is deleted:
    StageTaken while `score` or `watch` run in the namespace, SettingsError when it was made with another profile. And
    TransportError when the broker has not forgotten the old offsets.
    """
    specs = list(specs)
    [mentions] = [spec for spec in specs if spec.name == topics.mentions]
    with broker.held([topics.group("score"), topics.group("watch")]):
        await asyncio.to_thread(broker.ensure_topics, specs)
        check_profile(await asyncio.to_thread(lambda: list(broker.scan(topics.control))), topics, profile.name)
        news = await asyncio.to_thread(broker.topic, topics.news)
        changelogs = changelogs_of(await asyncio.to_thread(broker.names, f"{topics.group('watch')}-"))
        known = await asyncio.to_thread(_known_progress, broker, topics, changelogs)
        await asyncio.to_thread(broker.delete_topic, topics.mentions)
        await asyncio.to_thread(broker.ensure_topics, [mentions])
        layout = Layout(topics.mentions, mentions.partitions, news.epoch, news.partitions)
        done = sent = 0
        async for read, sends in archived_mentions(archive, layout, known, _counting(profile)):
            await asyncio.to_thread(broker.append, sends)
            done += read
            sent += len(sends)
            on_progress(done)
        if await asyncio.to_thread(broker.lag, topics.group("watch"), topics.mentions) < sent:
            raise TransportError(
                f"group {topics.group('watch')} still has offsets of the {topics.mentions} that was deleted, and would"
                " pass over some of the new one: start the command again"
            )
        for changelog in changelogs:
            await asyncio.to_thread(broker.delete_topic, changelog)
    return done


def _counting(profile: Profile) -> Taken:
    counting = Counting(profile)

    async def taken(items: Sequence[Scored]) -> Sequence[Scored]:
        return [counting.again(item) if item.is_counted else item for item in items]

    return taken


def _known_progress(broker: Broker, topics: Topics, changelogs: Iterable[str]) -> dict[int, int]:
    """How far each source partition had come, as far as the state and the mentions still tell."""
    known: dict[int, int] = {}
    for record in broker.scan(topics.mentions):
        if record.value is not None and not is_baselines(record.headers):
            batch = _decoder.decode(record.value)
            known[batch.partition] = max(known.get(batch.partition, 0), batch.progress_ms)
    rows = (record for name in changelogs for record in broker.scan(name))
    for progress in progress_by_partition(rows).values():
        for partition, progress_ms in progress.items():
            known[partition] = max(known.get(partition, 0), progress_ms)
    return known
