"""Records and rows as they are written, byte for byte, are read; those of a version to come are never misread.

From the first release on, the bytes below are in people's topics, changelogs and archives: a change that cannot read
them needs a new version and a way from the old one.
"""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from alerts import AlertConfig, AlertEvent, StateError
from streams.archive.memory import MemoryArchive
from streams.engine.runs import Record, Run
from streams.errors import NewerVersion, OlderVersion, Reject, TransportError
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.feeds.rejects import RejectRecord
from streams.records import VERSION, Position, Scored
from streams.stages.deliver import DeliverStage
from streams.stages.watch_partition import WatchPartition
from streams.text.profile import load_profile
from tests.engine.positions_harness import FakeState, Fuse
from tests.stages.deliver_harness import PassingJudge

NEWS_2 = (
    b'{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","content":"cccccccccccccccccccccccccccccccc","title":"Lender in talks",'
    b'"source":"wire","seen_ms":1750000000000,"text":"More.","url":"https://wire.example/1",'
    b'"published_ms":1749999990000,"language":"en","entities":["LND"],"extra":{"desk":"banks"},"schema":2}'
)
SCORED_2 = (
    b'{"news":' + NEWS_2 + b',"position":{"epoch":"e1","partition":3,"offset":41},"scored_ms":1750000000500,'
    b'"language":"en","heads":{"sentiment":{"label":"negative","probability":0.7,"probabilities":{"negative":0.7,'
    b'"neutral":0.2,"positive":0.1},"score":-0.6},"topic":{"label":"Markets","probability":0.9}},'
    b'"series":{"all":{"negative":0.7},"entity/LND":{}},'
    b'"entities":[{"id":"LND","name":"Lender plc","relevance":1.0}],"watchlists":["banks"],"story":{"id":"s1",'
    b'"duplicate_of":null,"similar":{"12h":2}},"signature":"8000000000000005","model":"m","model_version":"1.0.0",'
    b'"late":false,"schema":2}'
)
SCORED_2_PACKED = (
    b"\x8e\xa4news\x8c\xa2id\xd9 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xa7content\xd9 cccccccccccccccccccccccccccc"
    b"cccc\xa5title\xafLender in talks\xa6source\xa4wire\xa7seen_ms\xcf\x00\x00\x01\x97t \xdc\x00\xa4text\xa5"
    b"More.\xa3url\xb6https://wire.example/1\xacpublished_ms\xcf\x00\x00\x01\x97t \xb4\xf0\xa8language\xa2en"
    b"\xa8entities\x91\xa3LND\xa5extra\x81\xa4desk\xa5banks\xa6schema\x02\xa8position\x83\xa5epoch\xa2e1\xa9p"
    b"artition\x03\xa6offset)\xa9scored_ms\xcf\x00\x00\x01\x97t \xdd\xf4\xa8language\xa2en\xa5heads\x82\xa9se"
    b"ntiment\x84\xa5label\xa8negative\xabprobability\xcb?\xe6ffffff\xadprobabilities\x83\xa8negative\xcb?"
    b"\xe6ffffff\xa7neutral\xcb?\xc9\x99\x99\x99\x99\x99\x9a\xa8positive\xcb?\xb9\x99\x99\x99\x99\x99\x9a\xa5"
    b"score\xcb\xbf\xe3333333\xa5topic\x82\xa5label\xa7Markets\xabprobability\xcb?\xec\xcc\xcc\xcc\xcc\xcc"
    b"\xcd\xa6series\x82\xa3all\x81\xa8negative\xcb?\xe6ffffff\xaaentity/LND\x80\xa8entities\x91\x83\xa2id"
    b"\xa3LND\xa4name\xaaLender plc\xa9relevance\xcb?\xf0\x00\x00\x00\x00\x00\x00\xaawatchlists\x91\xa5banks"
    b"\xa5story\x83\xa2id\xa2s1\xacduplicate_of\xc0\xa7similar\x81\xa312h\x02\xa9signature\xb0800000000000000"
    b"5\xa5model\xa1m\xadmodel_version\xa51.0.0\xa4late\xc2\xa6schema\x02"
)
MENTIONS_2 = (
    b'[2,"e1",0,1,1750000000000,[[42,"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",1750000000000,78,{"negative":0.7},'
    b'["entity/LND"]]]]'
)
ALERT_3 = (
    b'{"id":"a1","revision":1,"signal":"negative","rule":"volume","series":"entity/a","kind":"entity","state":"firing",'
    b'"change":"opened","severity":"warning","onset_ms":1700000000000,"updated_ms":1700000000000,'
    b'"window":{"start_ms":1699999100000,"end_ms":1700000000000,"seconds":900},"observed":{"hits":3,"total":4},"expected":{"hits":0.1,"rate":0.4,'
    b'"interval":[0,1]},"p_value":0.00001,"level":0.001,"peak":{"at_ms":1700000000000,"seconds":900,"hits":3,'
    b'"total":4,"expected":0.1,"interval":[0,1],"p_value":0.00001},"reasons":[],"top_items":[],"detector":"volume",'
    b'"labels":{"alertname":"volume","kind":"entity"},"annotations":{},"schema":3}'
)
REJECT_2 = (
    b'{"id":"news:0:7","reason":"bad_json","detail":"no","at_ms":5,"raw":"ew==","size":1,"source":"news","schema":2}'
)
PARTITION_ROW_4 = (
    b"\x8b\xaaown_offset\x05\xa9positions\x81\xa4last\x81\xa2e1\x81\x00)\xa8progress\x81\x00\xcf\x00"
    b"\x00\x01\x97t \xb4\xf0\xaapartitions\x01\xa7tick_ms\xcf\x00\x00\x01\x97t ?\xc0\xa7streams\x80\xa7version\x04"
    b"\xa6epochs\x90\xa9promotion\x00\xa6cut_ms\x00\xabcopies_part\x00"
)
SERIES_ROW_4 = (
    b"\x95\x04\x00\xcf\x00\x00\x01\x99$\xb6o\xc0\xc2\x9c\x04\xcf\x00\x00\x01\x97t ?\xc0\xce\x00\x07j\xdf"
    b"\x00\x93\xce\x00\r"
    b"\xbb\xa0\xce\x00m\xdd\x00\xce\x05&\\\x00\x93\x81\xce\x03z\x18\x93\xcf\x00\x00\x00\x01\x00\x00\x00"
    b"\x01\x81\xce\x00Y\x02u"
    b"\xcf\x00\x00\x00\x01\x00\x00\x00\x01\x81\xce\x00\x07j\xdf\xcf\x00\x00\x00\x01\x00\x00\x00\x01\x81"
    b"\xce\x00\x07j\xdf\xcf"
    b"\x00\x00\x00\x01\x00\x00\x00\x01\x81\xce\x00\x1d\xab|\x01\x91\x94\xcf\x00\x00\x01\x97t\x1f\xf1\xa0"
    b"\xd9 99999999999999"
    b"999999999999999999L\xcb?\xe6ffffff\x9c\x00\x80\x80\x80\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xcb\x00"
    b"\x00\x00\x00\x00"
    b"\x00\x00\x00\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xcb\x00\x00\x00"
    b"\x00\x00\x00\x00"
    b"\x00\x93\x00\x00\x00\xce\x00\x07j\xc8\x90\x80\x80"
)
WAITING_ROW_2 = (
    b"\x9b\x02\x91\x05\x91)\x92\x00\xcf\x00\x00\x01\x97t \xdc\x00\xc4\x10\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
    b"\xaa\xaa\xaa\xaa\xaa\xaa\xc4\x08M\x00\x00\x00\x00\x00\x00\x00\xc4\x01\x01\x91\x01\xc4\x08ffffff\xe6?\x92"
    b"\xaaentity/LND\xa8negative\x91\x91\x00"
)
COPIES_ROW_1 = (
    b"\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00X\xe1NhD\xe1Nh\x00\x00\x00\x00\x99\x99\x99\x99\x99\x99\x99\x99"
    b"\xf5\x7fe\xfd\x1b\\a\x04\x00\x00\x00\x00"
)
SERIES = "s/negative/entity/LND"
WAITING = "w/1750000020000/0"
ROWS = [
    (SERIES, SERIES_ROW_4),
    (WAITING, WAITING_ROW_2),
    ("c/0", COPIES_ROW_1),
]
NOW_MS = 1_750_000_100_000
CONFIG = AlertConfig.of(load_profile("finance").rules)


