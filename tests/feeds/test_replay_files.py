"""Replays of real files into a real embedded broker."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.engine.runs import Record
from streams.errors import ReplayRefused, SettingsError, TransportError
from streams.feeds import fieldmap
from streams.feeds.fieldmap import load_fieldmap, news_from_record
from streams.feeds.fieldspec import FieldMap
from streams.feeds.lines import FileDamaged
from streams.feeds.publisher import BrokerPublisher
from streams.feeds.rejects import RejectRecord
from streams.feeds.replay import Replay, ReplayOptions, ReplayProgress
from streams.records import News
from streams.sample import lines as sample_lines
from streams.sample.blemishes import UNDATED
from streams.topics import END_HEADER
from streams.transport.sqlite.client import EmbeddedBroker
from streams.transport.sqlite.store import Store

START_MS = 1_680_000_000_000
MINUTE_MS, DAY_MS = 60_000, 86_400_000
NOW_MS = 1_800_000_000_000
PARTITIONS = 3
NEWS, REJECTS = "ns.news", "ns.rejects"


class Namespace:
    """An embedded broker with the topics of one namespace, and what stands on them."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.store.create_topic(NEWS, PARTITIONS)
        self.store.create_topic(REJECTS, 1, compacted=True)
        self.publisher = BrokerPublisher(EmbeddedBroker.of(self.store))

    def replay(self, path: Path, **options: Any) -> ReplayProgress:
        return self.playing(path, **options).run(self.publisher, now_ms=NOW_MS)

    def playing(self, path: Path, **options: Any) -> Replay:
        return Replay(path, news_topic=NEWS, rejects_topic=REJECTS, options=ReplayOptions(**options))

    def records(self, topic: str = NEWS) -> list[Record]:
        return [
            record
            for partition in range(self.store.topics()[topic].partitions)
            for record in self.store.read(topic, partition, 0, 100_000, max_bytes=1 << 30)
        ]

    def news(self) -> list[News]:
        found = [
            news_from_record(record.value, record.timestamp_ms, FieldMap.default(), NOW_MS)
            for record in self.records()
            if record.value is not None
        ]
        return sorted(found, key=lambda news: (news.seen_ms, news.id))

    def ends(self) -> list[int]:
        return [int(dict(record.headers)[END_HEADER]) for record in self.records() if record.value is None]

    def rejects(self) -> dict[str, RejectRecord]:
        records = [msgspec.json.decode(r.value, type=RejectRecord) for r in self.records(REJECTS) if r.value]
        return {record.id: record for record in records}


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    made = Namespace(tmp_path / "broker.db")
    yield made
    made.publisher.close()


def item(n: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": n,
        "title": f"Mill number {n} opens",
        "source": "Post",
        "published": START_MS + n * MINUTE_MS,
    } | fields


def write(path: Path, *rows: dict[str, Any] | bytes) -> Path:
    encoded = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(encoded) + b"\n")
    return path


def test_a_file_is_played_to_its_end(namespace: Namespace, tmp_path: Path) -> None:
    path = write(tmp_path / "news.ndjson", *(item(n) for n in range(1_234)))
    heard: list[ReplayProgress] = []
    replay = namespace.playing(path, lateness_ms=7_000, hop_ms=30_000)
    done = replay.run(namespace.publisher, heard.append, threading.Event(), now_ms=NOW_MS)
    news = namespace.news()
    last_ms = START_MS + 1_233 * MINUTE_MS
    assert (
        [n.seen_ms for n in news] == [n.published_ms for n in news] == [START_MS + n * MINUTE_MS for n in range(1_234)]
    )
    assert all(
        r.timestamp_ms == msgspec.json.decode(r.value, type=News).seen_ms for r in namespace.records() if r.value
    )
    assert namespace.ends() == [last_ms + 37_000] * PARTITIONS
    assert (done.published, done.rejected, done.complete, done.lines) == (1_234, 0, True, 1_234)
    assert done.last_seen_ms == last_ms
    assert [progress.published for progress in heard] == [500, 1_000, 1_234, 1_234]
    assert heard[-1].bytes_read == heard[-1].bytes_total == path.stat().st_size


