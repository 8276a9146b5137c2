"""A signal that is added while a namespace is in use: what `watch` reports, and what the archive knows of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from streams.records import HeadScore
from streams.stages.counting import Counting
from streams.text.profile import load_profile
from tests.bench.bench_watch_state import START_MS, Feed
from tests.stages.finance_items import sentiment
from tests.stages.test_archived_mentions import scored


async def test_watch_reports_once_that_its_history_begins_now(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed()
    await feed.take(START_MS, [feed.item(START_MS, ("all",))])
    assert caplog.records == [], "a namespace that begins has no history of any signal"
    feed.config = msgspec.structs.replace(feed.config, signals=("negative", "positive"))
    feed.stage = feed.new_stage()
    for later_ms in (60_000, 120_000):
        await feed.take(START_MS + later_ms, [feed.item(START_MS + later_ms, ("all",))])
    (record,) = caplog.records
    line: Any = record.msg
    assert (record.levelname, line["signals"], line["warm_up_hours"]) == ("WARNING", ["positive"], 72)
    assert "archive rebuild-state" in line["event"]
    caplog.clear()
    feed.stage = feed.new_stage()
    await feed.stage.partition(0)
    assert caplog.records == [], "its history has begun"


def test_an_archived_item_counts_for_signals_and_series_that_came_later(tmp_path: Path) -> None:
    """The scores that it was given answer for them; of a head without kept probabilities the label alone does."""
    shutil.copytree(load_profile("finance").folder, tmp_path / "own")
    path = tmp_path / "own" / "profile.yaml"
    profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    profile["heads"]["topic"] = {"labels": ["Earnings", "Macro"]}
    profile["signals"] |= {
        "gloomy": {"head": "sentiment", "labels": ["negative", "neutral"], "least": 0.8},
        "earnings": {"head": "topic", "labels": ["Earnings"]},
        "macro": {"head": "topic", "labels": ["Macro"]},
    }
    profile["series"]["wire"] = {"of": "source"}
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    heads = {"sentiment": sentiment("negative", 0.5, 0.4, 0.1), "topic": HeadScore("Earnings", 0.7)}
    item = msgspec.structs.replace(scored(1, "e", 0), heads=heads)
    again = Counting(load_profile(str(tmp_path / "own"))).again(item)
    hits = {"negative": 0.5, "gloomy": 0.9, "earnings": 0.7}
    assert again.series == {
        "all": hits, "source/wire": hits, "topic/Earnings": hits, "wire/wire": hits
    }  # fmt: skip
    same = Counting(load_profile("finance"))
    assert same.again(same.again(item)).series == same.again(item).series