def record(value: bytes, offset: int = 6) -> Record:
    return Record(offset, None, value, NOW_MS)


def restored(row: bytes | None = PARTITION_ROW_4) -> WatchPartition:
    return WatchPartition(CONFIG, row, ROWS)


# -- as they are written


def test_news_and_scored_say_what_they_said() -> None:
    news = news_from_record(NEWS_2, NOW_MS, FieldMap.default(), NOW_MS)
    scored = msgspec.json.decode(SCORED_2, type=Scored)
    assert scored == msgspec.msgpack.decode(SCORED_2_PACKED, type=Scored)
    assert scored.news == news
    assert (news.seen_ms, news.source, news.entities, news.extra) == (
        1_750_000_000_000,
        "wire",
        ("LND",),
        {"desk": "banks"},
    )
    assert scored.position == Position("e1", 3, 41)
    assert (scored.heads["sentiment"].label, scored.score) == ("negative", -0.6)
    assert (scored.heads["topic"].probability, scored.series) == (0.9, {"all": {"negative": 0.7}, "entity/LND": {}})
    assert (scored.signature, scored.story.similar) == ("8000000000000005", {"12h": 2})


def test_alerts_and_rejects_say_what_they_said() -> None:
    event = AlertEvent.from_json(ALERT_3)
    assert (event.id, event.state, event.observed.hits, event.peak.interval) == ("a1", "firing", 3, (0, 1))
    reject = msgspec.json.decode(REJECT_2, type=RejectRecord)
    assert (reject.reason, reject.raw_bytes()) == ("bad_json", b"{")


