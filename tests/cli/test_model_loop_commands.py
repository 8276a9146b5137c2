"""`moodwire model add|list|promote|rollback|shadow|feedback|review` as a user calls them."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models import shipped
from models.artifact import MANIFEST
from models.registry import Registry
from streams.archive import open_archive
from streams.cli import app
from streams.errors import MoodwireError
from streams.lifecycle.feedback import read_feedback
from streams.serving.control import read_control
from streams.settings import Settings
from streams.transport.broker import open_broker
from streams.transport.sqlite.broker import broker_path
from tests.lifecycle.scored_items import scored
from tests.profiles.test_own_profile import FOLDER

MODEL = "finance-en-minilm-int8"
SHIPPED = json.loads((shipped(MODEL) / MANIFEST).read_text(encoding="utf-8"))["version"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["model", *arguments])


def answer(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def settings(home: Path) -> Settings:
    return Settings(data_dir=home / "data", namespace="live")


def version_of(folder: Path, version: str, **change: Any) -> Path:
    copy = Path(shutil.copytree(shipped(MODEL), folder / f"v{version}"))
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    (copy / MANIFEST).write_text(json.dumps(manifest | {"version": version} | change), encoding="utf-8")
    return copy


def test_a_version_is_added_promoted_past_the_gate_and_taken_back(home: Path) -> None:
    answer("add", str(version_of(home, "9.0.0")))
    refused = run("promote", MODEL, "9.0.0")
    assert isinstance(refused.exception, MoodwireError)
    assert "the gate has not judged" in str(refused.exception)
    promotion = answer("promote", MODEL, "9.0.0", "--force", "a test", "--by", "ann")["promotion"]
    assert (promotion["gate"], promotion["reason"], promotion["by"]) == ("forced", "a test", "ann")
    now = {row["version"]: row["now"] for row in answer("list")}
    assert now == {SHIPPED: [], "9.0.0": ["in service (en)"]}
    assert answer("rollback")["promotion"]["version"] == SHIPPED
    assert "in service" in run("list").output
    with open_broker(settings(home).broker) as broker:
        control = read_control(broker.scan(settings(home).topics.control))
    assert [one.version for one in control.promotions["en"].earlier] == [SHIPPED, "9.0.0"]


def test_a_verdict_that_passed_opens_the_way(home: Path) -> None:
    answer("add", str(version_of(home, "9.0.0")))
    verdict = {"passed": True, "current": [MODEL, SHIPPED], "candidate": [MODEL, "9.0.0"], "checks": []}
    Registry(settings(home).models).keep_verdict(MODEL, "9.0.0", verdict)
    assert answer("promote", MODEL, "9.0.0")["promotion"]["gate"] == "passed"


def test_a_model_that_does_not_answer_the_profiles_labels_is_refused(home: Path) -> None:
    heads = {"sentiment": {"labels": ["bad", "neutral", "good"], "temperature": 1.0}}
    answer("add", str(version_of(home, "9.0.0", heads=heads)))
    done = run("promote", MODEL, "9.0.0", "--force", "a test")
    assert "does not answer negative, positive in the head 'sentiment'" in str(done.exception)


def test_a_shadow_begins_and_ends(home: Path) -> None:
    answer("add", str(version_of(home, "9.0.0")))
    assert answer("shadow", MODEL, "9.0.0", "--by", "ann")["shadow"]["version"] == "9.0.0"
    now = {row["version"]: row["now"] for row in answer("list")}
    assert now == {SHIPPED: ["in service (en)"], "9.0.0": ["shadow (en)"]}
    assert answer("shadow", "--stop") == {"language": "en", "shadow": None}
    assert {row["version"]: row["now"] for row in answer("list")} == {SHIPPED: ["in service (en)"], "9.0.0": []}
    assert "name a model and its version, or give --stop" in str(run("shadow").exception)


def test_a_version_is_never_in_service_and_its_own_shadow(home: Path) -> None:
    assert "is in service for en" in str(run("shadow", MODEL, SHIPPED).exception)
    answer("add", str(version_of(home, "9.0.0")))
    answer("shadow", MODEL, "9.0.0")
    answer("promote", MODEL, "9.0.0", "--force", "a test")
    assert {row["version"]: row["now"] for row in answer("list")} == {SHIPPED: [], "9.0.0": ["in service (en)"]}
    answer("shadow", MODEL, SHIPPED)
    answer("rollback")
    assert {row["version"]: row["now"] for row in answer("list")} == {SHIPPED: ["in service (en)"], "9.0.0": []}
    assert "those that were rolled back: finance-en-minilm-int8 9.0.0" in str(run("rollback").exception)


async def _fill(home: Path, count: int) -> None:
    settings(home).home.mkdir(parents=True)
    archive = open_archive(settings(home).archive, settings(home).elastic)
    await archive.write_items([scored(number, f"Company {number} warns") for number in range(count)])
    await archive.close()


def test_corrections_are_taken_reviewed_and_resolved(home: Path) -> None:
    asyncio.run(_fill(home, 3))
    assert answer("feedback", "id1", "--label", "sentiment=negative", "--by", "ann")["taken"] == 1
    answer("feedback", "id1", "-L", "sentiment=neutral", "--by", "bob")
    assert answer("review")["conflicts"] == [
        {"item": "id1", "head": "sentiment", "votes": {"negative": ["ann"], "neutral": ["bob"]}}
    ]
    assert "held back" in run("review").output
    answer("feedback", "id1", "-L", "sentiment=negative", "--by", "eve", "--resolve")
    assert answer("review") == {"agreed": {"id1": {"sentiment": "negative"}}, "conflicts": []}
    answer("feedback", "id1", "--withdraw", "--by", "eve")
    assert len(answer("review")["conflicts"]) == 1
    with open_broker(settings(home).broker) as broker:
        words = read_feedback(broker.scan(settings(home).topics.feedback))
    assert {word.by: word.version for word in words} == dict.fromkeys(("ann", "bob", "eve"), "model 1")


def test_a_second_correction_leaves_the_first_one_of_another_head(home: Path) -> None:
    asyncio.run(_fill(home, 1))
    answer("feedback", "id0", "-L", "sentiment=negative", "--by", "ann")
    answer("feedback", "id0", "-L", "topic=Earnings", "--by", "ann")
    assert answer("review")["agreed"] == {"id0": {"sentiment": "negative", "topic": "Earnings"}}
    answer("feedback", "id0", "--withdraw", "--by", "ann")
    assert answer("review")["agreed"] == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-L", "sentimant=negative"], "no head 'sentimant' that judges texts; did you mean 'sentiment'?"),
        (["-L", "sentiment=negativ"], "the head 'sentiment' has no label 'negativ'; did you mean 'negative'?"),
        (["-L", "topic=Earning"], "the head 'topic' has no label 'Earning'; did you mean 'Earnings'?"),
        (["-L", "negative=positive"], "it is a signal, made of the head 'sentiment'"),
        (["-L", "entity=negative"], "there is no head 'entity' that judges texts"),
        (["-e", "Company=negativ"], "no label 'negativ' for the entity 'Company'; did you mean 'negative'?"),
        (["-L", "topic=Earnings", "-L", "topic=Markets"], "named twice"),
        (["-L", "sentiment=negative", "--profile", str(FOLDER)], "no head 'sentiment'"),
    ],
)
def test_what_the_profile_and_its_models_do_not_have_cannot_be_corrected(
    home: Path, arguments: list[str], says: str
) -> None:
    asyncio.run(_fill(home, 1))
    assert says in str(run("feedback", "id0", *arguments).exception)
    assert not broker_path(settings(home).broker).exists(), "nothing is made for it"


def test_a_line_with_a_label_that_is_not_known_is_named_and_the_others_are_taken(home: Path) -> None:
    asyncio.run(_fill(home, 3))
    labels: list[dict[str, Any]] = [
        {"labels": {"sentiment": "negative"}},
        {"labels": {"sentiment": "sad"}},
        {"label": "negative"},
    ]
    file = home / "said.ndjson"
    lines = [json.dumps({"item": f"id{number}"} | one) for number, one in enumerate(labels)]
    file.write_text("\n\n".join(lines), encoding="utf-8")
    done = run("feedback", "--from", str(file), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout.splitlines()[-1]) == {"taken": 1, "unknown": [], "rejected": 2}
    assert "line 3: the head 'sentiment' has no label 'sad'; take one of negative, neutral, positive" in done.output
    assert "line 5: bad_feedback: no labels and no entities" in done.output
    assert answer("review")["agreed"] == {"id0": {"sentiment": "negative"}}


def test_a_file_of_corrections_tells_what_it_cannot_take(home: Path) -> None:
    asyncio.run(_fill(home, 3))
    lines = [{"item": f"id{number}", "labels": {"sentiment": "negative"}} for number in range(5)]
    file = home / "said.ndjson"
    file.write_text("\n".join([json.dumps(line) for line in lines] + ["{broken"]), encoding="utf-8")
    done = run("feedback", "--from", str(file), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout.splitlines()[-1]) == {"taken": 3, "unknown": ["id3", "id4"], "rejected": 1}
    assert len(answer("review")["agreed"]) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["feedback", "id1"], "give the right label"),
        (["feedback"], "name the item"),
        (["feedback", "id1", "--label", "negative"], "is not HEAD=LABEL"),
        (["rollback"], "nothing to go back to"),
        (["promote", MODEL, "77"], "there is no model"),
    ],
)
def test_what_is_wrong_is_said(home: Path, arguments: list[str], says: str) -> None:
    assert says in str(run(*arguments).exception)
