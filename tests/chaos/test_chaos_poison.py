"""Each kind of poison among good records: it is parked, or read like a foreign record, and nothing else is missing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from streams.alert_log import ALERTS_PARTITION
from streams.engine.ports import Send
from streams.records import News
from streams.topics import BASELINES_HEADER, END_HEADER, PROMOTION_HEADER
from tests.chaos.conftest import Report
from tests.chaos.feed import INDIGESTIBLE
from tests.chaos.found import parked
from tests.chaos.world import PARTITIONS, World

GARBAGE = (b"", b"\xff\xfe", b"{}", b"[]", b"[" * 1_000, b'{"id": 5}', b"[1]", b'[1,"e",0,1,-5]')


def _with_indigestible(records: Sequence[Send], every: int) -> Iterator[Send]:
    """What the classifier fails on, now and then two in a row."""
    for number, send in enumerate(records):
        if number % every == 0 and send.value:
            for twin in range(1 + number // every % 2):
                title = f"{INDIGESTIBLE} of the day {number} {twin}"
                news = News(
                    id=f"pill-{number}-{twin}", content="c", title=title, source="Wire", language="en",
                    seen_ms=send.timestamp_ms or 0,
                )  # fmt: skip
                yield msgspec.structs.replace(send, value=msgspec.json.encode(news))
        yield send


def _hostile(topic: str, partition: int) -> Iterator[Send]:
    """Records in our own form that break its promises, and headers of ours with nonsense in them."""

    def own(number: int, **changed: object) -> bytes:
        fields = {"id": f"h{partition}-{number}", "content": "c", "title": f"Hostile {partition} {number} is news"}
        return json.dumps(fields | {"source": "Wire", "seen_ms": 1, "schema": 2, "language": "en"} | changed).encode()

    values = [
        own(0, published_ms=10**30),
        own(1, extra={"n": 10**30}),
        own(2, extra={"deep": [[[[[[[[[[1]]]]]]]]]]}),
        own(3, entities=[f"Entity {number}" for number in range(40_000)]),
        own(4, url="http://" + "a" * 100_000, language="x" * 10_000),
        own(5, id="a\0b"),
    ]
    for value in values:
        yield Send(topic, b"k", value, partition)
    for number, (name, value) in enumerate(((END_HEADER, b"soon"), (END_HEADER, b"9" * 400), (PROMOTION_HEADER, b"x"))):
        yield Send(topic, b"k", own(10 + number, id=f"g{number}", published_ms=-1), partition, ((name, value),))
    yield Send(topic, b"k", None, partition, ((END_HEADER, b"soon"),))


def test_each_kind_of_poison(world: World, report: Report) -> None:
    topics = world.settings.topics
    feed = world.feed()
    before, after = feed.cut(0.5)
    spoilt = [
        Send(topic, b"k", value, ALERTS_PARTITION if topic == topics.alerts else number % PARTITIONS, headers)
        for number, value in enumerate(GARBAGE)
        for topic, headers in (
            (topics.mentions, ()),
            (topics.mentions, ((BASELINES_HEADER, b"1"),)),
            (topics.alerts, ()),
        )
    ]
    world.publish([*_with_indigestible(before, every=max(len(before) // 12, 1))])
    world.publish(spoilt)
    world.start("only").wait_for_runs(2)
    world.publish([*spoilt, Send(topics.rejects, b"rubbish", b"\xff"), Send(topics.control, b"model/en", b"{")])
    world.publish([*_with_indigestible(after, every=max(len(after) // 12, 1))])
    hostile = [send for partition in range(PARTITIONS) for send in _hostile(topics.news, partition)]
    world.publish([*hostile, *feed.end])
    world.drain()
    kinds = Counter(key.partition(":")[0] for key in parked(world.settings, world.broker))
    assert (kinds["mentions"], kinds["alerts"]) == (2 * 2 * len(GARBAGE), 2 * len(GARBAGE))
    figures = world.judge()
    report(f"poison of each kind ({kinds['news']} of news, {2 * len(spoilt)} of other topics)", figures)
