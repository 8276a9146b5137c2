"""The first file that somebody plays: what is wrong with it is reported before anything of it is published."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.errors import ReplayRefused
from streams.feeds.dates import parse_date
from streams.feeds.fieldspec import FieldMap, load_fieldmap, parse_fieldmap
from streams.feeds.guessing import guess_fieldmap
from streams.feeds.preview import FieldsUnknown, FileUnusable
from streams.feeds.replay import Replay
from tests.feeds.test_replay_files import (
    MINUTE_MS,
    NEWS,
    NOW_MS,
    REJECTS,
    START_MS,
    Crash,
    Crashing,
    Namespace,
    item,
    write,
)


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    made = Namespace(tmp_path / "broker.db")
    yield made
    made.publisher.close()


def foreign(n: int, **fields: Any) -> dict[str, Any]:
    return {
        "ref": f"r{n}",
        "head": f"Mill number {n} opens its doors",
        "story": "A long text about a mill, which opens. " * 3,
        "when": f"{n % 28 + 1:02}/03/2023 10:40",
        "link": f"https://news.example/{n}",
    } | fields


MAP = {
    "id": "ref",
    "title": "head",
    "text": "story",
    "url": "link",
    "published": {"field": "when", "format": "%d/%m/%Y %H:%M"},
}


# -- unknown fields


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_unknown_fields_are_named_at_once_with_the_map_that_reads_them(
    namespace: Namespace, tmp_path: Path, form: str
) -> None:
    rows = [foreign(n) for n in range(1_000)]
    path = write(tmp_path / "news.ndjson", *rows)
    if form == "csv":
        path = tmp_path / "news.csv"
        lines = [";".join(rows[0]), *(";".join(map(str, row.values())) for row in rows)]
        path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n")
    with pytest.raises(FieldsUnknown) as caught:
        namespace.replay(path)
    assert namespace.records() == namespace.records(REJECTS) == []
    assert caught.value.fields.keys() == rows[0].keys()
    assert caught.value.fields["head"] == "Mill number 0 opens its doors"
    assert "none of the first 200 records" in str(caught.value)
    saved = tmp_path / "map.yaml"
    saved.write_text(caught.value.guess.yaml())
    assert load_fieldmap(saved) == parse_fieldmap(MAP, "test")
    done = namespace.replay(path, fieldmap=load_fieldmap(saved))
    assert (done.published, done.rejected) == (1_000, 0)


def test_a_file_without_dates_is_refused_and_one_undated_line_is_parked(namespace: Namespace, tmp_path: Path) -> None:
    undated = [
        {"title": f"Mill number {n} opens", "source": "Post", "stamp": START_MS + n * MINUTE_MS} for n in range(9)
    ]
    with pytest.raises(FieldsUnknown, match="no_date") as caught:
        namespace.replay(write(tmp_path / "undated.ndjson", *undated))
    assert caught.value.guess.rules == {"title": "title", "source": "source", "published": "stamp"}
    done = namespace.replay(write(tmp_path / "one.ndjson", item(1), undated[0], item(2)))
    assert (done.published, done.rejected) == (2, 1)
    [reject] = namespace.rejects().values()
    assert (reject.reason, reject.seen_ms) == ("no_date", None)
    assert {news.seen_ms for news in namespace.news()} == {START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS}


def test_a_csv_row_that_is_parked_can_be_read_again_without_its_header(namespace: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text("title,published,source\nMill opens,1680000000000,Post\n,1680000060000,Post\n")
    namespace.replay(path)
    [reject] = namespace.rejects().values()
    assert json.loads(reject.raw_bytes()) == {"published": "1680000060000", "source": "Post"}
    assert reject.seen_ms == START_MS + MINUTE_MS


# -- a changed map is a changed input


def test_a_changed_map_is_a_changed_input_while_nothing_is_counted(namespace: Namespace, tmp_path: Path) -> None:
    rows = [foreign(n, when=START_MS + n * MINUTE_MS) for n in range(20)]
    path = write(tmp_path / "news.ndjson", *rows, b"{")
    wrong = parse_fieldmap({"title": "nothing", "published": "when"}, "test")
    first = namespace.playing(path, fieldmap=wrong)
    # As if its first 200 lines had been usable: every line is parked under the wrong map.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.feeds.replay.previewed", lambda entries, *_: entries)
        done = first.run(namespace.publisher, now_ms=NOW_MS)
    assert (done.published, done.rejected, done.complete) == (0, 21, True)
    right = parse_fieldmap({"title": "head", "published": "when"}, "test")
    done = namespace.replay(path, fieldmap=right)
    assert (done.published, done.rejected, done.already_complete) == (20, 1, False)
    parked = {record.key for record in namespace.records(REJECTS)} - {
        record.key for record in namespace.records(REJECTS) if record.value is None
    }
    assert parked == {b"file:news.ndjson:21"}
    assert namespace.replay(path, fieldmap=right).already_complete


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"fieldmap": parse_fieldmap({"title": "title", "text": "source"}, "test")}, "field map"),
        ({"inputs": {"watchlists": "b"}}, "watchlists"),
    ],
)
def test_other_inputs_are_refused_once_items_are_counted(
    namespace: Namespace, tmp_path: Path, options: dict[str, Any], named: str
) -> None:
    path = write(tmp_path / "news.ndjson", *(item(n) for n in range(100)))
    with pytest.raises(Crash):
        namespace.playing(path, batch_lines=40, inputs={"watchlists": "a"}).run(
            Crashing(namespace.store, 2, after=True), now_ms=NOW_MS
        )
    count = len(namespace.records())
    for _ in range(2):  # while it is not finished, and when it is
        with pytest.raises(ReplayRefused, match=rf"another {named}.*--into"):
            namespace.replay(path, **{"inputs": {"watchlists": "a"}, **options})
        assert len(namespace.records()) == count
        assert namespace.replay(path, inputs={"watchlists": "a"}).complete
        count = len(namespace.records())


def test_maps_that_say_the_same_have_one_fingerprint(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("title: head\ntext: [body]\nextra: [b, a]\n")
    second.write_text("# the same\nextra: [a, b]\ntext: body\ntitle: head\n")
    assert load_fieldmap(first).fingerprint() == load_fieldmap(second).fingerprint()
    assert load_fieldmap(first).fingerprint() != FieldMap.default().fingerprint()


# -- files that are something else

GOOD = json.dumps(item(1)).encode()
LATIN = json.dumps(item(1, title="Zürich Börse fällt"), ensure_ascii=False).encode("latin-1")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("news.json", json.dumps([item(1), item(2)]).encode(), "one JSON array.*python3"),
        ("news.json", json.dumps([item(1), item(2)], indent=1).encode(), "one JSON array"),
        ("news.json", json.dumps(item(1), indent=1).encode(), "span lines.*jq"),
        ("news.json.gz", gzip.compress(json.dumps([item(1)]).encode(), mtime=0), "one JSON array"),
        ("news.ndjson.gz", b"not a gzip at all\n", r"\.gz.*not gzip"),
        ("news.csv", b"PK\x03\x04\x14\x00\x06\x00 xl/workbook", "Excel workbook"),
        ("news.parquet", b"PAR1\x15\x04\x15\x10", "Parquet"),
        ("news.ndjson", b"\x00\x01\x02\x03" * 99, "binary"),
        ("news.ndjson", GOOD.decode().encode("utf-16-le"), "UTF-16.*iconv"),
        ("news.ndjson", b"\n".join([LATIN] * 5), r"not UTF-8 \(line 1, and 4 more.*iconv"),
        ("news.csv", b"title,published\n" + "Börse fällt,2023-03-01\n".encode("latin-1") * 5, "not UTF-8.*iconv"),
        ("page.html", b"<!doctype html>\n<html></html>\n", "XML or HTML"),
        ("list.ndjson", b'"a text"\n"another"\n', "not_an_object"),
        ("dates.ndjson", json.dumps(item(1, published="yesterday")).encode(), "'yesterday' at 'published' is no date"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_news_is_named_with_the_fix(
    namespace: Namespace, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileUnusable, match=words) as caught:
        namespace.replay(path)
    assert name in str(caught.value)
    assert namespace.records() == namespace.records(REJECTS) == []
    with pytest.raises(FileUnusable, match=words):
        Replay(path, news_topic=NEWS, rejects_topic=REJECTS).preview()


def test_slips_within_a_file_cost_their_lines_alone(namespace: Namespace, tmp_path: Path) -> None:
    utf8 = json.dumps(item(7, title="Zürich"), ensure_ascii=False).encode()
    done = namespace.replay(write(tmp_path / "news.ndjson", LATIN, LATIN, LATIN, LATIN, utf8, b"[1]", b"\x00"))
    assert (done.published, done.rejected) == (5, 2)


def test_milliseconds_written_as_text_are_no_day_of_the_year_1680() -> None:
    for milliseconds in range(START_MS, START_MS + 100_000_000, 600_000):
        assert parse_date(str(milliseconds)) == milliseconds
    assert parse_date("20230328") == 1_679_961_600_000
    assert parse_date("1680060120") == 1_680_060_120_000


# -- guessing


@pytest.mark.parametrize(
    ("record", "rules"),
    [
        (
            {"webTitle": "Bank fails in town", "webPublicationDate": "2023-03-01T00:00:00Z", "webUrl": "https://x/y",
             "fields": {"bodyText": "Depositors queue for a day"}},
            {"title": "webTitle", "text": "fields.bodyText", "url": "webUrl", "published": "webPublicationDate"},
        ),
        (
            {"text": "cashtag $AAPL is up", "created_at": "Wed Oct 10 20:19:24 +0000 2018", "lang": "en"},
            {"title": "text", "published": "created_at", "language": "lang"},
        ),
        (
            {"Überschrift": "Bank bricht zusammen", "Datum": "12.03.2023"},
            {"title": "Überschrift", "published": {"field": "Datum", "format": "%d.%m.%Y"}},
        ),
        (
            {"ticker": "AAPL;MSFT", "Headline Text": "Apple is up", "Date/Time": 1_680_000_000},
            {"title": "Headline Text", "published": "Date/Time", "entities": {"field": "ticker", "separator": ";"}},
        ),
        ({"标题": "银行倒闭引发恐慌情绪", "时间": "2023-03-01 10:00"}, {"title": "标题", "published": "时间"}),
        ({"x": 1, "y": None}, {}),
    ],
)  # fmt: skip
def test_guesses(record: dict[str, Any], rules: dict[str, Any]) -> None:
    assert guess_fieldmap([record]).rules == rules


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["title", "date", "a.b", "no", "", "\x1b", "published", "text", "#"]) | st.text(max_size=9)


@settings(max_examples=100)
@example([{"": 100_000_000}])
@given(st.lists(st.dictionaries(names, values, max_size=6), max_size=4))
def test_a_guess_is_a_field_map_that_loads_whatever_the_records_hold(records: list[dict[str, Any]]) -> None:
    import yaml

    guess = guess_fieldmap(records)
    assert (yaml.safe_load(guess.yaml()) or {}) == guess.rules
    if guess.rules:
        parse_fieldmap(dict(guess.rules), "guess")


def test_a_table_without_a_header_says_so_and_proposes_no_map(tmp_path: Path) -> None:
    file = tmp_path / "nohead.csv"
    rows = [f"2023-03-{day:02d}T10:00:00Z,wire,Harrowgate plunges {day},https://x.example/{day}" for day in (1, 2, 3)]
    file.write_text("\n".join(rows) + "\n")
    with pytest.raises(FileUnusable, match="the first line looks like data, not like a header") as caught:
        Replay(file, news_topic="n", rejects_topic="r").preview()
    assert not isinstance(caught.value, FieldsUnknown)