def test_the_same_file_again_under_another_name_publishes_nothing(namespace: Namespace, tmp_path: Path) -> None:
    path = write(tmp_path / "news.ndjson", *(item(n) for n in range(50)), b"{")
    first = namespace.replay(path)
    before = len(namespace.records()) + len(namespace.records(REJECTS))
    again = namespace.replay(path.rename(tmp_path / "other.ndjson"))
    assert again.already_complete
    assert (again.published, again.rejected, again.last_seen_ms) == (50, 1, first.last_seen_ms)
    assert len(namespace.records()) + len(namespace.records(REJECTS)) == before


def test_broken_lines_are_parked_with_their_line_and_cost_no_neighbour(namespace: Namespace, tmp_path: Path) -> None:
    huge = json.dumps(item(9, text="y" * 10_000_000)).encode()
    too_long = json.dumps(item(10, text="y" * 17_000_000)).encode()
    path = write(
        tmp_path / "bad.ndjson",
        item(1),
        b'{"title": "torn',
        b"",
        b"   ",
        {"source": "Post", "published": START_MS},
        b"\x00\xff\xfe",
        b"[" * 50_000,
        item(2),
        huge,
        too_long,
        item(3, title="ok \ud800\x00"),
        b"\xef\xbb\xbf" + json.dumps(item(4)).encode(),
        json.dumps(item(5)).encode() + b"\r",
        b'{"id": 6, "title": "invalid \xff utf-8", "source": "Post", "published": 1680000300}',
    )
    done = namespace.replay(path)
    rejects = namespace.rejects()
    assert {position: reject.reason for position, reject in rejects.items()} == {
        "file:bad.ndjson:2": "bad_json",
        "file:bad.ndjson:5": "no_title",
        "file:bad.ndjson:6": "bad_json",
        "file:bad.ndjson:7": "bad_json",
        "file:bad.ndjson:10": "too_long",
    }
    assert rejects["file:bad.ndjson:2"].raw_bytes() == b'{"title": "torn'
    assert rejects["file:bad.ndjson:10"].size == len(too_long) + 1
    assert len(rejects["file:bad.ndjson:10"].raw_bytes()) == 65_536
    assert (done.published, done.rejected, done.lines) == (7, 5, 14)
    assert len(namespace.news()) == 7


def test_one_nonsense_date_moves_neither_the_clock_nor_the_end(namespace: Namespace, tmp_path: Path) -> None:
    rows = [item(n) for n in range(100)]
    rows[50]["published"] = "2093-01-01T00:00:00Z"
    rows[60]["published"] = "2019-01-01T00:00:00Z"
    rows[70]["published"] = "soon"
    done = namespace.replay(write(tmp_path / "dates.ndjson", *rows))
    assert done.moved == 2
    assert {position: reject.reason for position, reject in namespace.rejects().items()} == {
        "file:dates.ndjson:71": "no_date"
    }
    assert namespace.ends() == [START_MS + 99 * MINUTE_MS + 35_000] * PARTITIONS
    odd = [news for news in namespace.news() if news.published_ms != news.seen_ms]
    assert sorted(news.published_ms or 0 for news in odd) == [1_546_300_800_000, 3_881_606_400_000]
    assert all(START_MS <= news.seen_ms <= START_MS + 99 * MINUTE_MS for news in odd)


