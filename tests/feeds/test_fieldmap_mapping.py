"""The mapper on foreign shapes, on our own records and on anything that JSON can say."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import Reject, SettingsError
from streams.feeds import fieldmap as mapper
from streams.feeds.fieldmap import FieldMap, load_fieldmap, news_from_record, parse_json, to_news
from streams.feeds.fieldspec import parse_fieldmap
from streams.records import News

NOW_MS = 1_780_000_000_000
DAY_MS = 86_400_000
MAPS = Path(mapper.__file__).parent / "maps"

DEFAULT = FieldMap.default()


def mapped(raw: Any, fields: FieldMap = DEFAULT, seen_ms: int | None = NOW_MS) -> News:
    return to_news(raw, fields, seen_ms=seen_ms, now_ms=NOW_MS)


def test_default_map_reads_common_names() -> None:
    news = mapped(
        {
            "guid": 7,
            "headline": " Mill opens ",
            "summary": "",
            "description": "A mill.",
            "publisher": "Valley Post",
            "link": "https://valley.example/7",
            "pubDate": "Tue, 17 Feb 2026 07:36:05 +0100",
            "lang": "en-GB",
            "tickers": ["AAA", {"symbol": "BBB"}, 5, None, "AAA"],
            "desk": "metals",
        }
    )
    assert (news.title, news.text, news.source) == ("Mill opens", "A mill.", "Valley Post")
    assert news.url == "https://valley.example/7"
    assert news.published_ms == 1_771_310_165_000
    assert news.language == "en-GB"
    assert news.entities == ("AAA", "BBB", "5")
    assert news.extra == {"desk": "metals"}
    assert news.seen_ms == NOW_MS


def test_two_feeds_with_the_same_numbers_do_not_meet() -> None:
    ids = {mapped({"id": n, "title": "t", "source": source}).id for n in (1, 2, 3) for source in ("a", "b")}
    assert len(ids) == 6


def test_an_own_id_and_a_url_of_the_same_text_differ() -> None:
    text = "https://x.example/1"
    by_id = mapped({"id": text, "title": "t", "source": "a"})
    by_url = mapped({"url": text, "title": "t", "source": "a"})
    assert by_id.id != by_url.id


def test_without_id_and_url_title_and_day_tell_items_apart() -> None:
    def of(day: str) -> str:
        return mapped({"title": "Prices today", "source": "a", "published": day}).id

    assert of("2026-01-01T03:00:00Z") == of("2026-01-01T23:00:00Z")
    assert of("2026-01-01") != of("2026-01-02")


def test_other_content_of_the_same_id_is_a_revision() -> None:
    first = mapped({"id": 1, "title": "t", "text": "a", "source": "s"})
    second = mapped({"id": 1, "title": "t", "text": "b", "source": "s"})
    assert first.id == second.id
    assert first.content != second.content


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"source": "s"}, "no_title"),
        ({"title": " \x00\x07 \u200b", "source": "s"}, "no_title"),
        ({"title": None, "source": "s"}, "no_title"),
        ({"title": ["a"], "source": "s"}, "bad_type"),
        ({"title": {"a": 1}, "source": "s"}, "bad_type"),
        ({"title": True, "source": "s"}, "bad_type"),
        ({"title": "t"}, "no_source"),
        (["title"], "not_an_object"),
    ],
)
def test_reasons(raw: Any, reason: str) -> None:
    with pytest.raises(Reject) as caught:
        mapped(raw)
    assert caught.value.reason == reason


def test_source_falls_back_to_the_host() -> None:
    assert mapped({"title": "t", "url": "https://www.valley.example/1"}).source == "valley.example"


def test_a_list_as_title_gives_way_to_a_second_place() -> None:
    assert mapped({"title": [], "headline": "h", "source": "s"}).title == "h"


@pytest.mark.parametrize("date", ["yesterday-ish", "", 5, -1, [], {}, True, "99999-01-01", 1e300, None])
def test_a_wrong_date_rejects_nothing(date: Any) -> None:
    news = mapped({"title": "t", "source": "s", "published": date})
    assert news.published_ms is None
    assert news.seen_ms == NOW_MS


def test_seen_far_ahead_is_rejected() -> None:
    with pytest.raises(Reject) as caught:
        mapped({"title": "t", "source": "s"}, seen_ms=NOW_MS + DAY_MS + 1)
    assert caught.value.reason == "future_seen"
    assert mapped({"title": "t", "source": "s"}, seen_ms=NOW_MS + DAY_MS).seen_ms == NOW_MS + DAY_MS


def test_bounds_and_bad_characters() -> None:
    news = mapped(
        {
            "title": "a\x00b\ud800" + "x" * 5_000,
            "text": "y" * 10_000_000,
            "source": "s" * 1_000,
            "url": "javascript:alert(1)",
            "note": "\ud83d",
            "deep": json.loads("[" * 50 + "]" * 50),
            "huge": 10**400,
            "many": ["z" * 1_000] * 1_000,
        }
    )
    assert news.title.startswith("ab\ufffdxxx")
    assert len(news.title) <= 2_000
    assert len(news.text) == 100_000
    assert len(news.source) == 200
    assert news.url == ""
    assert news.extra["note"] == "\ufffd"
    assert news.extra["huge"] is None
    assert len(msgspec.json.encode(news.extra)) < 20_000


def test_an_extra_number_that_json_readers_would_change_becomes_text() -> None:
    raw = {"title": "a", "source": "s", "id": "1", "least": 2**53 - 1, "tweet": 2**60, "many": [-(2**53)], "share": 0.5}
    news = to_news(raw, FieldMap.default(), seen_ms=NOW_MS, now_ms=NOW_MS)
    assert news.extra == {
        "least": 2**53 - 1,
        "tweet": "1152921504606846976",
        "many": ["-9007199254740992"],
        "share": 0.5,
    }


def test_paired_surrogates_become_their_character() -> None:
    assert mapped({"title": "\ud83d\ude00", "source": "s"}).title == "\U0001f600"


def test_map_of_nested_fields_constants_and_formats(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        """
title: [data.head, names.1]
text: [body, data.lead]
source: {value: wire}
published: {field: meta.ts, format: "%d/%m/%Y %H:%M", timezone: Europe/Berlin}
entities: {field: firms, separator: ";"}
language: {field: lang, default: de}
id: meta.no
extra: [desk]
""",
        encoding="utf-8",
    )
    fields = load_fieldmap(path)
    raw = {
        "names": ["x", "Fall back"],
        "data": {"lead": "Lead."},
        "meta": {"ts": "01/07/2025 12:00", "no": 12},
        "firms": "A; B;;A",
        "desk": "d",
        "other": "o",
    }
    news = mapped(raw, fields)
    assert (news.title, news.text, news.source, news.language) == ("Fall back", "Lead.", "wire", "de")
    assert news.published_ms == 1_751_364_000_000
    assert news.entities == ("A", "B")
    assert news.extra == {"desk": "d"}


def test_a_field_whose_name_holds_dots_goes_first() -> None:
    fields = parse_fieldmap({"title": "a.b"}, "test")
    assert mapped({"a.b": "own", "a": {"b": "nested"}, "source": "s"}, fields).title == "own"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"tittle": "x"}, ["tittle", "did you mean 'title'"]),
        ({"published": {"feild": "x"}}, ["published", "feild", "did you mean 'field'"]),
        ({"title": {"separator": ";"}}, ["title", "separator"]),
        ({"title": 5}, ["title", "take a text, a list of texts or keys"]),
        ({"title": []}, ["title"]),
        ({"source": {"field": "a", "value": "b"}}, ["source", "exclude"]),
        ({"source": {}}, ["source", "'field', 'value' or 'default'"]),
        ({"published": {"field": "ts", "format": "rfc"}}, ["published", "rfc", "unix_ms"]),
        ({"published": {"field": "ts", "timezone": "Mars/North"}}, ["Mars/North", "Europe/London"]),
        ({"published": {"field": "ts", "timezone": "../etc"}}, ["../etc"]),
        ({"extra": "some"}, ["extra", "take drop or keep or a list of texts"]),
        (["title"], ["take keys such as id, title, text"]),
    ],
)
def test_errors_name_the_file_the_key_and_the_fix(document: Any, words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_fieldmap(document, "my-map.yaml")
    text = str(caught.value)
    assert "my-map.yaml" in text
    assert [word for word in words if word not in text] == []


def test_a_file_that_is_absent_or_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml"):
        load_fieldmap(tmp_path / "absent.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("title: [a", encoding="utf-8")
    with pytest.raises(SettingsError, match="not YAML"):
        load_fieldmap(broken)


def test_shipped_maps_load() -> None:
    paths = sorted(MAPS.glob("*.yaml"))
    assert paths
    for path in paths:
        assert load_fieldmap(path).rules["title"].paths


def test_short_posts_have_their_text_as_title() -> None:
    fields = load_fieldmap(MAPS / "tweets.yaml")
    news = mapped({"id": "1", "entity": "Example Air", "text": "Late again", "mood": "negative"}, fields)
    assert (news.title, news.text, news.entities) == ("Late again", "", ("Example Air",))
    assert (news.source, news.language, news.extra) == ("posts", "en", {"mood": "negative"})


def test_every_post_of_the_airline_stream_is_mapped(shared_data: Path) -> None:
    path = shared_data / "streams" / "airline_tweets_2015-02.ndjson.gz"
    fields = load_fieldmap(MAPS / "tweets.yaml")
    with gzip.open(path) as file:
        items = [mapped(parse_json(line), fields) for line in file]
    assert len(items) == 14_640
    assert all(item.published_ms and item.entities and item.title and not item.text for item in items)
    assert len({item.id for item in items}) > 14_000


# -- records of topic news


def test_our_own_record_comes_back_as_it_was() -> None:
    news = mapped({"id": 1, "title": "t", "text": "x", "source": "s", "published": "2026-01-01", "more": {"a": [1]}})
    assert news_from_record(msgspec.json.encode(news), 5, DEFAULT, NOW_MS) == news


def test_a_foreign_record_was_seen_at_its_own_time() -> None:
    value = b'{"title": "t", "source": "s"}'
    assert news_from_record(value, NOW_MS - 7, DEFAULT, NOW_MS).seen_ms == NOW_MS - 7
    assert news_from_record(value, -1, DEFAULT, NOW_MS).seen_ms == NOW_MS


def test_a_forged_own_record_is_mapped_like_any_other() -> None:
    forged = {"id": "1", "content": "c", "title": "t\x00" * 3_000, "source": "s", "seen_ms": 5, "schema": 2}
    news = news_from_record(json.dumps(forged).encode(), NOW_MS, DEFAULT, NOW_MS)
    assert "\x00" not in news.title
    assert len(news.title) <= 2_000
    assert news.seen_ms == NOW_MS


def test_an_own_record_from_a_wrong_clock_is_rejected() -> None:
    news = mapped({"title": "t", "source": "s"})
    with pytest.raises(Reject, match="future_seen"):
        news_from_record(msgspec.json.encode(news), 5, DEFAULT, NOW_MS - 2 * DAY_MS)


# -- whatever JSON can say

characters = st.characters(codec=None)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(characters, max_size=30)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
names = st.sampled_from([name for rule in DEFAULT.rules.values() for name in rule.paths]) | st.text(
    characters, max_size=8
)
raws = st.dictionaries(names, values, max_size=12)
field_maps = st.sampled_from(
    [
        DEFAULT,
        DEFAULT.with_source("s"),
        load_fieldmap(MAPS / "tweets.yaml"),
        parse_fieldmap({"title": ["a.b", "title.0"], "published": {"field": "date", "format": ["unix_ms", "%Y"]}}, "t"),
    ]
)


@given(raw=raws | values, fields=field_maps)
def test_any_value_is_an_item_or_a_reject(raw: Any, fields: FieldMap) -> None:
    news, reason = None, None
    try:
        news = mapped(raw, fields)
    except Reject as reject:
        reason = reject.reason
    if news is None:
        assert reason in {"no_title", "bad_type", "no_source", "not_an_object"}
        return
    wire = msgspec.json.encode(news)
    assert news_from_record(wire, 0, DEFAULT, NOW_MS) == news
    assert "\x00" not in news.title + news.text
    assert news.title.strip()


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_a_reject(data: bytes) -> None:
    reason = None
    try:
        raw = parse_json(data)
    except Reject as reject:
        reason = reject.reason
    else:
        assert isinstance(raw, dict)
    assert reason in {None, "bad_json", "not_an_object"}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": NaN, "b": Infinity}', {"a": None, "b": None}),
        (b'{"a": "tab\there"}', {"a": "tab\there"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": ' + b"9" * 5_000 + b', "b": NaN}', {"a": "9" * 5_000, "b": None}),
    ],
)
def test_tolerated_json(data: bytes, value: Any) -> None:
    assert parse_json(data) == value


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_a_value_is_no_broken_json(value: bytes | None) -> None:
    with pytest.raises(Reject) as caught:
        news_from_record(value, 5, FieldMap.default(), 5)
    assert caught.value.reason == "no_value"


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": 1} x', b"[" * 100_000, b'{"a":' * 100_000, b"\x00", b"{'a': 1}"])
def test_broken_json(data: bytes) -> None:
    with pytest.raises(Reject) as caught:
        parse_json(data)
    assert caught.value.reason == "bad_json"
