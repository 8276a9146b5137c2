"""Real tweets to airlines, judged by people: the storm weekend raises alerts, the days before do not.

`../shared/data/streams/airline_tweets_2015-02.ndjson.gz`; the labels are human, so only the detection is on trial.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts import AlertConfig, Mention
from tests.alerts.one_series import mention_of

Play = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
TWEETS = ROOT.parent / "shared" / "data" / "streams" / "airline_tweets_2015-02.ndjson.gz"
FINANCE = ROOT / "streams" / "profiles" / "finance" / "alerts.yaml"

pytestmark = pytest.mark.skipif(not TWEETS.exists(), reason=f"{TWEETS.name} is not beside this checkout")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def tweets() -> Iterator[tuple[Mention, list[str]]]:
    """All airlines but American, which the crawl lacks before the storm. Each voice counts: no collapsing."""
    with gzip.open(TWEETS, "rt", encoding="utf-8") as lines:
        for line in lines:
            tweet = json.loads(line)
            if tweet["entity"] == "American":
                continue
            seen_ms = ms(tweet["published"].removesuffix("Z"))
            negative = int(tweet["sentiment"] == "negative")
            signature = zlib.crc32(tweet["text"].lower().encode()) + 1
            yield mention_of(seen_ms, tweet["id"], signature, negative, float(negative)), [f"entity/{tweet['entity']}"]


def test_the_storm_weekend_raises_alerts_and_the_days_before_do_not(play: Play) -> None:
    mapping = yaml.safe_load(FINANCE.read_text(encoding="utf-8"))
    config = AlertConfig.from_mapping({**mapping, "collapse": False})
    played = play(config, tweets())
    storm = [event for event in played.opened if ms("2015-02-21") <= event.onset_ms < ms("2015-02-24")]
    assert {"entity/US Airways", "entity/Southwest"} <= {event.series for event in storm}
    assert [event for event in played.opened if event.onset_ms < ms("2015-02-21")] == []
    worst = [event for event in played.events if event.series == "entity/US Airways"]
    assert "critical" in {event.severity for event in worst}
    assert len(played.opened) <= 10
