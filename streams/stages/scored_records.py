"""Scored items, and their records in the topic `scored`."""

from __future__ import annotations

import msgspec

from streams.engine.ports import Send
from streams.limits import RECORD_BYTES, record_bytes
from streams.records import Scored
from streams.stages.classify import Verdict
from streams.stages.drafts import ReadNews
from streams.topics import CUT_HEADER

__all__ = ["scored_of", "scored_send"]

_encoder = msgspec.json.Encoder()
_CUT = ("text", "extra", "entities")


def scored_of(read: ReadNews, verdict: Verdict, scored_ms: int, late_after_ms: int) -> Scored:
    """The item with its scores; it is late when it was published longer than `late_after_ms` before it was seen."""
    news, item = read.news, read.item
    published = news.published_ms
    news.title, news.text = item.title, item.text
    return Scored(
        news=news,
        position=read.position,
        scored_ms=scored_ms,
        language=item.language,
        heads=verdict.heads,
        series=verdict.series,
        entities=verdict.entities,
        watchlists=item.watchlists,
        story=read.story,
        signature=f"{item.signature:016x}",
        model=verdict.model,
        model_version=verdict.model_version,
        late=published is not None and news.seen_ms - published > late_after_ms,
    )


def scored_send(topic: str, item: Scored, largest: int = RECORD_BYTES) -> Send:
    """The item's record, of at most `largest` bytes: where it would be larger, it goes without what the source wrote.

    The archive has that. The header `CUT_HEADER` names the fields of `news` that were left out.
    """
    send = Send(topic, item.news.id.encode(), _encoder.encode(item))
    if record_bytes(send) <= largest:
        return send
    short = msgspec.structs.replace(item, news=msgspec.structs.replace(item.news, text="", extra={}, entities=()))
    headers = ((CUT_HEADER, ",".join(_CUT).encode()),)
    return Send(topic, send.key, _encoder.encode(short), headers=headers)