def test_a_shuffled_file_gives_every_item_the_same_seen(tmp_path: Path) -> None:
    rows = [item(n) for n in range(300)]
    shuffled = sorted(rows, key=lambda row: row["published"] + random.Random(row["id"]).randint(0, 15 * MINUTE_MS))
    found = []
    for name, order in (("sorted", rows), ("shuffled", shuffled)):
        namespace = Namespace(tmp_path / name / "broker.db")
        done = namespace.replay(write(tmp_path / f"{name}.ndjson", *order), lateness_ms=5_000)
        found.append([(news.id, news.content, news.seen_ms) for news in namespace.news()])
        assert (done.disordered > 50) == (name == "shuffled")
        namespace.publisher.close()
    assert found[0] == found[1]


# -- stopping and going on


class Crash(Exception):
    pass


class Crashing(BrokerPublisher):
    """Dies at the nth call, before or after the transaction."""

    def __init__(self, store: Store, calls: int, *, after: bool) -> None:
        super().__init__(EmbeddedBroker.of(store))
        self._left, self._after = calls, after

    def publish(self, sends: Any, progress: Any = None) -> None:
        self._left -= 1
        if self._left > 0 or self._after:
            super().publish(sends, progress)
        if self._left <= 0:
            raise Crash


@pytest.mark.parametrize("after", [False, True])
def test_killed_and_started_again_it_goes_on_at_its_line(namespace: Namespace, tmp_path: Path, after: bool) -> None:
    path = write(tmp_path / "news.ndjson", *(b"{" if n % 41 == 7 else item(n) for n in range(1_000)))
    replay = namespace.playing(path, batch_lines=90)
    for _ in range(4):
        with pytest.raises(Crash):
            replay.run(Crashing(namespace.store, 3, after=after), now_ms=NOW_MS)
    done = replay.run(namespace.publisher, now_ms=NOW_MS)
    news = namespace.news()
    assert len(news) == len({n.id for n in news}) == done.published == 975
    assert len(namespace.rejects()) == done.rejected == 25
    assert namespace.ends() == [START_MS + 999 * MINUTE_MS + 35_000] * PARTITIONS


def test_told_to_stop_it_stops_between_batches_and_goes_on_later(namespace: Namespace, tmp_path: Path) -> None:
    path = write(tmp_path / "news.ndjson", *(item(n) for n in range(1_000)))
    stop = threading.Event()
    replay = namespace.playing(path, batch_lines=100)

    def on_progress(progress: ReplayProgress) -> None:
        if progress.published >= 300:
            stop.set()

    stopped = replay.run(namespace.publisher, on_progress, stop, now_ms=NOW_MS)
    assert (stopped.published, stopped.complete) == (300, False)
    assert namespace.ends() == []
    done = replay.run(namespace.publisher, now_ms=NOW_MS)
    assert (done.published, done.skipped, done.complete) == (1_000, 300, True)
    assert len(namespace.news()) == 1_000


def test_a_second_file_is_appended_only_after_what_was_counted(namespace: Namespace, tmp_path: Path) -> None:
    march = write(tmp_path / "march.ndjson", *(item(n) for n in range(100, 200)))
    april = write(tmp_path / "april.ndjson", *(item(n) for n in range(200, 300)))
    older = write(tmp_path / "older.ndjson", *(item(n) for n in range(100)))
    namespace.replay(march)
    count = len(namespace.records())
    with pytest.raises(ReplayRefused) as caught:
        namespace.replay(older)
    assert "2023-03-28T10:40:00" in str(caught.value)
    assert "2023-03-28T13:59:00" in str(caught.value)
    assert len(namespace.records()) == count
    assert namespace.replay(april).published == 100


def test_an_unfinished_file_is_refused_when_another_went_on(namespace: Namespace, tmp_path: Path) -> None:
    first = write(tmp_path / "first.ndjson", *(item(n) for n in range(100)))
    later = write(tmp_path / "later.ndjson", *(item(n) for n in range(500, 600)))
    with pytest.raises(Crash):
        namespace.playing(first, batch_lines=40).run(Crashing(namespace.store, 2, after=True), now_ms=NOW_MS)
    namespace.replay(later)
    with pytest.raises(ReplayRefused, match="stopped at"):
        namespace.replay(first)


