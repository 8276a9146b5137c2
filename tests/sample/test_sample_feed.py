"""The sample feed is what the demo and other tests rely on."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.errors import Reject
from streams.feeds.fieldmap import FieldMap, parse_json, to_news
from streams.records import News
from streams.sample import START, generate, ground_truth, lines, write_sample
from streams.sample.blemishes import REJECTED
from streams.sample.grammar import load

NOW_MS = 1_800_000_000_000


def news_of(raw: Any) -> News:
    return to_news(raw, FieldMap.default(), seen_ms=NOW_MS, now_ms=NOW_MS)


@pytest.fixture(scope="module")
def items() -> list[News]:
    return [news_of(raw) for raw in generate()]


def moment(news: News) -> datetime:
    assert news.published_ms is not None
    return datetime.fromtimestamp(news.published_ms / 1000, UTC)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    count = write_sample(tmp_path / "a.ndjson")
    assert (tmp_path / "a.ndjson").read_bytes() == b"".join(lines())
    assert count == len((tmp_path / "a.ndjson").read_bytes().splitlines())
    assert list(generate(seed=1)) != list(generate(seed=2))


def test_two_weeks_of_thousands_of_items_in_order(items: list[News]) -> None:
    moments = [moment(item) for item in items]
    assert 3_000 <= len(items) <= 6_000
    assert moments == sorted(moments)
    assert moments[0] >= START
    assert timedelta(days=13) < moments[-1] - moments[0] < timedelta(days=14)


def test_another_start_shifts_everything() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    first = news_of(next(generate(start=start)))
    assert moment(first) - start == moment(news_of(next(generate()))) - START
    assert ground_truth(start)[0].begins - start == ground_truth(START)[0].begins - START


def test_weekends_and_nights_are_quiet(items: list[News]) -> None:
    per_day = Counter(moment(item).date() for item in items)
    weekend = [count for day, count in per_day.items() if day.weekday() >= 5]
    working = [count for day, count in per_day.items() if day.weekday() < 5]
    assert max(weekend) * 2 < min(working)
    per_hour = Counter(moment(item).hour for item in items if moment(item).weekday() < 5)
    assert per_hour[14] > 4 * per_hour[2]


def test_ids_tell_publishers_apart_and_corrections_together(items: list[News]) -> None:
    raws = list(generate())
    numbers = Counter((raw.get("id"), raw.get("source") or raw.get("feed")) for raw in raws if "id" in raw)
    assert sum(1 for number, _ in numbers if number == 1) >= 5
    revisions = len(items) - len({item.id for item in items})
    assert 20 <= revisions <= 200
    assert len({(item.id, item.content) for item in items}) == len(items)


def test_stories_are_copied_within_hours(items: list[News]) -> None:
    by_title: dict[str, list[News]] = {}
    for item in items:
        by_title.setdefault(item.title, []).append(item)
    copied = [group for group in by_title.values() if len({item.source for item in group}) > 1]
    assert len(copied) > 100


def test_names_that_are_words_occur_as_both(items: list[News]) -> None:
    titles = [item.title for item in items]
    for name in ("Apple", "Visa"):
        assert any(re.match(rf"{name} .*(quarter|price target|outlook|dividend|stock)", title) for title in titles)
    assert any("Apple growers" in title for title in titles)
    assert any("Visa rules" in title for title in titles)
    assert any("gap" in title and "Gap" not in title for title in titles)


def test_companies_are_those_of_the_gazetteer(shared_data: Path) -> None:
    known = set()
    for name in ("sp500", "nyse_listed"):
        with (shared_data / "gazetteers" / f"{name}.csv").open(encoding="utf-8") as file:
            known |= {next(iter(row.values())) for row in csv.DictReader(file)}
    symbols = {symbol for sector in load("companies.yaml").values() for symbol in sector["companies"].values()}
    symbols |= {crisis.symbol for crisis in ground_truth(START) if crisis.symbol}
    assert symbols - known == set()


def test_the_crises_flood_after_quiet_days(items: list[News]) -> None:
    for crisis in ground_truth(START):
        named = [moment(item) for item in items if crisis.name in item.title]
        before = [at for at in named if at < crisis.begins]
        build_up = [at for at in named if crisis.begins <= at < crisis.surges]
        flood = [at for at in named if crisis.surges <= at < crisis.surges + timedelta(hours=9)]
        assert len(before) <= 20
        assert 3 <= len(build_up) <= 20
        assert len(flood) >= 50
        assert crisis.begins < crisis.surges < crisis.calms < START + timedelta(days=13)
        assert any(at > crisis.calms + timedelta(hours=12) for at in named)


def test_one_crisis_is_listed_and_the_other_is_watched() -> None:
    invented, listed = ground_truth(START)
    assert (invented.symbol, listed.watchlist) == (None, None)
    assert listed.symbol
    document = load("watchlists.yaml")
    assert [watchlist["name"] for watchlist in document["watchlists"]] == [invented.watchlist]
    assert invented.name in yaml.safe_dump(document)


def test_broken_records_are_rejected_for_what_is_wrong_with_them() -> None:
    reasons: Counter[str] = Counter()
    for line in lines():
        if not line.strip():
            continue
        try:
            news_of(parse_json(line))
        except Reject as reject:
            reasons[reject.reason] += 1
    assert reasons == {reason: len(makers) for reason, makers in REJECTED.items()}


def test_odd_records_come_through() -> None:
    titles = []
    for line in lines():
        if b"Loose Ends Gazette" in line:
            try:
                titles.append(news_of(parse_json(line)))
            except Reject:
                continue
    assert len(titles) == 9
    assert max(len(item.text) for item in titles) == 100_000
    assert sum(item.published_ms is None for item in titles) == 3
    assert all("\x00" not in item.title for item in titles)
