"""`moodwire model evaluate`, as a user calls it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.replays import command, environment

DESCRIPTION = """
name: own
licence: CC0
head: sentiment
head_labels: [negative, neutral, positive]
label: verdict
label_map: {bad: negative, so-so: neutral, good: positive}
splits: {train: train.csv, test: test.csv}
"""


def moodwire(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(folder), capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A data set of a user's own, described and in place."""
    (tmp_path / "own.yaml").write_text(DESCRIPTION, encoding="utf-8")
    lines = {
        "bad": "Ironbark {} files for bankruptcy",
        "so-so": "Plan {} for a meeting",
        "good": "Record profit at Tin {}",
    }
    for part, numbers in (("train", range(40)), ("test", range(40, 60))):
        rows = [f"{text.format(number)},{verdict}" for number in numbers for verdict, text in lines.items()]
        (tmp_path / f"{part}.csv").write_text("\n".join(["text,verdict", *rows]) + "\n", encoding="utf-8")
    return tmp_path


def test_a_data_set_of_one_s_own_is_measured(own: Path) -> None:
    done = moodwire(
        own, "model", "evaluate", "--data", own, "--dataset", own / "own.yaml", "--json",
        "--out", own / "found.json", "--html", own / "found.html",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((own / "found.json").read_text(encoding="utf-8"))
    assert [one["score"]["rows"] for one in found["sets"]] == [60]
    assert found["sets"][0]["score"]["accuracy"] > 0.6
    assert sum(kind["tests"] for kind in found["behaviour"]) > 100
    assert (own / "found.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "keep it where those may be kept" in done.stderr


def test_without_data_behaviour_alone_is_measured(tmp_path: Path) -> None:
    done = moodwire(tmp_path, "model", "evaluate")
    assert done.returncode == 0, done.stderr
    assert "loss narrows" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "no shipped model is called 'nosuch'"),
        (["--behaviour", "nosuch"], "shipped lists: finance-en"),
        (["--out", "no/such/folder.json"], "cannot be written"),
    ],
)
def test_a_wrong_word_is_named(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = moodwire(tmp_path, "model", "evaluate", *arguments)
    assert done.returncode == 1
    assert said in done.stderr


def test_what_is_measured_is_the_profile_s(tmp_path: Path) -> None:
    """A profile may name no model, and may have no tests of behaviour."""
    desk: list[str | Path] = ["--profile", ROOT / "tests" / "profiles" / "service_desk"]
    for command_name in ("evaluate", "bench"):
        done = moodwire(tmp_path, "model", command_name, *desk)
        assert done.returncode == 1
        assert "the profile service-desk names no classifier; name a model" in done.stderr
    named = moodwire(tmp_path, "model", "evaluate", "finance-en-minilm-int8", *desk, "--json")
    assert json.loads(named.stdout)["behaviour"] == []


def test_models_are_timed_on_texts_of_one_s_own(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(f"Ironbark meets {number}" for number in range(40)), encoding="utf-8")
    done = moodwire(tmp_path, "model", "bench", "--texts", tmp_path / "texts.txt", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    (speed,) = json.loads(done.stdout).values()
    assert speed["texts"] == 40
    assert 0 < speed["alone_ms"] <= speed["alone_slow_ms"]
    assert speed["texts_per_second"] > 1_000 / speed["alone_slow_ms"] / 2


def test_a_file_without_texts_is_named(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("\n \n", encoding="utf-8")
    done = moodwire(tmp_path, "model", "bench", "--texts", tmp_path / "none.txt")
    assert done.returncode == 1
    assert "holds no texts" in done.stderr
