"""Any bytes as value, time and headers of a record of `news`: a `Reject`, or an item that every later step takes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import NullClassifier
from streams.archive.elastic.documents import item_document
from streams.archive.protocol import Outcome
from streams.archive.schema import _prepare
from streams.archive.writer import ItemWriter
from streams.engine.runs import Record, Run
from streams.engine.ticks import ClockLimit
from streams.feeds.extra import bounded_extra, is_bounded
from streams.feeds.fieldmap import FieldMap, news_from_record, to_news
from streams.limits import RECORD_BYTES, record_bytes
from streams.records import News, Scored
from streams.stages.classify import classify_items
from streams.stages.drafts import RecordReader
from streams.stages.mentions import mention_sends
from streams.stages.reader import TextReader
from streams.stages.scored_records import scored_of, scored_send
from streams.text.profile import load_profile
from streams.text.stories import StoryIndex
from streams.topics import BASELINES_HEADER, END_HEADER, PROMOTION_HEADER

NOW_MS = 1_750_000_000_000
PROFILE = load_profile("finance")
READER = TextReader(PROFILE, {}, ())
CLASSIFIER = NullClassifier({"sentiment": ("negative", "neutral", "positive"), "topic": ("Earnings", "Markets")})
OWN: dict[str, Any] = {
    "id": "a" * 32, "content": "b" * 32, "title": "Acme plunges after fraud", "source": "wire", "seen_ms": NOW_MS - 5,
    "schema": 2,
}  # fmt: skip

AWKWARD = st.sampled_from(
    [
        "",
        "\0",
        "a\0b",
        "\ud800",
        "x\udfff",
        "\u202e",
        "İıß" * 100,
        "-" * 3_000,
        "🙂" * 300,
        "soon",
        "http://[::1",
        "😀\ud83d",
    ]
)  # fmt: skip
NUMBERS = st.sampled_from([0, -1, 2**53, 2**63, 2**64, 10**30, -(10**30), 1.5, 1e308, NOW_MS, NOW_MS * 1000])
SCALARS = st.one_of(AWKWARD, st.text(max_size=20), NUMBERS, st.none(), st.booleans())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | AWKWARD, inner, max_size=4),
)
FIELDS = [*News.__struct_fields__, "headline", "body", "url", "link", "published", "date", "tickers", "lang", "x"]
FOREIGN = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8)
ALMOST_OWN = st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=3).map(lambda some: OWN | some)
RECORDS = st.one_of(
    st.binary(max_size=60),
    st.one_of(FOREIGN, ALMOST_OWN).map(lambda record: json.dumps(record).encode()),
    ALMOST_OWN.map(lambda record: json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([END_HEADER, PROMOTION_HEADER, BASELINES_HEADER, "traceparent", ""]) | st.text(max_size=8),
        st.sampled_from([b"soon", b"-1", b"9" * 5_000, b"", b"1e9", "²".encode()]) | st.binary(max_size=20),
    ),
    max_size=3,
).map(tuple)
TIMES = st.sampled_from([-1, 0, 1, NOW_MS, NOW_MS + 10**9, 2**62]) | st.integers(-(2**62), 2**62)


def scored_items(
    value: bytes | None, timestamp_ms: int, headers: tuple[tuple[str, bytes], ...] = (), *, live: bool = True
) -> list[Scored]:
    """Through the steps of `score` up to the archive."""
    limit = ClockLimit(60_000, lambda: NOW_MS) if live else None
    reader = RecordReader(READER, FieldMap.default(), "rejects", lambda: NOW_MS, limit)
    records = [Record(7, None, value, timestamp_ms, headers)]
    run = Run("news", 0, 1, "e", records, 8)
    reader.first_seen_ms(run)
    draft = reader.draft(run, records, StoryIndex(100, PROFILE.opposites))
    assert len(draft.read) + len(draft.rejects) <= 1
    assert all(record_bytes(send) <= RECORD_BYTES for send in draft.rejects)
    verdicts = classify_items(PROFILE, {"en": CLASSIFIER}, [read.item for read in draft.read])
    return [scored_of(read, verdict, NOW_MS, 1) for read, verdict in zip(draft.read, verdicts, strict=True)]


def check_every_later_step(item: Scored) -> None:
    """Both archives' forms, the public record and the mentions; each may be read again."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _prepare(db, Path("memory"), read_only=False)
        assert ItemWriter(db).write([item]) == [Outcome.ADDED]
    item_document(item, is_item=True).decode()
    public = msgspec.json.encode(item)
    assert msgspec.json.decode(public, type=Scored).news.id == item.news.id
    send = scored_send("scored", item)
    assert send.headers == ()
    assert record_bytes(send) <= RECORD_BYTES
    for number in _numbers(json.loads(public)):
        assert -(2**53) < number < 2**53
    for send in mention_sends("m", 3, epoch="e", partition=0, partitions=1, progress_ms=1, items=[item]):
        assert record_bytes(send) <= RECORD_BYTES
    again = msgspec.json.encode(item.news)
    news_from_record(again, -1, FieldMap.default(), NOW_MS)


