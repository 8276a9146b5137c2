"""What `score` sends fits a broker: batches are split between items, one item is bounded, nothing is sent for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.errors import TransportError
from streams.limits import ENTITIES_PER_ITEM, RECORD_BYTES, WATCHLISTS_PER_ITEM, record_bytes
from streams.records import EntityMention, MentionBatch, News, Position, Scored, Story
from streams.stages.mentions import mention_sends
from streams.stages.reader import TextReader
from streams.stages.scored_records import scored_send
from streams.text.watchlists import Watchlist
from streams.topics import CUT_HEADER
from tests.stages.finance_items import counted, sentiment
from tests.stages.test_score_stage import PROFILE, TOPICS, make_stage, news, record, run_of

WIDE = "\U0001f642"  # four bytes
BAD = {"sentiment": sentiment("negative", 0.8, 0.1, 0.1)}


def scored(offset: int, entities: int, length: int = 24, text: str = "") -> Scored:
    names = [f"{number:04d}".ljust(length, "x") for number in range(offset, offset + entities)]
    item = Scored(
        news=News(id=f"{offset:032d}", content="c", title="t", text=text, source="s", seen_ms=offset),
        position=Position("e", 0, offset), scored_ms=1, language="en", heads=BAD, series={},
        entities=tuple(EntityMention(name, name, 1.0) for name in names), watchlists=(), story=Story("s"),
        signature=f"{offset:016x}", model="m", model_version="1",
    )  # fmt: skip
    return counted(item)


def sends_of(items: Sequence[Scored], targets: int) -> list[Send]:
    return mention_sends(
        "mentions", targets, epoch="e", partition=0, partitions=1, progress_ms=77, items=items, promotion=3
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 1_500), st.integers(0, 64), st.integers(10, 400), st.integers(1, 3))
def test_batches_fit_and_are_split_between_items_alone(count: int, entities: int, length: int, targets: int) -> None:
    items = [scored(offset, entities, length) for offset in range(count)]
    last: dict[int, int] = {}
    found: dict[int, set[str]] = {offset: set() for offset in range(count)}
    batches: dict[int, list[MentionBatch]] = {}
    for send in sends_of(items, targets):
        assert record_bytes(send) <= RECORD_BYTES
        assert send.partition is not None
        batch = msgspec.json.decode(send.value or b"", type=MentionBatch)
        batches.setdefault(send.partition, []).append(batch)
        for item in batch.items:
            found[item.offset].update(item.series)
        if batch.items:
            assert batch.items[0].offset > last.get(send.partition, -1), "an item is in two records"
            last[send.partition] = batch.items[-1].offset
    assert all(len(series) == entities + 2 for series in found.values())
    for of_target in batches.values():
        assert [batch.progress_ms for batch in of_target] == [0] * (len(of_target) - 1) + [77]


def test_many_companies_in_many_items_are_several_records() -> None:
    sends = sends_of([scored(offset, 64) for offset in range(2_000)], 1)
    assert len(sends) > 3
    assert max(record_bytes(send) for send in sends) > RECORD_BYTES / 4, "cut finer than needed"


def test_an_item_counts_in_so_many_series_that_its_records_fit() -> None:
    lists = [Watchlist(f"{number:04d}" + WIDE * 50, names=("Acme",)) for number in range(1_500)]
    reader = TextReader(PROFILE, {}, lists)
    given_names = tuple(f"{number:03d}" + WIDE * 97 for number in range(64))
    text = WIDE * 100_000
    extra = {"x": WIDE * 16_000}
    item = reader.read(News(id="i", content="c", title="Acme", source="s", seen_ms=1, entities=given_names))
    assert (len(item.entities), len(item.watchlists)) == (64, WATCHLISTS_PER_ITEM)
    plain = scored(0, ENTITIES_PER_ITEM, 100, text=text)
    whole = counted(msgspec.structs.replace(plain, watchlists=item.watchlists, entities=item.entities * 2))
    whole.news.extra = extra
    assert max(record_bytes(send) for send in sends_of([whole], 1)) <= RECORD_BYTES
    assert record_bytes(scored_send("scored", whole)) <= RECORD_BYTES


def test_a_scored_record_that_is_too_large_goes_without_its_text() -> None:
    item = scored(1, 2, text="long " * 1_000)
    send = scored_send("scored", item, largest=1_000)
    short = msgspec.json.decode(send.value or b"", type=Scored)
    assert send.headers == ((CUT_HEADER, b"text,extra,entities"),)
    assert (short.news.text, short.news.title, short.entities) == ("", "t", item.entities)
    assert item.news.text, "the item itself is whole, for the archive"
    assert scored_send("scored", item).headers == ()


@dataclass
class Refusing:
    """Takes everything but mentions, until it is told otherwise."""

    sent: list[Send] = field(default_factory=list)
    refuses: bool = True

    async def send(self, sends: Sequence[Send]) -> None:
        self.sent += [send for send in sends if send.topic != TOPICS.mentions]
        if self.refuses and any(send.topic == TOPICS.mentions for send in sends):
            raise TransportError("no permission to write mentions")
        self.sent += [send for send in sends if send.topic == TOPICS.mentions]


async def test_a_retry_does_not_publish_again_for_ever() -> None:
    outbox = Refusing()
    stage = make_stage(MemoryArchive(), outbox)
    run = run_of([record(0, news(0)), record(1, b"{broken"), record(2, news(2))])
    for _ in range(10):
        with pytest.raises(TransportError):
            await stage.handle(run)
    assert len([send for send in outbox.sent if send.topic == TOPICS.scored]) == 2 * 2
    assert len([send for send in outbox.sent if send.topic == TOPICS.rejects]) == 2
    outbox.refuses = False
    await stage.handle(run)
    await stage.handle(run_of([record(3, news(3))]))
    assert len([send for send in outbox.sent if send.topic == TOPICS.scored]) == 2 * 2 + 1
    assert [send.topic for send in outbox.sent].count(TOPICS.mentions) >= 2
