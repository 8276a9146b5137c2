"""The main job on real news: counts add up, the crisis is found in time, and a crash changes nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from streams import feeds
from tests.integration.replays import Outcome, outcome, replay, replay_killed, shuffled

pytestmark = pytest.mark.slow

SVB_ITEMS = 39_427
FEBRUARY_LINES = 6_000
MINUTES_MS = 60_000

WATCHLIST = """
watchlists:
  - name: svb
    names: [Silicon Valley Bank, SVB]
    tickers: [SIVB]
"""


@pytest.fixture(scope="module")
def svb(shared_data: Path) -> Path:
    return shared_data / "streams" / "rss_svb_2023-02_2023-04.ndjson.gz"


@pytest.fixture(scope="module")
def watchlist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists") / "watchlists.yaml"
    path.write_text(WATCHLIST, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(svb: Path, watchlist: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("whole")
    replay(folder, svb, "svb", "--watchlists", watchlist)
    return outcome(folder, "svb")


def test_every_item_is_archived_a_duplicate_or_a_reject(whole: Outcome) -> None:
    stats = whole.stats
    assert stats.items + stats.revisions + stats.duplicates + whole.rejects == SVB_ITEMS


def test_the_crisis_is_found_in_time_and_not_before_it_began(whole: Outcome) -> None:
    firing = [body["onset_ms"] for body in whole.alerts.values() if body["series"] == "watchlist/svb"]
    assert firing, "no alert for the watchlist"
    assert min(firing) < _ms("2023-03-10T12:00:00"), "found too late"
    assert min(firing) >= _ms("2023-03-08T00:00:00"), "a false alarm"


def test_a_quiet_weekend_does_not_end_the_crisis(whole: Outcome) -> None:
    """The bank failed on Friday the 10th, was wound up over the weekend, and the news came back on Monday."""
    states = [body for body in whole.alerts.values() if body["series"] == "watchlist/svb"]
    ends = [body["updated_ms"] for body in states if body["change"] == "resolved"]
    assert ends
    assert not any(_ms("2023-03-10T09:00:00") <= end < _ms("2023-03-14T00:00:00") for end in ends)
    assert len({body["id"] for body in states if body["onset_ms"] < _ms("2023-03-14T00:00:00")}) == 1


def test_an_alert_shows_the_headlines_that_made_it(whole: Outcome) -> None:
    alert = next(body for body in whole.alerts.values() if body["series"] == "watchlist/svb")
    assert alert["observed"]["hits"] >= 3
    assert alert["p_value"] < 0.01
    assert all(item["title"] and item["publisher"] and item["url"] for item in alert["top_items"])


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def march(svb: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """The days around the failure, as a plain file."""
    path = tmp_path_factory.mktemp("march") / "march.ndjson"
    with gzip.open(svb) as stream:
        wanted = (line for line in stream if b'"2023-03-0' in line[:30] or b'"2023-03-1' in line[:30])
        lines = list(islice(_lines(wanted), FEBRUARY_LINES))
    path.write_bytes(b"".join(lines))
    return path, lines


def _lines(stream: Iterator[bytes]) -> Iterator[bytes]:
    for line in stream:
        if "published" in json.loads(line):
            yield line


@pytest.fixture(scope="module")
def reference(march: tuple[Path, list[bytes]], watchlist: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("reference")
    replay(folder, march[0], "march", "--watchlists", watchlist, "--lateness", "1800")
    return outcome(folder, "march")


def same(got: Outcome, want: Outcome) -> None:
    assert got.items == want.items
    assert got.rows == want.rows
    assert got.alerts == want.alerts


def test_the_reference_raises_alerts(reference: Outcome) -> None:
    assert reference.alerts
    assert len(reference.rows) > 100


def test_four_partitions_change_nothing(
    march: tuple[Path, list[bytes]], watchlist: Path, reference: Outcome, tmp_path: Path
) -> None:
    replay(tmp_path, march[0], "march", "--watchlists", watchlist, "--lateness", "1800", "--partitions", "4")
    got = outcome(tmp_path, "march")
    same(got, reference)
    assert got.stats == reference.stats


def test_disorder_and_repeats_change_nothing(
    march: tuple[Path, list[bytes]], watchlist: Path, reference: Outcome, tmp_path: Path
) -> None:
    file = tmp_path / "shuffled.ndjson"
    lines = shuffled(march[1], 7, 15 * MINUTES_MS, 0.05)
    file.write_bytes(b"".join(lines))
    replay(tmp_path, file, "march", "--watchlists", watchlist, "--lateness", "1800", "--partitions", "4")
    got = outcome(tmp_path, "march")
    same(got, reference)
    assert got.stats.duplicates - reference.stats.duplicates == len(lines) - len(march[1])


def test_three_kills_change_nothing_and_neither_does_a_second_replay(
    march: tuple[Path, list[bytes]], watchlist: Path, reference: Outcome, tmp_path: Path
) -> None:
    options = ("--watchlists", watchlist, "--lateness", "1800")
    assert replay_killed(tmp_path, march[0], "march", (0.1, 0.4, 0.7), *options) == 3
    got = outcome(tmp_path, "march")
    same(got, reference)
    assert got.stats == reference.stats
    replay(tmp_path, march[0], "march", *options)
    assert outcome(tmp_path, "march") == got


def test_an_earlier_file_is_refused_with_the_dates(march: tuple[Path, list[bytes]], tmp_path: Path) -> None:
    late, early = tmp_path / "late.ndjson", tmp_path / "early.ndjson"
    late.write_bytes(b"".join(march[1][300:400]))
    early.write_bytes(b"".join(march[1][:100]))
    replay(tmp_path, late, "one")
    refused = replay(tmp_path, early, "one", check=False)
    assert refused["exit"] == 1
    assert refused["stderr"].count("2023-03-") == 2


def test_people_s_complaints_work_as_well(shared_data: Path, tmp_path: Path) -> None:
    """Tweets to airlines: another shape, told by a field map; each airline is an entity."""
    field_map = Path(feeds.__file__).parent / "maps" / "tweets.yaml"
    stream = shared_data / "streams" / "airline_tweets_2015-02.ndjson.gz"
    report = replay(tmp_path, stream, "airlines", "--field-map", field_map)
    assert report["items"] + report["revisions"] + report["duplicates"] + report["rejects"] == 14_640
    got = outcome(tmp_path, "airlines")
    airlines = {key.removeprefix("s/negative/entity/") for key in got.rows if key.startswith("s/negative/entity/")}
    assert {"Delta", "United", "Southwest", "US Airways", "American"} <= airlines
