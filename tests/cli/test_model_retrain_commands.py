"""`moodwire model retrain|gate|shadow --report`, with a stand-in for the training packages."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models.registry import Registry
from streams.archive import open_archive
from streams.cli import app
from streams.cli.model_retrain import training_options
from streams.engine.ports import Send
from streams.errors import SettingsError
from streams.lifecycle.candidate import next_version
from streams.lifecycle.errors import TrainingFailed, TrainingUnavailable
from streams.lifecycle.feedback import Feedback, feedback_sends
from streams.settings import Settings
from streams.transport.broker import TopicSpec, open_broker
from tests.conftest import ROOT
from tests.lifecycle.fake_training import MODEL
from tests.lifecycle.scored_items import scored

LABELS = ("negative", "neutral", "positive")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path / "data"))
    with (tmp_path / "own.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows((f"Company {number} reports quarterly results", "neutral") for number in range(40))
    (tmp_path / "own.yaml").write_text(
        "name: own\nlicence: none\nhead: sentiment\nhead_labels: [negative, neutral, positive]\nlabel: label\n"
        "label_map: {negative: negative, neutral: neutral, positive: positive}\n"
        "splits: {all: own.csv, test_share: 0.5}\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture(autouse=True)
def _equally_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights take the same time; on a busy machine a clock would say otherwise."""
    monkeypatch.setattr("streams.lifecycle.gate.measure_latency", lambda models, texts: [0.01] * len(models))


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python that has the stand-in for the training packages."""
    program = tmp_path / "python"
    call = f"{sys.executable} -m tests.lifecycle.fake_training"
    program.write_text(f'#!/bin/sh\ncd "{ROOT}" && exec {call} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return program


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["model", *map(str, arguments)])


def settings(home: Path) -> Settings:
    return Settings(data_dir=home / "data", namespace="live")


async def _fill(home: Path, count: int) -> None:
    settings(home).home.mkdir(parents=True)
    archive = open_archive(settings(home).archive, settings(home).elastic)
    await archive.write_items([scored(number, f"Maker {number} misses its own forecast") for number in range(count)])
    await archive.close()


def corrected(home: Path, count: int) -> None:
    asyncio.run(_fill(home, count))
    topic = settings(home).topics.feedback
    sends: list[Send] = [
        send
        for number in range(count)
        for send in feedback_sends(
            topic, Feedback(item=f"id{number}", by="ann", at_ms=number, labels={"sentiment": "negative"})
        )
    ]
    with open_broker(settings(home).broker) as broker:
        broker.ensure_topics([TopicSpec(topic, 1, compacted=True)])
        broker.append(sends)


def retrain(home: Path, python: Path, *more: str) -> Result:
    own = home / "own.yaml"
    return run(
        "retrain", "--data", home, "--dataset", own, "--out", home / "run", "--python", python, "--json", *more
    )  # fmt: skip


def test_a_candidate_is_trained_with_the_corrections_taken_in_and_judged(home: Path, python: Path) -> None:
    corrected(home, 80)
    done = retrain(home, python, "--train-args", "--encoder some-encoder --epochs 2")
    assert isinstance(done.exception, SystemExit), (done.output, done.exception)
    assert done.exit_code == 1
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["rows"] == {"sentiment": 80}
    candidate = told["verdict"]["candidate"]
    assert candidate[0] == MODEL
    failed = [check["name"] for check in told["verdict"]["checks"] if not check["passed"]]
    assert failed == ["improvement"], "the same weights again are no better"
    checks = {check["name"] for check in told["verdict"]["checks"]}
    assert "accuracy of feedback-sentiment, sentiment" in checks, "it is asked about corrections it has not seen"
    asked = json.loads((home / "run" / "run" / "request.json").read_text(encoding="utf-8"))
    assert asked["options"] == {"encoder": "some-encoder", "epochs": "2"}
    assert [one["name"] for one in asked["datasets"]] == ["own", "feedback-sentiment"]
    assert (asked["language"], asked["behaviour"]) == ("en", "finance-en")
    assert asked["values"]["sentiment"] == {"negative": -1, "neutral": 0, "positive": 1}
    registry = Registry(settings(home).models)
    assert (registry.verdict(*candidate) or {})["passed"] is False
    refused = run("promote", *candidate)
    assert "the gate refused" in str(refused.exception)


def test_a_candidate_that_is_no_worse_may_be_let_through_when_asked(home: Path, python: Path) -> None:
    corrected(home, 80)
    retrain(home, python, "--model-version", "5.0.0")
    own = home / "own.yaml"
    asked = ("gate", MODEL, "5.0.0", "--data", home, "--dataset", own, "--allow-equal")
    done = run(*asked)
    assert done.exit_code == 0, done.output
    assert "may take the place of" in done.output
    assert json.loads(run(*asked, "--json").stdout.splitlines()[-1])["passed"] is True
    promoted = run("promote", MODEL, "5.0.0", "--json")
    assert json.loads(promoted.stdout)["promotion"]["gate"] == "passed"


def test_too_few_corrections_and_a_training_that_fails_are_said(home: Path, python: Path) -> None:
    corrected(home, 20)
    assert "20 corrections are agreed and usable, 50 are needed (--min-corrections)" in str(
        retrain(home, python).exception
    )
    failed = retrain(home, python, "--min-corrections", "5", "--train-args", "--fail")
    assert isinstance(failed.exception, TrainingFailed)
    assert (failed.exception.step, str(failed.exception)) == ("train", "train failed: no gradient")
    died = retrain(home, python, "--min-corrections", "5", "--train-args", "--die")
    assert "ended with exit code 3 and without an answer" in str(died.exception)
    missing = retrain(home, home / "nowhere", "--min-corrections", "5")
    assert isinstance(missing.exception, TrainingUnavailable)
    assert "cannot be started" in str(missing.exception)


def test_words_are_options_by_name() -> None:
    words = "--encoder 'my encoder' --teacher a --teacher b --freeze-layers=2 --restart"
    assert training_options(words) == {
        "encoder": "my encoder",
        "teacher": ["a", "b"],
        "freeze-layers": "2",
        "restart": True,
    }
    for wrong in ("encoder mine", "--encoder 'mine"):
        with pytest.raises(SettingsError, match="--train-args"):
            training_options(wrong)


def test_a_report_shows_where_a_shadow_differs(home: Path) -> None:
    asyncio.run(_fill(home, 30))
    version = Registry(settings(home).models).entries()[0].version
    told = json.loads(run("shadow", MODEL, version, "--report", "--json").stdout.splitlines()[-1])
    assert told["items"] == 30
    assert told["differs"]["sentiment"] == sum(told["moved"]["sentiment"].values()) > 0
    assert told["examples"][0]["title"].startswith("Maker ")
    assert "another sentiment for" in run("shadow", MODEL, version, "--report").output


def test_versions_go_on() -> None:
    assert next_version("1.0.0", []) == "1.0.1"
    assert next_version("1.0.0", ["1.0.1", "1.0.2"]) == "1.0.3"
    assert next_version("2024-a", []) == "2024-a.1"