def test_rows_are_restored_and_counted_on() -> None:
    partition = restored()
    assert partition.apply(record(MENTIONS_2, offset=5)) == []  # applied before the row was written
    assert partition.take_rows() == {}
    copy = MENTIONS_2.replace(b"[42,", b"[43,").replace(b"bbbb", b"cccc").replace(b",78,", b",76,")
    end = b'[2,"e1",0,1,1750000095000]'
    for offset, value in enumerate((MENTIONS_2, copy, end), 6):
        partition.apply(record(value, offset))
    rows = partition.take_rows()
    assert sorted(rows) == ["c/0", SERIES]
    assert b"9" * 32 in rows[SERIES]
    assert b"a" * 32 in rows[SERIES]  # the mention that waited
    assert b"b" * 32 in rows[SERIES]
    assert b"c" * 32 not in rows[SERIES]  # of a story that was counted
    assert partition.take_spent() == [WAITING]


@pytest.mark.parametrize("value", [NEWS_2, SCORED_2, ALERT_3, REJECT_2])
def test_fields_to_come_are_read_over(value: bytes) -> None:
    types = {NEWS_2: None, SCORED_2: Scored, ALERT_3: AlertEvent, REJECT_2: RejectRecord}
    kind, more = types[value], value[:-1] + b',"mood":{"new":[1]}}'
    if kind is None:
        assert news_from_record(more, NOW_MS, FieldMap.default(), NOW_MS).title == "Lender in talks"
    else:
        assert msgspec.json.decode(more, type=kind) == msgspec.json.decode(value, type=kind)


# -- versions to come


def test_all_that_is_written_says_its_version() -> None:
    assert b'"schema":2' in NEWS_2
    assert b'"schema":3' in ALERT_3
    assert MENTIONS_2.startswith(b"[2,")
    assert VERSION == 2, "a new version needs fixtures of its own"
    assert b"\xa7version\x04" in restored().partition_row()


