"""`moodwire alerts list|show|explain|tail`, `items search` and `series show` over an archive with a crisis in it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from alerts import AlertEvent
from alerts.judge.entries import ViewKind
from alerts.judge.rows import AlertRow
from streams.archive.protocol import StoredDecision, StoredView
from streams.archive.sqlite import SqliteArchive
from streams.cli import app
from streams.errors import MoodwireError
from streams.jobs.held_back import held_back
from streams.stages.watch import stored_alert
from tests.alerts.delivery_event import delivery_event
from tests.archive_news import CRISIS_MS, END_MS, SERIES, START_MS, crisis_news, watched_events

RUNNER = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def events() -> list[AlertEvent]:
    return watched_events(crisis_news())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, events: list[AlertEvent]) -> Path:
    """A data folder with the namespace `crisis`: its archive alone, as a reader finds it beside workers elsewhere."""
    data = tmp_path_factory.mktemp("data")
    (data / "crisis").mkdir()
    asyncio.run(_fill(data / "crisis" / "archive.db", events))
    return data


async def _fill(path: Path, events: list[AlertEvent]) -> None:
    archive = SqliteArchive(path)
    await archive.write_items(crisis_news())
    await archive.write_alerts([stored_alert(event) for event in events])
    other = msgspec.structs.replace(delivery_event("0f" * 16), series="entity/\x1b[31mEVIL", state="resolved")
    await archive.write_alerts([stored_alert(other)])
    await archive.record_decisions([noted(3, events[0].id), noted(4, "elsewhere", by="ben", outcome="moved")])
    await archive.close()


def noted(place: int, target: str, by: str = "ann", outcome: str = "accepted") -> StoredDecision:
    return StoredDecision(
        place, f"d{place}", "note", by, target, CRISIS_MS, CRISIS_MS + 5, outcome, 2, "\x1b[31mlook", b'{"text": "hm"}'
    )


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(folder))
    monkeypatch.setenv("MOODWIRE_NAMESPACE", "crisis")
    return iter(())


def said(*words: str, code: int = 0) -> str:
    done = RUNNER.invoke(app, list(words))
    raised = str(done.exception) if isinstance(done.exception, MoodwireError) else ""
    assert done.exit_code == code, (done.output, done.exception)
    return done.output + raised


def rows(*words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(*words, "--json").splitlines()]


def test_alerts_are_listed_in_their_present_state_and_by_what_is_asked(events: list[AlertEvent]) -> None:
    latest = {event.id: event for event in events}
    listed = rows("alerts", "list")
    assert [row["id"] for row in listed[1:]] == sorted(latest, key=lambda name: (latest[name].onset_ms, name))
    assert listed[1:] == [msgspec.json.decode(latest[row["id"]].to_json()) for row in listed[1:]]
    assert [row["id"] for row in rows("alerts", "list", "--series", SERIES)] == [row["id"] for row in listed[1:]]
    assert {row["state"] for row in rows("alerts", "list", "--state", "resolved")} == {"resolved"}
    assert [row["severity"] for row in rows("alerts", "list", "--severity", "critical", "--limit", "1")] == ["critical"]
    assert rows("alerts", "list", "--since", "2100-01-01") == []
    shown = said("alerts", "list")
    assert f"{len(listed)} alerts" in shown
    assert "\x1b" not in shown


async def test_what_holds_an_alert_back_is_named(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "archive.db")
    all_of_it, company = (
        msgspec.structs.replace(delivery_event(digit * 32), series=series, state="firing")
        for digit, series in (("a", "all"), ("b", SERIES))
    )
    rows_of = [
        AlertRow(event=event, labels={}, changed_ms=1, hidden_by=by)
        for event, by in ((all_of_it, "silence/s1"), (company, f"inhibited/{all_of_it.id}"))
    ]
    await archive.record_views(
        [StoredView(ViewKind.ALERT, row.event.id, 1, 1, msgspec.json.encode(row)) for row in rows_of]
    )
    found = await held_back(archive, [all_of_it.id, company.id, "unknown"])
    await archive.close()
    assert {name: one.text for name, one in found.items()} == {
        all_of_it.id: "held back by the silence s1",
        company.id: f"held back while all fires (alert {all_of_it.id})",
    }


def test_an_alert_is_shown_by_the_beginning_of_its_id(events: list[AlertEvent]) -> None:
    event = events[0]
    [shown] = rows("alerts", "show", event.id[:8])
    assert [row["revision"] for row in shown["changes"]] == [one.revision for one in events if one.id == event.id]
    assert shown["alert"] == shown["changes"][-1]
    assert said("alerts", "show", event.id).count("entity/ACME") >= len(shown["changes"])
    assert "there is no alert 'ffffff'" in said("alerts", "show", "ffffff", code=1)


def test_who_decided_what_is_listed_and_shown_with_its_alert(events: list[AlertEvent]) -> None:
    assert [(row["id"], row["by"], row["outcome"], row["decision"]) for row in rows("audit")] == [
        ("d3", "ann", "accepted", {"text": "hm"}), ("d4", "ben", "moved", {"text": "hm"}),
    ]  # fmt: skip
    assert [row["id"] for row in rows("audit", "--by", "ben")] == ["d4"]
    assert [row["id"] for row in rows("audit", "--about", events[0].id, "--kind", "note", "--limit", "5")] == ["d3"]
    assert rows("audit", "--since", _iso(CRISIS_MS + 1)) == []
    [shown] = rows("alerts", "show", events[0].id)
    assert [row["id"] for row in shown["decisions"]] == ["d3"]
    printed = said("audit") + said("alerts", "show", events[0].id)
    assert printed.count("ann  note") == 2
    assert "\x1b[31m" not in printed


def test_the_latest_changes_are_the_last_ones(events: list[AlertEvent]) -> None:
    changes = sorted((one.updated_ms, one.id, one.revision) for one in events)
    assert [(row["updated_ms"], row["id"], row["revision"]) for row in rows("alerts", "tail", "-l", "3")] == changes[
        -3:
    ]
    assert rows("alerts", "tail", "-l", "0") == []


def test_an_alert_is_explained_by_what_it_was_opened_on(events: list[AlertEvent]) -> None:
    [found] = rows("alerts", "explain", events[0].id[:10])
    assert (found["series"], found["signal"], found["at_ms"]) == (SERIES, "negative", events[0].updated_ms)
    opened = [one for one in found["findings"] if one["reason"] == "opened"]
    assert events[0].p_value in [one["p_value"] for one in opened]
    assert [one["id"] for one in found["changes"]] == [events[0].id]
    assert "an alert opens" in said("alerts", "explain", events[0].id)


def test_why_none_opened_is_answered_by_series_and_time() -> None:
    call = "alerts", "explain", "--series", SERIES, "--at"
    [found] = rows(*call, _iso(CRISIS_MS - 3_600_000))
    assert "opened" not in {one["reason"] for one in found["findings"]}
    assert "less history than the warm-up" in said(*call, _iso(START_MS + 3_600_000))
    assert "no time" in said(*call, "yesterday-ish", code=2)
    said("alerts", "explain", code=2)
    said("alerts", "explain", "--series", SERIES, code=2)
    assert "is not watched" in said(*call, "2h", "--signal", "loud", code=1)


def test_items_are_found_by_words_series_and_label() -> None:
    found = rows("items", "search", "run acme", "--series", SERIES, "--label", "sentiment=negative", "--limit", "100")
    assert len(found) == 28
    assert {row["news"]["title"][:11] for row in found} == {"Run on ACME"}
    assert "«Run» on «ACME» 13" in said("items", "search", "run acme", "--limit", "1")
    assert "No such items" in said("items", "search", "unheard")
    said("items", "search", "--label", "negative", code=2)


def test_a_series_is_shown_with_its_band_and_the_crisis_above_it() -> None:
    call = "series", "show", SERIES, "--since", _iso(START_MS), "--until", _iso(END_MS)
    buckets = rows(*call, "--bucket", "1h")
    assert len(buckets) == 240
    [crisis] = [one for one in buckets if one["start_ms"] == CRISIS_MS]
    assert crisis["hits"] == 14 > crisis["high"]
    assert sum(one["total"] for one in rows(*call, "--no-band")) == sum(one["total"] for one in buckets) + 14, "copies"
    shown = said(*call)
    assert "█" in shown
    assert "band" in shown
    assert "14 of " in shown
    assert "band" not in said("series", "show", "source/wire 1")
    assert "did you mean 'entity/ACME'?" in said("series", "show", "entity/ACNE", code=1)
    said("series", "show", SERIES, "--bucket", "7m", code=2)


def test_a_series_without_its_band_needs_no_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "rules.yaml"
    wrong.write_text("rules: [{name: a, serie: [all]}]")
    monkeypatch.setenv("MOODWIRE_RULES", str(wrong))
    assert "rules.yaml:1" in said("series", "show", SERIES, code=1)
    assert SERIES in said("series", "show", SERIES, "--no-band")


def _iso(time_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()


async def test_what_follows_is_printed_as_it_comes(folder: Path) -> None:
    """Another process archives; the follower prints each change once, in order."""
    path = folder / "follow" / "archive.db"
    path.parent.mkdir()
    archive = SqliteArchive(path)
    await archive.write_alerts([stored_alert(delivery_event("aa" * 16))])
    call = [
        sys.executable,
        "-c",
        "from streams.cli import main; main()",
        "alerts",
        "tail",
        "-f",
        "-n",
        "follow",
        "--json",
    ]
    follower = await asyncio.create_subprocess_exec(*call, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."})
    try:
        assert follower.stdout is not None
        async with asyncio.timeout(120):
            printed = [json.loads(await follower.stdout.readline())]
            later = [delivery_event("aa" * 16, 2), delivery_event("aa" * 16, 3), delivery_event("bb" * 16)]
            await archive.write_alerts([stored_alert(event) for event in later])
            printed += [json.loads(await follower.stdout.readline()) for _ in later]
        assert [(row["id"][:2], row["revision"]) for row in printed] == [("aa", 1), ("aa", 2), ("aa", 3), ("bb", 1)]
    finally:
        follower.terminate()
        await follower.wait()
        await archive.close()
