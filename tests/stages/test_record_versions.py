"""Records and rows as version 1 wrote them, byte for byte, are read; those of a version to come are never misread.

The bytes below are what stands in people's topics, changelogs and archives. A change that cannot read them
needs a new version and a way from the old one; a test here is never "updated".
"""

from __future__ import annotations

import msgspec
import pytest

from alerts import AlertConfig, AlertEvent, StateError
from streams.archive.memory import MemoryArchive
from streams.engine.runs import Record, Run
from streams.errors import NewerVersion, Reject, TransportError
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.feeds.rejects import RejectRecord
from streams.records import VERSION, Position, Scored
from streams.stages.deliver import DeliverStage
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import load_profile
from tests.engine.positions_harness import FakeState, Fuse

NEWS_1 = (
    b'{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","content":"cccccccccccccccccccccccccccccccc","title":"Lender in talks",'
    b'"source":"wire","seen_ms":1750000000000,"text":"More.","url":"https://wire.example/1",'
    b'"published_ms":1749999990000,"language":"en","entities":["LND"],"extra":{"desk":"banks"},"version":1}'
)
SCORED_1 = (
    b'{"news":' + NEWS_1 + b',"position":["e1",3,41],"scored_ms":1750000000500,"language":"en","sentiment":{"label":'
    b'"negative","negative":0.7,"neutral":0.2,"positive":0.1,"score":-0.6},"topic":{"label":"Markets","probability":0.9},'
    b'"entities":[{"id":"LND","name":"Lender plc","relevance":1.0}],"watchlists":["banks"],"story":{"id":"s1",'
    b'"duplicate_of":null,"similar":{"12h":2}},"signature":9223372036854775813,"model":"m","model_version":"1.0.0",'
    b'"late":false,"version":1}'
)
SCORED_1_PACKED = (
    b"\x8e\xa4news\x8c\xa2id\xd9 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xa7content\xd9 cccccccccccccccccccccccccccccccc"
    b"\xa5title\xafLender in talks\xa6source\xa4wire\xa7seen_ms\xcf\x00\x00\x01\x97t \xdc\x00\xa4text\xa5More.\xa3url"
    b"\xb6https://wire.example/1\xacpublished_ms\xcf\x00\x00\x01\x97t \xb4\xf0\xa8language\xa2en\xa8entities\x91\xa3LND"
    b"\xa5extra\x81\xa4desk\xa5banks\xa7version\x01\xa8position\x93\xa2e1\x03)\xa9scored_ms\xcf\x00\x00\x01\x97t \xdd"
    b"\xf4\xa8language\xa2en\xa9sentiment\x85\xa5label\xa8negative\xa8negative\xcb?\xe6ffffff\xa7neutral\xcb?\xc9\x99"
    b"\x99\x99\x99\x99\x9a\xa8positive\xcb?\xb9\x99\x99\x99\x99\x99\x9a\xa5score\xcb\xbf\xe3333333\xa5topic\x82"
    b"\xa5label\xa7Markets\xabprobability\xcb?\xec\xcc\xcc\xcc\xcc\xcc\xcd\xa8entities\x91\x83\xa2id\xa3LND\xa4name"
    b"\xaaLender plc\xa9relevance\xcb?\xf0\x00\x00\x00\x00\x00\x00\xaawatchlists\x91\xa5banks\xa5story\x83\xa2id\xa2s1"
    b"\xacduplicate_of\xc0\xa7similar\x81\xa312h\x02\xa9signature\xcf\x80\x00\x00\x00\x00\x00\x00\x05\xa5model\xa1m"
    b"\xadmodel_version\xa51.0.0\xa4late\xc2\xa7version\x01"
)
MENTIONS_1 = (
    b'[1,"e1",0,1,1750000000000,[[42,"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",1750000000000,78,1,0.7,["entity/LND"]]]]'
)
ALERT_1 = (
    b'{"id":"a1","version":1,"rule":"volume","series":"entity/a","kind":"entity","state":"firing","change":"opened",'
    b'"severity":"warning","onset_ms":1700000000000,"updated_ms":1700000000000,"window":{"start_ms":1699999100000,'
    b'"end_ms":1700000000000,"seconds":900},"observed":{"negative":3,"total":4},"expected":{"negative":0.1,"rate":0.4,'
    b'"interval":[0,1]},"p_value":0.00001,"level":0.001,"peak":{"at_ms":1700000000000,"seconds":900,"negative":3,'
    b'"total":4,"expected":0.1,"interval":[0,1],"p_value":0.00001},"reasons":[],"top_items":[],"schema":1}'
)
REJECT_1 = (
    b'{"position":"news:0:7","reason":"bad_json","detail":"no","at_ms":5,"raw":"ew==","size":1,"source":"news",'
    b'"version":1}'
)
PARTITION_ROW_1 = (  # before it said its version: none means 1
    b"\x86\xaaown_offset\x05\xa9positions\x82\xa6epochs\x91\xa2e1\xa4last\x81\x00\x92\x00)\xa8progress\x81\x00\xcf\x00"
    b"\x00\x01\x97t \xdc\x00\xaapartitions\x01\xa7tick_ms\xcf\x00\x00\x01\x97t \xb4\xf0\xa6stream\xc4\x00"
)
PARTITION_ROW_1_TOLD = (
    b"\x87\xaaown_offset\x05\xa9positions\x82\xa6epochs\x91\xa2e1\xa4last\x81\x00\x92\x00)\xa8progress\x81\x00\xcf\x00"
    b"\x00\x01\x97t \xdc\x00\xaapartitions\x01\xa7tick_ms\xcf\x00\x00\x01\x97t \xb4\xf0\xa6stream\xc4\x00\xa7"
    b"version\x01"
)
SERIES_ROW_1 = (
    b"\x92\x05\xc4|\x9d\x01\x00\x00\x00\x91\x95\xcf\x00\x00\x01\x97t \xdc\x00\xd9 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaM\x01"
    b"\xcb?\xe6ffffff\x90\x90\x80\x80\x80\x90\x9c\x00\x80\x80\x80\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xcb\x00\x00\x00"
    b"\x00\x00\x00\x00\x00\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xcb\x00\x00\x00\x00"
    b"\x00\x00\x00\x00\x93\x00\x00\x00\x00\x90\x80"
)
NOW_MS = 1_750_000_100_000
CONFIG = AlertConfig.from_mapping(load_profile("finance").alerts, name="finance")


