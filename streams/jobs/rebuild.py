"""The archive again from the topics, as far back as they reach: after a loss, or into another one.

    topic scored ─► items and revisions        topic alerts ─► every state of the alerts

Everything lands where it was: an archive that holds some of it already is completed. Duplicates are not on these
topics and are not counted again; notifications are not either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import msgspec

from alerts import AlertEvent
from streams.archive.protocol import Archive, ArchiveError, Refused
from streams.engine.runs import Record
from streams.records import Scored
from streams.stages.watch import stored_alert
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["rebuild"]

BATCH = 500

_decoder = msgspec.json.Decoder(Scored)


async def rebuild(
    broker: Broker,
    topics: Topics,
    archive: Archive,
    *,
    on_progress: Callable[[int], None] = lambda records: None,  # noqa: ARG005  # nobody looks
) -> tuple[int, int]:
    """Write what the topics hold into the archive; (items, alert states) written. `on_progress` hears their sum.

    Raises `ArchiveError` when the archive refuses an item that an archive had taken before.
    """
    items = states = 0
    for values in _batches(broker.scan(topics.scored)):
        for outcome in await archive.write_items([_decoder.decode(value) for value in values]):
            if isinstance(outcome, Refused):
                raise ArchiveError(f"the archive refuses an item: {outcome.reason}: {outcome.detail}")
        items += len(values)
        on_progress(items)
    for values in _batches(broker.scan(topics.alerts)):
        await archive.write_alerts([stored_alert(AlertEvent.from_json(value)) for value in values])
        states += len(values)
        on_progress(items + states)
    return items, states


def _batches(records: Iterable[Record]) -> Iterator[list[bytes]]:
    values = iter(record.value for record in records if record.value is not None)
    while batch := list(islice(values, BATCH)):
        yield batch
