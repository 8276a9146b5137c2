"""The same alerts, scores and counts as before, on the sample feed and on news of a bank run: by digests.

A digest that changes is a change of what moodwire finds. Where that is meant, write down the new one and say why; the
events of `play_file` show what became another. `play_file` takes seconds, so it is also how an idea is tried.
"""

from __future__ import annotations

import gzip
import json
from importlib import resources
from pathlib import Path
from typing import Any

from alerts import AlertConfig
from streams.sample import write_sample
from streams.text.profile import load_profile
from tests.stages.in_process import play_file
from tests.stages.keyword_classifier import KeywordClassifier

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("alert_facts.json").read_text())


async def facts(path: Path, watchlists: Path) -> dict[str, Any]:
    profile = load_profile("finance")
    config = AlertConfig.of(profile.rules)
    played = await play_file(path, profile, config, {"en": KeywordClassifier()}, watchlists=watchlists)
    return (await played.facts()).as_json()


async def test_the_sample_feed_gives_what_it_gave(tmp_path: Path) -> None:
    feed = tmp_path / "sample.ndjson"
    write_sample(feed)
    found = await facts(feed, Path(str(resources.files("streams.sample") / "watchlists.yaml")))
    assert found == FACTS["sample"]


async def test_the_weeks_of_a_bank_run_give_what_they_gave(tmp_path: Path, shared_data: Path) -> None:
    march, watchlists = tmp_path / "march.ndjson", tmp_path / "watchlists.yaml"
    watchlists.write_text("watchlists: [{name: svb, names: [Silicon Valley Bank, SVB], tickers: [SIVB]}]")
    with gzip.open(shared_data / "streams" / "rss_svb_2023-02_2023-04.ndjson.gz") as lines:
        march.write_bytes(b"".join(line for line in lines if b'"2023-03-0' in line[:30] or b'"2023-03-1' in line[:30]))
    assert await facts(march, watchlists) == FACTS["svb"]