def test_newer_news_is_parked_with_the_way_back() -> None:
    newer = NEWS_2.replace(b'"schema":2', b'"schema":3')
    with pytest.raises(Reject, match="rejects retry") as told:
        news_from_record(newer, NOW_MS, FieldMap.default(), NOW_MS)
    assert told.value.reason == "newer_version"


def test_newer_mentions_wait_and_change_nothing() -> None:
    partition = restored()
    for newer in (MENTIONS_2.replace(b"[2,", b"[3,", 1), MENTIONS_2.replace(b"[2,", b"[3,", 1)[:-1] + b',"more"]'):
        with pytest.raises(NewerVersion, match="version 3, this moodwire reads up to 2"):
            partition.apply(record(newer))
    assert partition.take_rows() == {}
    partition.apply(record(MENTIONS_2))
    assert list(partition.take_rows()) == [WAITING]


def test_older_mentions_wait_with_the_way_to_start_afresh() -> None:
    partition = restored()
    with pytest.raises(OlderVersion, match=r"version 1, this moodwire reads 2 alone.*Start afresh"):
        partition.apply(record(MENTIONS_2.replace(b"[2,", b"[1,", 1)))
    assert partition.take_rows() == {}


def test_newer_rows_are_refused_before_anything_is_counted() -> None:
    with pytest.raises(NewerVersion, match="upgrade this worker"):
        restored(PARTITION_ROW_4.replace(b"\xa7version\x04", b"\xa7version\x05"))
    for key, row in {SERIES: b"\x95\x05" + SERIES_ROW_4[2:], WAITING: b"\x9b\x03" + WAITING_ROW_2[2:]}.items():
        with pytest.raises(NewerVersion, match="upgrade this worker"):
            WatchPartition(CONFIG, PARTITION_ROW_4, [(key, row)])
    with pytest.raises(StateError, match="version 2"):
        WatchPartition(CONFIG, PARTITION_ROW_4, [("c/0", b"\x02" + COPIES_ROW_1[1:])])
    state = SERIES_ROW_4.replace(b"\x9c\x04", b"\x9c\x05")
    partition = WatchPartition(CONFIG, PARTITION_ROW_4, [(SERIES, state), (WAITING, WAITING_ROW_2)])
    with pytest.raises(StateError, match="version 5"):
        partition.apply(record(b'[2,"e1",0,1,1750000095000]'))


def test_rows_of_before_the_first_release_are_refused_with_the_way_out() -> None:
    with pytest.raises(OlderVersion, match="Start afresh"):
        restored(PARTITION_ROW_4.replace(b"\xa7version\x04", b"\xa7version\x03"))
    for key, row in {SERIES: b"\x95\x03" + SERIES_ROW_4[2:], WAITING: b"\x9b\x01" + WAITING_ROW_2[2:]}.items():
        with pytest.raises(OlderVersion, match="Start afresh"):
            WatchPartition(CONFIG, PARTITION_ROW_4, [(key, row)])


async def test_a_newer_alert_waits_for_the_upgrade() -> None:
    newer = ALERT_3.replace(b'"schema":3', b'"schema":4')
    stage = DeliverStage(MemoryArchive(), (), FakeState(Fuse()), partial(PassingJudge, ()))
    with pytest.raises(NewerVersion, match=r"alerts\[0\]"):
        await stage.handle(Run("alerts", 0, 1, "e", [record(ALERT_3, 0), record(newer, 1)], 2))


async def test_an_older_alert_waits_with_the_way_to_start_afresh() -> None:
    older = ALERT_3.replace(b'"schema":3', b'"schema":2')
    stage = DeliverStage(MemoryArchive(), (), FakeState(Fuse()), partial(PassingJudge, ()))
    with pytest.raises(OlderVersion, match="Start afresh"):
        await stage.handle(Run("alerts", 0, 1, "e", [record(older, 0)], 1))


def test_a_newer_version_is_a_failure_that_waits() -> None:
    assert issubclass(NewerVersion, TransportError)  # a lane tries the run again until it succeeds
