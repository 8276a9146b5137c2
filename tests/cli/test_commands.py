"""The commands as a user calls them: a process each, its output and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streams.namespaces import Kind, declare
from streams.sample import START, ground_truth
from streams.topics import Topics
from streams.transport.broker import TopicSpec, open_broker
from tests.integration.replays import command, environment


def moodwire(
    folder: Path, *arguments: str | Path, text: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(folder) | variables,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("demo")
    done = moodwire(folder, "demo", "--json")
    assert done.returncode == 0, done.stderr
    alerts: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["alerts"]
    return folder, alerts


def test_the_demo_finds_both_crises_while_they_last(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    for crisis in ground_truth(START):
        series = f"watchlist/{crisis.watchlist}" if crisis.watchlist else f"entity/{crisis.symbol}"
        onsets = [alert["onset_ms"] for alert in demo[1] if alert["series"] == series]
        begins, calms = (int(moment.timestamp() * 1000) for moment in (crisis.begins, crisis.calms))
        assert len(onsets) == 1, series
        assert begins <= onsets[0] <= calms
    assert min(alert["onset_ms"] for alert in demo[1]) >= min(
        int(crisis.begins.timestamp() * 1000) for crisis in ground_truth(START)
    ), "an alert before anything happened"


def test_the_demo_tells_of_each_crisis_in_messages_of_its_own(tmp_path: Path) -> None:
    assert moodwire(tmp_path, "demo").returncode == 0
    done = moodwire(tmp_path, "deliver", "list", "-n", "demo", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    groups = {row["id"].rpartition(".")[0]: row["series"] for row in rows}
    crises = {f"watchlist/{one.watchlist}" if one.watchlist else f"entity/{one.symbol}" for one in ground_truth(START)}
    assert sorted(groups.values()) == sorted(crises), "one group each"
    assert {row["series"] for row in rows if row["change"] == "resolved"} == crises
    assert {row["state"] for row in rows} == {"sent"}


def test_the_demo_s_alerts_bring_headlines_and_what_was_expected(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    for alert in demo[1]:
        low, high = alert["peak"]["interval"]
        assert low <= alert["peak"]["expected"] <= high + 1
        assert alert["peak"]["hits"] > high
        assert all(item["title"] and item["publisher"] and item["url"] for item in alert["top_items"])


def test_rejects_are_listed_and_what_still_cannot_be_read_stays(demo: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = demo
    listed = moodwire(folder, "rejects", "list", "-n", "demo", "--json").stdout.splitlines()
    assert {json.loads(line)["reason"] for line in listed} >= {"bad_json", "no_title"}
    retried = json.loads(moodwire(folder, "rejects", "retry", "-n", "demo", "--json").stdout)
    assert (retried["retried"], sum(retried["refused"].values())) == (0, len(listed))
    told = moodwire(folder, "rejects", "retry", "-n", "demo").stdout
    assert "0 records sent again" in told
    assert "bad_json" in told
    assert len(moodwire(folder, "rejects", "list", "-n", "demo", "--json").stdout.splitlines()) == len(listed)


def test_score_reads_lines_and_speaks_json(tmp_path: Path) -> None:
    lines = "Lender collapses as depositors flee\nChip maker posts record profit and raises its outlook\n"
    done = moodwire(tmp_path, "score", "-", "--json", text=lines)
    labels = [json.loads(line)["heads"]["sentiment"]["label"] for line in done.stdout.splitlines()]
    assert labels == ["negative", "positive"]
    assert done.returncode == 0


def test_with_json_every_line_has_a_record(tmp_path: Path) -> None:
    done = moodwire(tmp_path, "score", "-", "--json", text="Good news\n\n<p></p>\nBad news\n")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["title"] for record in records] == ["Good news", "", "<p></p>", "Bad news"]
    assert ["rejected" in record for record in records] == [False, True, True, False]
    assert done.returncode == 1  # for the markup: an empty line is no failure


def test_texts_in_a_language_without_a_classifier_are_counted(tmp_path: Path) -> None:
    done = moodwire(tmp_path, "score", "-", text="银行倒闭引发市场恐慌情绪\nGood news\n银行倒闭引发恐慌\n")
    assert done.returncode == 0
    assert "2 of 3 texts have no score" in done.stderr
    assert "2 zh" in done.stderr


def test_a_text_that_cannot_be_scored_is_told(tmp_path: Path) -> None:
    done = moodwire(tmp_path, "score", "-", text="<p></p>\nGood news\n")
    assert done.returncode == 1
    assert "no_title" in done.stderr
    assert "Good news" in done.stdout


def test_doctor_is_content_with_a_new_folder(tmp_path: Path) -> None:
    done = moodwire(tmp_path, "doctor", "--json", MOODWIRE_WEBHOOK_SECRET=f"whsec_{'c2VjcmV0' * 4}")
    report = json.loads(done.stdout)
    assert done.returncode == 0, report
    assert not any(finding["problem"] for finding in report["findings"])
    assert "c2VjcmV0" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "variables", "complaint"),
    [
        (("score", "x"), {"MOODWIRE_PARTITION": "4"}, "MOODWIRE_PARTITION"),
        (("score", "x"), {"MOODWIRE_PARTITIONS": "many"}, "MOODWIRE_PARTITIONS"),
        (("score", "x", "--profile", "nonsense"), {}, "nonsense"),
        (("run", "--stage", "skore"), {}, "skore"),
        (("run", "--stage", "feeds"), {}, "MOODWIRE_FEEDS"),
        (("run",), {"MOODWIRE_FEEDS": "absent.yaml"}, "absent.yaml"),
        (("run",), {"MOODWIRE_ALLOWED_NETWORKS": "intranet"}, "MOODWIRE_ALLOWED_NETWORKS"),
        (("replay", "absent.ndjson"), {}, "absent.ndjson"),
        (("replay", "absent.ndjson", "--into", "Not Good"), {}, "Not Good"),
    ],
)
def test_a_wrong_call_is_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], complaint: str
) -> None:
    done = moodwire(tmp_path, *arguments, **variables)
    assert done.returncode in {1, 2}
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "", "nothing runs before all is checked"


def test_run_prints_nothing_where_it_may_not_run(tmp_path: Path) -> None:
    (tmp_path / "news").mkdir()
    topics = Topics("moodwire.", "news")
    with open_broker(f"sqlite://{tmp_path}/news/broker.db") as broker:
        broker.ensure_topics([TopicSpec(topics.control, 1, compacted=True)])
        declare(broker, topics, Kind.REPLAY, "finance")
    done = moodwire(tmp_path, "run", "-n", "news")
    assert done.returncode == 1
    assert "add --replay" in done.stderr
    assert done.stdout == ""


def test_run_stops_in_order_at_sigterm(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("run"), env=environment(tmp_path) | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "moodwire runs score, watch, deliver" in process.stdout.readline()
    while not (tmp_path / "live" / "broker.db").exists():
        os.sched_yield()
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGTERM}, rest
