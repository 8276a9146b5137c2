"""Documents and back, days, addresses, the registry's decisions: pure parts of the Elasticsearch archive."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.archive import open_elastic
from streams.archive.elastic.address import normalised, without_user
from streams.archive.elastic.documents import alert_document, alert_of, first_scored_of, item_document, scored_of
from streams.archive.elastic.names import OVERFLOW, Names, day_of
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.registry import Entry, claim, unclaim
from streams.archive.elastic.templates import templates
from streams.archive.elastic.verdicts import Verdict, asked_wait_seconds, error_of, judge
from streams.archive.protocol import Outcome, StoredAlert
from streams.errors import SettingsError
from streams.records import EntityMention, HeadScore, News, Position, Scored, Story
from streams.settings import load_settings
from tests.archive.test_archive_contract import scored

text = st.text(st.characters(codec="utf-8"), max_size=30)
probability = st.floats(0, 1, allow_nan=False)
moment = st.integers(0, 2**45)
chances = st.dictionaries(text, probability, max_size=3)
heads = st.dictionaries(
    text, st.builds(HeadScore, text, probability, chances, st.none() | st.floats(-1, 1)), max_size=2
)
items = st.builds(
    Scored,
    news=st.builds(
        News,
        id=text,
        content=text,
        title=text,
        source=text,
        seen_ms=moment,
        text=text,
        url=text,
        published_ms=st.none() | moment,
        language=st.none() | text,
        entities=st.lists(text, max_size=2).map(tuple),
        extra=st.dictionaries(text, st.none() | st.integers(-(2**53), 2**53) | text | st.lists(text), max_size=3),
    ),
    position=st.builds(Position, text, st.integers(0, 1000), st.integers(0, 2**60)),
    scored_ms=moment,
    language=text,
    heads=heads,
    series=st.dictionaries(text, chances, max_size=3),
    entities=st.lists(
        st.builds(EntityMention, text, text, probability, st.none() | st.tuples(st.just(0), moment), heads),
        max_size=2,
        unique_by=lambda one: one.id,
    ).map(tuple),
    watchlists=st.lists(text, max_size=2).map(tuple),
    story=st.builds(Story, text, st.none() | text, st.dictionaries(text, st.integers(0, 99), max_size=2)),
    signature=st.integers(0, 2**63 - 1).map("{:016x}".format),
    model=text,
    model_version=text,
    late=st.booleans(),
)


@given(item=items, is_item=st.booleans())
def test_a_document_gives_back_its_item(item: Scored, is_item: bool) -> None:
    document = item_document(item, is_item=is_item)
    assert b"\n" not in document
    source = msgspec.json.decode(document)
    assert source["moodwire"]["item"] is is_item
    assert scored_of(source) == item


@given(body=st.dictionaries(text, text, max_size=3))
def test_a_state_of_an_alert_comes_back_to_the_byte(body: dict[str, str]) -> None:
    alert = StoredAlert("x", 3, "negative", "volume", "all", "firing", "critical", 1, 2, msgspec.json.encode(body))
    assert alert_of(msgspec.json.decode(alert_document(alert))) == alert


def at(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T10:00:00+00:00").astimezone(UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("seen", "day"),
    [
        ("2026-11-24", "2026.11.24"),
        ("2026-11-25", "2026.11.25"),  # a clock that is ahead
        ("2026-11-26", OVERFLOW),
        ("2026-11-14", "2026.11.14"),
        ("2026-11-13", OVERFLOW),
        ("1970-01-01", OVERFLOW),
    ],
)
def test_an_item_has_its_own_day_within_the_retention(seen: str, day: str) -> None:
    assert day_of(at(seen), at("2026-11-24"), 10) == day


@pytest.mark.parametrize("seen_ms", [-1, 2**53, 10**15])
def test_an_impossible_time_goes_to_the_overflow(seen_ms: int) -> None:
    assert day_of(seen_ms, at("2026-11-24"), 10) == OVERFLOW


def test_only_days_that_are_over_may_be_dropped() -> None:
    names = Names("p-")
    midnight = at("2026-11-24") - 10 * 3_600_000
    assert names.ended_before("p-items-2026.11.23", midnight)
    assert not names.ended_before("p-items-2026.11.23", midnight - 1)
    assert not names.ended_before("p-items-overflow", midnight)


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("https://es.example", "https://es.example:443"),
        ("http://127.0.0.1:9201/", "http://127.0.0.1:9201"),
        ("elasticsearch://es.example", "http://es.example:9200"),
        ("https://ann:hush@es.example:9243/path", "https://es.example:9243/path"),
        ("http://a:1,http://b:2", "http://a:1,http://b:2"),
        ("http://[::1]", "http://[::1]:9200"),
    ],
)
def test_addresses_get_a_port_and_lose_their_user(url: str, want: str) -> None:
    assert normalised(url) == want


def test_the_user_of_an_address_is_unquoted() -> None:
    assert without_user("https://ann:h%40sh%3A@es.example") == ("https://es.example", "ann", "h@sh:")
    assert without_user("https://es.example") == ("https://es.example", "", "")


@pytest.mark.parametrize(
    "url", ["https://ann:hush@es.example:port", "https://ann:hush@:9200", "https://", "http://ann:hush@[::1"]
)
def test_a_bad_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="MOODWIRE_ARCHIVE_URL") as error:
        normalised(url)
    assert "hush" not in str(error.value)


async def test_the_archive_shows_no_secret() -> None:
    archive = open_elastic("https://ann:hush@es.example:9200", ElasticOptions())
    shown = f"{archive!r} {archive.options!r} {archive.session.url} {vars(archive)!r}"
    assert archive.options.authorization() == "Basic YW5uOmh1c2g="
    assert "hush" not in shown
    assert "YW5uOmh1c2g" not in shown
    await archive.close()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), min_size=1, max_size=12), st.integers(0, 999))
def test_the_registry_decides_the_same_item_in_any_order(drawn: list[tuple[str, int]], seed: int) -> None:
    times = dict(reversed(drawn))
    records = [scored(1, content=content, seen_ms=times[content], offset=n) for n, (content, _) in enumerate(drawn)]
    entries = []
    for order in (records, random.Random(seed).sample(records, len(records))):
        entry: Entry | None = None
        outcomes = []
        for record in order:
            entry, outcome = claim(entry, record, "d")
            outcomes.append(outcome)
            assert claim(entry, record, "other") == (entry, outcome), "a redo changes nothing"
        assert entry is not None
        assert Outcome.DUPLICATE not in outcomes[: outcomes.index(Outcome.ADDED) + 1]
        assert len(outcomes) - outcomes.count(Outcome.DUPLICATE) == len(times)
        entries.append((entry.item.content, entry.seen, entry.revised, len(entry.versions)))
    assert entries[0] == entries[1]


def test_a_claim_that_is_given_back_leaves_the_others() -> None:
    entry, _ = claim(None, scored(1, content="a", seen_ms=5), "d")
    both, _ = claim(entry, scored(1, content="b", seen_ms=1, offset=2), "d")
    assert unclaim(both, "b") == entry
    assert unclaim(entry, "a") is None


def test_no_template_takes_another_s_indices() -> None:
    made = templates(Names("p-"), ElasticOptions(prefix="p-", shards=0), lifecycle="policy")
    patterns = [pattern for body in made.values() for pattern in body["index_patterns"]]
    assert all(pattern.startswith("p-") for pattern in patterns)
    assert made["p-items"]["template"]["settings"]["index.lifecycle.name"] == "policy"
    assert "index.lifecycle.name" not in made["p-overflow"]["template"]["settings"]
    assert made["p-overflow"]["priority"] > made["p-items"]["priority"]
    assert all(body["template"]["settings"].keys() <= {"analysis", "index.lifecycle.name"} for body in made.values())


def test_an_unknown_answer_is_trouble_and_never_a_loss() -> None:
    assert judge(418) is Verdict.TROUBLE
    assert judge(400, "illegal_argument_exception", "this action would add [2] shards") is Verdict.TROUBLE
    assert judge(400, "illegal_argument_exception", "immense term in field") is Verdict.REFUSED


def test_the_innermost_cause_is_part_of_the_reason() -> None:
    cause = {"type": "b", "reason": "middle", "caused_by": {"type": "c", "reason": "For input string: x"}}
    answer = {"error": {"type": "a", "reason": "failed", "caused_by": cause}, "status": 400}
    assert error_of(answer) == ("a", "failed: For input string: x")
    assert error_of("<html>") == ("", "<html>")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("-1", 0.0), ("9999", 300.0), ("Wed, 21 Oct", 0.0), ("Tue, 17 Feb 2026 07:00:00 GMT", 60.0)],
)
def test_a_retry_after_is_bounded(value: str, seconds: float) -> None:
    assert asked_wait_seconds({"retry-after": value}, 1_771_311_540_000) == seconds


def test_an_item_that_was_scored_again_is_known_as_it_was_counted() -> None:
    item = scored(1)
    source = msgspec.json.decode(item_document(item, is_item=True))
    assert first_scored_of(source) == item
    first = source["moodwire"]["current"]
    source["moodwire"]["current"] = {"model": "newer", "model_version": "2", "scored": 9}
    source["moodwire"]["earlier"] = [first, {"model": "between", "model_version": "1", "scored": 5}]
    assert first_scored_of(source) == item
    assert scored_of(source).model == "newer"


def test_a_malformed_archive_address_is_an_error_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_ARCHIVE_URL", "http://ann:hush@[::1")
    with pytest.raises(SettingsError, match="MOODWIRE_ARCHIVE_URL") as error:
        load_settings()
    assert "hush" not in str(error.value)