def _numbers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in _numbers(one)]
    if isinstance(value, list):
        return [number for one in value for number in _numbers(one)]
    return [value] if isinstance(value, int) else []


@settings(max_examples=200, deadline=None)
@given(RECORDS, TIMES, HEADERS, st.booleans())
def test_any_record_is_a_reject_or_an_item_that_every_later_step_takes(
    value: bytes, timestamp_ms: int, headers: tuple[tuple[str, bytes], ...], live: bool
) -> None:
    for item in scored_items(value, timestamp_ms, headers, live=live):
        check_every_later_step(item)


@pytest.mark.parametrize(
    "changed",
    [
        {"published_ms": 10**30},
        {"published_ms": -(10**18)},
        {"published_ms": 2**63},
        {"extra": {"a": 10**30}},
        {"extra": {"a": [{"b": 2**53}]}},
        {"extra": {str(number): number for number in range(100_000)}},
        {"extra": {"a" * 100_000: 1}},
        {"id": "a\0b"},
        {"source": "a\0b"},
        {"url": "javascript:alert(1)"},
        {"url": "http://" + "a" * 1_000_000},
        {"language": "x" * 1_000_000},
        {"entities": [f"E{number}" for number in range(100_000)]},
        {"entities": ["E" * 1_000_000]},
        {"entities": ["a\0"]},
        {"schema": -1},
    ],
)
def test_what_looks_like_ours_keeps_what_ours_promise_or_is_mapped_like_any_other(changed: dict[str, Any]) -> None:
    for item in scored_items(json.dumps(OWN | changed).encode(), NOW_MS - 1):
        check_every_later_step(item)
        news = item.news
        assert news.id != OWN["id"], "taken for ours"
        assert "\0" not in news.id + news.source
        assert len(news.url) + len(news.language or "") + len(msgspec.json.encode(news.extra)) < 80_000
        assert len(news.entities) <= 64


def test_nesting_without_end_is_no_recursion() -> None:
    value = json.dumps(OWN | {"extra": {"a": None}}).encode().replace(b"null", b'{"a":' * 900 + b"1" + b"}" * 900)
    for item in scored_items(value, NOW_MS):
        check_every_later_step(item)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=5) | AWKWARD, VALUES, max_size=6))
def test_extra_fields_are_found_bounded_where_bounding_leaves_them_alone(extra: dict[str, Any]) -> None:
    if is_bounded(extra):
        assert bounded_extra(extra, set(), None) == extra
    assert is_bounded(bounded_extra(extra, set(), None))


def test_names_and_links_hold_no_control_and_no_bidi_characters() -> None:
    raw = {"title": "a", "source": "w\x1b[2J\u202eire\n", "url": "https://x.example/\x85\x1b\u202ey",
           "language": "e\x1bn"}  # fmt: skip
    news = to_news(raw, FieldMap.default(), seen_ms=1, now_ms=1)
    assert (news.source, news.language) == ("w [2Jire", "e n")
    assert news.url == "https://x.example/%C2%85%1B%E2%80%AEy"
    ours = msgspec.json.encode(msgspec.structs.replace(news, source="w\u202eire", url="https://x.example/\x1bz"))
    read = news_from_record(ours, 1, FieldMap.default(), 1)
    assert (read.source, read.url) == ("wire", "https://x.example/%1Bz")