def test_a_topic_that_is_not_there_is_named(namespace: Namespace, tmp_path: Path) -> None:
    path = write(tmp_path / "news.ndjson", item(1))
    with pytest.raises(TransportError, match="other"):
        Replay(path, news_topic="other", rejects_topic=REJECTS).run(namespace.publisher)


def test_a_file_that_has_grown_is_refused_with_what_happened_and_what_to_do(
    namespace: Namespace, tmp_path: Path
) -> None:
    rows = [item(n) for n in range(30)]
    namespace.replay(write(tmp_path / "news.ndjson", *rows[:10]))
    (tmp_path / "elsewhere").mkdir()
    grown = write(tmp_path / "news.ndjson", *rows)
    other = write(tmp_path / "elsewhere" / "news.ndjson", item(5, title="Another title"))
    for file in (grown, other):
        with pytest.raises(
            ReplayRefused, match=r"a file news\.ndjson with other content was played.*grown.*--into NAME"
        ):
            namespace.replay(file)
    with pytest.raises(ReplayRefused, match=r"mine\.ndjson starts at .*--into NAME"):
        namespace.replay(other.rename(tmp_path / "mine.ndjson"))
    assert len(namespace.news()) == 10
    assert namespace.replay(write(tmp_path / "news.ndjson", *rows[10:])).published == 20


# -- forms of input


