"""`moodwire rules check|test|diff` over an archive with a crisis in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.archive.sqlite import SqliteArchive
from streams.cli import app
from streams.errors import MoodwireError
from tests.archive_news import CRISIS_MS, SERIES, crisis_news, watched_events

RUNNER = CliRunner(env={"COLUMNS": "200"})


async def _fill(path: Path) -> None:
    archive = SqliteArchive(path)
    await archive.write_items(crisis_news())
    await archive.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    (data / "crisis").mkdir()
    asyncio.run(_fill(data / "crisis" / "archive.db"))
    return data


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(folder))
    monkeypatch.setenv("MOODWIRE_NAMESPACE", "crisis")
    return iter(())


def said(*words: str | Path, code: int = 0) -> str:
    done = RUNNER.invoke(app, ["rules", *map(str, words)])
    raised = str(done.exception) if isinstance(done.exception, MoodwireError) else ""
    assert done.exit_code == code, (done.output, done.exception)
    return done.output + raised


def answered(*words: str | Path, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(*words, "--json", code=code))
    return found


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_profile_s_rules_are_the_default() -> None:
    found = answered("check")
    assert found["file"] is None
    assert {rule["name"] for rule in found["rules"]} == {"volume", "share"}
    assert sum(rule["false_alarms_per_week"] for rule in found["rules"]) == pytest.approx(1.0)


def test_check_lists_the_series_of_the_profile_s_rules_as_one_writes_them() -> None:
    series = {tuple(rule["series"]) for rule in answered("check")["rules"]}
    assert series == {("watchlist/*",), ("entity/*",), ("topic/*",), ("all",)}
    assert "volume  volume  all  " in said("check")


def test_check_shows_a_rule_and_its_part_of_the_budget(tmp_path: Path) -> None:
    file = written(tmp_path / "rules.yaml", "rules: [{name: acme, series: [entity/ACME], budget_share: 0.25}]\n")
    found = answered("check", file)
    [rule] = [rule for rule in found["rules"] if rule["name"] == "acme"]
    assert rule["false_alarms_per_week"] == 0.25
    assert sum(rule["false_alarms_per_week"] for rule in found["rules"]) == pytest.approx(1.0)
    assert "acme  volume  entity/ACME  0.25 false alarms a week" in said("check", file)


def test_check_names_every_mistake_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path / "rules.yaml", "rules:\n  - {name: a, series: [entty/A]}\n  - {name: b, seris: [all]}\n")
    found = said("check", file, code=1)
    assert f"{file}:2: rules, entry 1: series, entry 1: there is no 'entty'; did you mean 'entity'?" in found
    assert f"{file}:3: rules, entry 2: there is no key 'seris'; did you mean 'series'?" in found


def test_check_warns_of_a_watchlist_that_does_not_exist_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = written(tmp_path / "watchlists.yaml", "watchlists: [{name: banks, names: [Bank]}]\n")
    monkeypatch.setenv("MOODWIRE_WATCHLISTS", str(lists))
    file = written(
        tmp_path / "rules.yaml", 'rules: [{name: a, series: [watchlist/bank, watchlist/banks, "watchlist/*"]}]\n'
    )
    [warning] = answered("check", file)["warnings"]
    assert warning == "rule 'a': there is no watchlist 'bank' yet; did you mean 'banks'?"
    assert warning in said("check", file)


def test_tried_on_the_archive_the_profile_s_rules_find_what_watch_found() -> None:
    expected = [event.onset_ms for event in watched_events(crisis_news()) if event.change == "opened"]
    found = answered("test")
    assert found["items"] == 928
    [volume] = [rule for rule in found["rules"] if rule["name"] == "volume"]
    assert volume["fired"] >= len(expected) > 0
    assert "fired" in said("test")


def test_a_rule_of_items_that_are_in_two_series_at_once_is_tried_too(tmp_path: Path) -> None:
    file = written(
        tmp_path / "rules.yaml",
        'profile_rules: false\nrules: [{name: both, series: ["watchlist/mine & entity/ACME"], minimum_hits: 5}]\n',
    )
    [rule] = answered("test", file)["rules"]
    assert rule["fired"] == 1
    assert "both/watchlist/mine & entity/ACME" in said("test", file)


def test_a_rule_that_fires_too_often_is_marked(tmp_path: Path) -> None:
    file = written(
        tmp_path / "rules.yaml",
        "rules: [{name: stories, series: [watchlist/mine], detector: each, often_per_day: 3, at_most_per_hour: 60}]\n",
    )
    [rule] = [one for one in answered("test", file, code=1)["rules"] if one["name"] == "stories"]
    assert rule["too_often"]
    assert rule["busiest_day"] > 3
    assert "too often" in said("test", file, code=1)


def test_diff_shows_the_alerts_that_come_and_go(tmp_path: Path) -> None:
    new = written(
        tmp_path / "new.yaml",
        f"profile_rules: false\nrules: [{{name: acme, series: [{SERIES}], severity: critical}}]\n",
    )
    found = answered("diff", new)
    assert {one["rule"] for one in found["removed"]} <= {"volume", "share"}
    assert [(one["rule"], one["severity"]) for one in found["added"]] == [("acme", "critical")]
    assert found["added"][0]["onset_ms"] >= CRISIS_MS
    assert answered("diff", new, "--against", new) == {"removed": [], "added": []}
    assert "+ " in said("diff", new)


def test_an_empty_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODWIRE_NAMESPACE", "none")
    assert "none" in said("test", code=1)
