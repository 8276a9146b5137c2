"""Parked records that are sent again: once each, at the time at which they were first seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from streams.engine.ports import Send
from streams.errors import Reject
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.feeds.fieldspec import parse_fieldmap
from streams.feeds.rejects import Unprocessed, reject_send
from streams.jobs.retry import MENTIONS_PASSED, UNREADABLE, read_rejects, retry_rejects
from streams.limits import RECORD_BYTES, record_bytes
from streams.records import News
from streams.topics import Topics
from streams.transport.broker import Broker, TopicSpec, open_broker
from tests.alerts.delivery_event import delivery_event

SEEN_MS, NOW_MS = 1_680_000_000_000, 1_800_000_000_000
TOPICS = Topics("m.", "ns")
MAP = parse_fieldmap({"title": "head", "published": "day"}, "test")
WHY = Reject("no_title", "no text at title, headline")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with open_broker(f"sqlite:///{tmp_path / 'broker.db'}") as opened:
        opened.ensure_topics(
            [TopicSpec(TOPICS.news), TopicSpec(TOPICS.alerts), TopicSpec(TOPICS.rejects, compacted=True)]
        )
        yield opened


def park(broker: Broker, position: str, raw: object, seen_ms: int | None, source: str = "news.ndjson") -> None:
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    broker.append([reject_send(TOPICS.rejects, Unprocessed(position, source, data, seen_ms=seen_ms), WHY, NOW_MS)])


def sent(broker: Broker) -> list[News]:
    """As a stage reads them after a broker that stamps records with the time of appending."""
    records = broker.scan(TOPICS.news)
    return [news_from_record(record.value or b"", NOW_MS + 1, FieldMap.default(), NOW_MS + 1) for record in records]


@pytest.mark.parametrize(
    ("position", "raw", "seen_ms"),
    [
        ("file:news.ndjson:7", {"head": "Mill closes", "source": "Post", "day": "2023-03-28T10:40:00Z"}, None),
        ("file:news.ndjson:7", {"head": "Mill closes", "source": "Post"}, SEEN_MS),
        ("news:0:7:e", {"head": "Mill closes", "source": "Post", "day": "2023-03-20T10:40:00Z"}, SEEN_MS),
        ("feed:my wire:abc", {"title": "Mill closes", "source": None, "published": None}, SEEN_MS),
    ],
)
def test_a_retried_record_keeps_the_time_at_which_it_was_first_seen(
    broker: Broker, position: str, raw: object, seen_ms: int | None
) -> None:
    park(broker, position, raw, seen_ms)
    done = retry_rejects(broker, TOPICS, read_rejects(broker, TOPICS), MAP, now_ms=NOW_MS)
    assert (done.sent, done.kept) == (1, 0)
    [item] = sent(broker)
    assert (item.title, item.seen_ms) == ("Mill closes", SEEN_MS)
    assert read_rejects(broker, TOPICS) == []


def test_what_cannot_be_read_yet_stays_with_its_reason_and_is_not_sent(broker: Broker) -> None:
    park(broker, "file:a.ndjson:1", {"head": "Undated"}, None)
    park(broker, "file:a.ndjson:2", b"{", None)
    park(broker, "file:a.ndjson:3", {"head": "Dated", "day": "2023-03-28"}, None)
    park(broker, "feed:wire:x", b"<rss>", SEEN_MS)
    done = retry_rejects(broker, TOPICS, read_rejects(broker, TOPICS), MAP, now_ms=NOW_MS)
    assert (done.sent, done.refused) == (1, {"no_date": 1, "bad_json": 2})
    assert [item.title for item in sent(broker)] == ["Dated"]
    assert {reject.id for reject in read_rejects(broker, TOPICS)} == {
        "file:a.ndjson:1", "file:a.ndjson:2", "feed:wire:x"
    }  # fmt: skip


def test_items_go_in_the_order_of_their_time_whatever_the_order_they_were_parked_in(broker: Broker) -> None:
    for number, day in enumerate(("2023-03-30", "2023-03-28", "2023-03-29")):
        park(broker, f"file:a.ndjson:{number}", {"head": day, "day": day}, None)
    retry_rejects(broker, TOPICS, read_rejects(broker, TOPICS), MAP, now_ms=NOW_MS)
    assert [item.title for item in sent(broker)] == ["2023-03-28", "2023-03-29", "2023-03-30"]


def test_a_record_of_our_own_form_and_the_file_s_name_as_source_come_back_as_they_were(broker: Broker) -> None:
    own = News(id="i", content="c", title="Ours", text="", source="wire", seen_ms=SEEN_MS)
    park(broker, "news:0:1:e", msgspec.json.encode(own), NOW_MS, source="m.ns.news")
    park(broker, "file:march.ndjson.gz:1", {"head": "No source", "day": "2023-03-28"}, None, source="march.ndjson.gz")
    retry_rejects(broker, TOPICS, read_rejects(broker, TOPICS), MAP, now_ms=NOW_MS)
    assert own in sent(broker)
    assert {item.source for item in sent(broker)} == {"wire", "march"}


def test_a_parked_alert_goes_to_its_own_topic_and_mentions_stay(broker: Broker) -> None:
    alert, source = delivery_event("a").to_json(), TOPICS.alerts
    parked = [
        Unprocessed("alerts:0:1:e", source, alert, key=b"entity/a"),
        Unprocessed("alerts:0:2:e", source, b"{}"),
        Unprocessed("mentions:0:1:e", TOPICS.mentions, b"[]"),
    ]
    broker.append([reject_send(TOPICS.rejects, one, WHY, NOW_MS) for one in parked])
    done = retry_rejects(broker, TOPICS, read_rejects(broker, TOPICS), MAP, now_ms=NOW_MS)
    assert (done.sent, done.refused) == (1, {"bad_alert": 1, MENTIONS_PASSED: 1})
    assert [(record.key, record.value) for record in broker.scan(TOPICS.alerts)] == [(b"entity/a", alert)]
    assert sent(broker) == []
    assert {reject.id for reject in read_rejects(broker, TOPICS)} == {"alerts:0:2:e", "mentions:0:1:e"}


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"raw": 5}'])
def test_what_is_no_parked_record_is_shown_hides_none_and_is_not_sent(broker: Broker, garbage: bytes) -> None:
    park(broker, "file:a.ndjson:3", {"head": "Dated", "day": "2023-03-28"}, None)
    broker.append([Send(TOPICS.rejects, b"file:a.ndjson:3", garbage), Send(TOPICS.rejects, b"\xff", garbage)])
    shown = read_rejects(broker, TOPICS)
    assert [reject.reason for reject in shown] == [WHY.reason, UNREADABLE]
    assert shown[1].raw_bytes() == garbage[:65_536]
    done = retry_rejects(broker, TOPICS, shown, MAP, now_ms=NOW_MS)
    assert done.sent == 1
    assert done.kept == 1


def test_a_parked_record_is_bounded_whatever_it_was() -> None:
    found = Unprocessed("p" * 300, "\udcff", b"y" * 10**6, key=b"k" * 10**6)
    send = reject_send("r", found, Reject("x", "\udcff" * 10**6), at_ms=1)
    assert record_bytes(send) < RECORD_BYTES / 8