def test_gzip_is_known_by_its_content(namespace: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "news.ndjson"
    path.write_bytes(gzip.compress(write(tmp_path / "plain", *(item(n) for n in range(40))).read_bytes()))
    assert namespace.replay(path).published == 40


@pytest.mark.parametrize("behind", [b"x", b"\x1f", b"garbage" * 40_000, b"\0\0\0junk", b"\0" * 200_000])
def test_bytes_behind_a_whole_gzip_are_left_out(namespace: Namespace, tmp_path: Path, behind: bytes) -> None:
    plain = write(tmp_path / "plain", *(item(n) for n in range(200))).read_bytes().rstrip(b"\n")
    path = tmp_path / "news.ndjson.gz"
    path.write_bytes(gzip.compress(plain[:9_000]) + gzip.compress(plain[9_000:]) + behind)
    done = namespace.replay(path)
    assert (done.published, done.complete, done.trailing) == (200, True, bool(behind.strip(b"\0")))


@pytest.mark.parametrize("cut", [30, 200])
def test_a_torn_gzip_gives_what_was_readable_and_then_a_clear_error(
    namespace: Namespace, tmp_path: Path, cut: int
) -> None:
    rng = random.Random(1)
    rows = [item(n, text=rng.randbytes(40).hex()) for n in range(500)]
    path = tmp_path / "torn.ndjson.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "plain", *rows).read_bytes())[:-cut])
    with pytest.raises(FileDamaged, match=r"torn\.ndjson\.gz breaks off after line 4\d\d"):
        namespace.replay(path)
    assert 400 < len(namespace.news()) < 500
    assert namespace.ends() == []


def test_garbage_within_a_gzip_is_a_clear_error(namespace: Namespace, tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(write(tmp_path / "plain", *(item(n) for n in range(50))).read_bytes()))
    whole[len(whole) // 2] ^= 0xFF
    path = tmp_path / "bad.gz"
    path.write_bytes(whole)
    with pytest.raises(FileDamaged, match=r"bad\.gz"):
        namespace.replay(path)


def test_csv_with_quotes_newlines_and_a_map(namespace: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_bytes(
        b"\xef\xbb\xbfno;head;body;ts\r\n"
        b'1;"Mill ""A"" opens";"two\r\nlines; one cell";28/03/2023 10:40\r\n'
        b"\r\n"
        b"2;Plain;;28/03/2023 10:41\r\n"
    )
    fields = tmp_path / "map.yaml"
    fields.write_text('id: "no"\ntitle: head\npublished: {field: ts, format: "%d/%m/%Y %H:%M"}\n')
    done = namespace.replay(path, fieldmap=load_fieldmap(fields))
    first, second = namespace.news()
    assert (first.title, first.text) == ('Mill "A" opens', "two\nlines; one cell")
    assert (second.title, second.text, second.source) == ("Plain", "", "news")
    assert first.seen_ms == START_MS
    assert done.published == 2


def test_a_broken_csv_row_costs_that_row_alone(namespace: Namespace, tmp_path: Path) -> None:
    rows = [f"{n},Mill number {n},{START_MS + n * MINUTE_MS}" for n in range(1, 3_000)]
    rows[9] = '10,"never closed,5'
    rows[19] = "20,too,many,cells,here"
    rows[29] = "30"
    rows[39] = '40,"a 5"" pipe",1680000000000'
    rows[49] = '50,a 5" pipe,1680000000000'
    path = tmp_path / "news.csv"
    path.write_bytes(("id,title,published\n" + "\n".join(rows) + "\n").encode() + b'5000,"\x00\xff",1680000000000\n')
    namespace.replay(path)
    titles = {news.title for news in namespace.news()}
    rejects = namespace.rejects()
    assert {position: reject.reason for position, reject in rejects.items()} == {
        "file:news.csv:11": "bad_csv",
        "file:news.csv:21": "bad_csv",
        "file:news.csv:31": "bad_csv",
    }
    assert rejects["file:news.csv:11"].raw_bytes() == b'10,"never closed,5'
    assert {'a 5" pipe', "Mill number 11", "Mill number 2999", "\ufffd"} <= titles
    assert len(namespace.news()) == 3_000 - 3


@pytest.mark.parametrize(
    ("text", "words"),
    [("a,a\n1,2\n", "different column names"), (",\n", "different column names")],
)
def test_a_csv_without_usable_names_is_a_clear_error(
    namespace: Namespace, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "news.csv"
    path.write_text(text)
    with pytest.raises(SettingsError, match=words):
        namespace.replay(path)


def test_an_empty_file_is_complete_at_once(namespace: Namespace, tmp_path: Path) -> None:
    for name in ("empty.ndjson", "empty.csv", "empty"):
        path = tmp_path / name
        path.write_bytes(b"")
        assert (namespace.replay(path).complete, namespace.records()) == (True, [])


def test_files_that_cannot_be_used(namespace: Namespace, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.ndjson"):
        namespace.replay(tmp_path / "absent.ndjson")
    with pytest.raises(SettingsError, match="cannot read"):
        namespace.replay(tmp_path)
    utf16 = tmp_path / "excel.csv"
    utf16.write_bytes("id;title\n1;x\n".encode("utf-16"))
    with pytest.raises(SettingsError, match="iconv"):
        namespace.replay(utf16)
    with pytest.raises(SettingsError, match="ndjson, csv"):
        ReplayOptions(format="xml")
    with pytest.raises(SettingsError, match="one character"):
        namespace.replay(write(tmp_path / "a.csv", b"a"), delimiter=";;")


def test_standard_input(tmp_path: Path) -> None:
    namespace = Namespace(tmp_path / "broker.db")
    namespace.publisher.close()
    program = (
        "import sys; from streams.feeds.replay import Replay;"
        "from streams.feeds.publisher import open_publisher;"
        "publisher = open_publisher('sqlite://' + sys.argv[1]);"
        f"done = Replay('-', news_topic='{NEWS}', rejects_topic='{REJECTS}').run(publisher);"
        "print(done.published, done.rejected, done.name, done.bytes_total)"
    )
    sent = b"\n".join(json.dumps(item(n)).encode() for n in range(30)) + b"\n{"
    for data in (sent, gzip.compress(sent.replace(b"Mill", b"Shop"))):
        path = tmp_path / f"{len(data)}.db"
        Namespace(path).publisher.close()
        ran = subprocess.run([sys.executable, "-c", program, str(path)], input=data, capture_output=True, check=True)
        assert ran.stdout.split() == [b"30", b"1", b"stdin", b"None"]


# -- speed and back-pressure


class Watch(threading.Event):
    """A stop signal that never comes; waiting moves its clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 100.0
        self.on_wait: Callable[[], None] = lambda: None

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds += timeout or 0
        self.on_wait()
        return self.is_set()


@pytest.mark.parametrize(("speed", "takes_seconds"), [(1, 5_940), (60, 99), (0, 0)])
def test_speed(namespace: Namespace, tmp_path: Path, speed: float, takes_seconds: float) -> None:
    path = write(tmp_path / "news.ndjson", *(item(n) for n in range(100)))
    watch = Watch()
    at: list[tuple[int, float]] = []
    replay = namespace.playing(path, speed=speed)
    replay.run(
        namespace.publisher,
        lambda progress: at.append((progress.published, watch.seconds - 100)),
        watch,
        now_ms=NOW_MS,
        clock=lambda: watch.seconds,
    )
    assert watch.seconds - 100 == pytest.approx(takes_seconds)
    if speed:
        assert dict(at)[51] == pytest.approx(50 * 60 / speed)


def test_told_to_stop_while_it_waits_for_an_item(namespace: Namespace, tmp_path: Path) -> None:
    path = write(tmp_path / "news.ndjson", *(item(n) for n in range(100)))
    watch = Watch()
    watch.on_wait = lambda: watch.set() if watch.seconds > 100 + 10 * 60 else None
    done = namespace.playing(path, speed=1).run(
        namespace.publisher, stop=watch, now_ms=NOW_MS, clock=lambda: watch.seconds
    )
    assert done.published == 11
    assert not done.complete


def test_it_does_not_run_ahead_of_the_stages(namespace: Namespace, tmp_path: Path) -> None:
    path = write(tmp_path / "news.ndjson", *(item(n) for n in range(1_000)))
    processed, leads = 0, []
    watch = Watch()

    def drain() -> None:
        nonlocal processed
        processed += 50

    def lag() -> int:
        leads.append(len(namespace.news()) - processed)
        return leads[-1]

    watch.on_wait = drain
    options = ReplayOptions(lag=lag, max_lead=200, batch_lines=100)
    Replay(path, news_topic=NEWS, rejects_topic=REJECTS, options=options).run(
        namespace.publisher, stop=watch, now_ms=NOW_MS
    )
    assert len(namespace.news()) == 1_000
    assert max(leads) <= 300


# -- larger files


def test_the_sample_feed(namespace: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "sample.ndjson.gz"
    path.write_bytes(gzip.compress(b"".join(sample_lines()), 1))
    done = namespace.replay(path)
    assert done.published == len(namespace.news()) > 4_000
    assert done.rejected == len(namespace.rejects()) == 8 + len(UNDATED)
    assert done.moved == 1
    assert done.disordered == 0


def test_every_line_of_the_bank_run_is_an_item(namespace: Namespace, tmp_path: Path, shared_data: Path) -> None:
    done = namespace.replay(shared_data / "streams" / "rss_svb_2023-02_2023-04.ndjson.gz")
    assert done.published + done.rejected == 39_427
    assert done.moved == 0
    assert all(news.seen_ms == news.published_ms for news in namespace.news())


def test_posts_about_airlines_with_the_shipped_map(namespace: Namespace, tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "streams" / "airline_tweets_2015-02.ndjson.gz"
    done = namespace.replay(path, fieldmap=load_fieldmap(Path(fieldmap.__file__).parent / "maps" / "tweets.yaml"))
    assert (done.published, done.rejected, done.moved) == (14_640, 0, 0)
    news = namespace.news()
    assert len({entity for item in news for entity in item.entities}) == 6
    assert {item.source for item in news} == {"posts"}