def record(value: bytes, offset: int = 6) -> Record:
    return Record(offset, None, value, NOW_MS)


def restored(row: bytes | None = PARTITION_ROW_1) -> WatchPartition:
    return WatchPartition(CONFIG, row, [("entity/LND", SERIES_ROW_1)])


# -- version 1


def test_news_and_scored_say_what_they_said() -> None:
    news = news_from_record(NEWS_1, NOW_MS, FieldMap.default(), NOW_MS)
    scored = msgspec.json.decode(SCORED_1, type=Scored)
    assert scored == msgspec.msgpack.decode(SCORED_1_PACKED, type=Scored)
    assert scored.news == news
    assert (news.seen_ms, news.source, news.entities, news.extra) == (
        1_750_000_000_000,
        "wire",
        ("LND",),
        {"desk": "banks"},
    )
    assert scored.position == Position("e1", 3, 41)
    assert scored.sentiment is not None
    assert scored.sentiment.label == "negative"
    assert (scored.signature, scored.story.similar) == (2**63 + 5, {"12h": 2})


def test_alerts_and_rejects_say_what_they_said() -> None:
    event = AlertEvent.from_json(ALERT_1)
    assert (event.id, event.state, event.observed.negative, event.peak.interval) == ("a1", "firing", 3, (0, 1))
    reject = msgspec.json.decode(REJECT_1, type=RejectRecord)
    assert (reject.reason, reject.raw_bytes()) == ("bad_json", b"{")


@pytest.mark.parametrize("row", [PARTITION_ROW_1, PARTITION_ROW_1_TOLD])
def test_rows_are_restored_and_counted_on(row: bytes) -> None:
    partition = restored(row)
    assert partition.apply(record(MENTIONS_1, offset=5)) == []  # applied before the row was written
    assert partition.take_rows() == {}
    partition.apply(record(MENTIONS_1))
    (name,) = rows = partition.take_rows()
    assert name == "s/entity/LND"
    assert b"a" * 32 in rows[name]  # the mention that waited in the row of version 1
    assert b"b" * 32 in rows[name]


@pytest.mark.parametrize("value", [NEWS_1, SCORED_1, ALERT_1, REJECT_1])
def test_fields_to_come_are_read_over(value: bytes) -> None:
    types = {NEWS_1: None, SCORED_1: Scored, ALERT_1: AlertEvent, REJECT_1: RejectRecord}
    kind, more = types[value], value[:-1] + b',"mood":{"new":[1]}}'
    if kind is None:
        assert news_from_record(more, NOW_MS, FieldMap.default(), NOW_MS).title == "Lender in talks"
    else:
        assert msgspec.json.decode(more, type=kind) == msgspec.json.decode(value, type=kind)


# -- versions to come


def test_all_that_is_written_says_its_version() -> None:
    assert b'"version":1' in NEWS_1
    assert b'"schema":1' in ALERT_1
    assert MENTIONS_1.startswith(b"[1,")
    assert VERSION == 1, "a new version needs fixtures of its own beside those of 1"
    assert b"\xa7version\x01" in restored().partition_row()


def test_newer_news_is_parked_with_the_way_back() -> None:
    newer = NEWS_1.replace(b'"version":1', b'"version":2')
    with pytest.raises(Reject, match="rejects retry") as told:
        news_from_record(newer, NOW_MS, FieldMap.default(), NOW_MS)
    assert told.value.reason == "newer_version"


def test_newer_mentions_wait_and_change_nothing() -> None:
    partition = restored()
    for newer in (MENTIONS_1.replace(b"[1,", b"[2,", 1), MENTIONS_1.replace(b"[1,", b"[2,", 1)[:-1] + b',"more"]'):
        with pytest.raises(NewerVersion, match="version 2, this moodwire reads up to 1"):
            partition.apply(record(newer))
    assert partition.take_rows() == {}
    partition.apply(record(MENTIONS_1))
    assert list(partition.take_rows()) == ["s/entity/LND"]


def test_newer_rows_are_refused_before_anything_is_counted() -> None:
    with pytest.raises(NewerVersion, match="upgrade this worker"):
        restored(PARTITION_ROW_1_TOLD.replace(b"\xa7version\x01", b"\xa7version\x02"))
    newer = SERIES_ROW_1.replace(b"\x9d\x01", b"\x9d\x02")
    with pytest.raises(StateError, match="version 2"):
        WatchPartition(CONFIG, PARTITION_ROW_1, [("entity/LND", newer)])


async def test_a_newer_alert_waits_for_the_upgrade() -> None:
    newer = ALERT_1.replace(b'"schema":1', b'"schema":2')
    stage = DeliverStage(MemoryArchive(), (), FakeState(Fuse()))
    with pytest.raises(NewerVersion, match=r"alerts\[0\]"):
        await stage.handle(Run("alerts", 0, 1, "e", [record(ALERT_1, 0), record(newer, 1)], 2))


def test_a_newer_version_is_a_failure_that_waits() -> None:
    assert issubclass(NewerVersion, TransportError)  # a lane tries the run again until it succeeds
