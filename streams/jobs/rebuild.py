"""The archive again from the topics, as far back as they reach: after a loss, or into another one.

    topic scored ─► items and revisions        topic alerts ─► every state of the alerts

Everything lands where it was: an archive that holds some of it already is completed. Duplicates are not on these
topics and are not counted again; notifications are not either. Hours of series come back with
`streams.jobs.rebuild_state`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import msgspec

from alerts import AlertEvent
from streams.archive.protocol import Archive, ArchiveError, Refused
from streams.logs import get_logger
from streams.records import Scored
from streams.stages.watch import stored_alert
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["rebuild"]

BATCH = 500

T = TypeVar("T")

log = get_logger(__name__)

_decoder = msgspec.json.Decoder(Scored)


async def rebuild(
    broker: Broker,
    topics: Topics,
    archive: Archive,
    *,
    on_progress: Callable[[int], None] = lambda records: None,  # noqa: ARG005  # nobody looks
) -> tuple[int, int]:
    """Write what the topics hold into the archive; (items, alert states) written. `on_progress` hears their sum.

    Records that are neither, which others may have written, are passed over with a warning. Raises `ArchiveError` when
    the archive refuses an item that an archive had taken before.
    """
    items = states = 0
    for batch in _batches(_read(broker, topics.scored, _decoder.decode)):
        for outcome in await archive.write_items(batch):
            if isinstance(outcome, Refused):
                raise ArchiveError(f"the archive refuses an item: {outcome.reason}: {outcome.detail}")
        items += len(batch)
        on_progress(items)
    for events in _batches(_read(broker, topics.alerts, AlertEvent.from_json)):
        await archive.write_alerts([stored_alert(event) for event in events])
        states += len(events)
        on_progress(items + states)
    return items, states


def _read(broker: Broker, topic: str, decode: Callable[[bytes], T]) -> Iterator[T]:
    """What the records of a topic hold, in order."""
    unread = 0
    for record in broker.scan(topic):
        if record.value is None:
            continue
        try:
            yield decode(record.value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            unread += 1
    if unread:
        log.warning("Unreadable records skipped", topic=topic, records=unread)


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(values)
    while batch := list(islice(rest, BATCH)):
        yield batch
