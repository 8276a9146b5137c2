"""A profile that does not fit its classifiers is refused, wherever the two meet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.artifact import MANIFEST, open_artifact
from streams.app import Pipeline
from streams.classifiers import artifact_folders
from streams.cli import app
from streams.cli.doctor_files import FILE_CHECKS
from streams.errors import MoodwireError, SettingsError
from streams.lifecycle.changeover import PromoteRequest
from streams.lifecycle.errors import PromotionRefused
from streams.lifecycle.service import Lifecycle
from streams.namespaces import Kind
from streams.settings import Settings
from streams.text.answers import Answers, check_answers
from streams.text.profile import Profile, load_profile
from tests.conftest import ROOT

DESK = Path(__file__).parent / "service_desk"
URGENCY = ("low", "normal", "high")
MATTER = ("billing", "outage", "praise", "question")
FINANCE = ROOT / "streams" / "profiles" / "finance"

Changed = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """`changed(folder, old, new)`: a copy of the profile in which profile.yaml says something else."""

    def change(folder: Path, old: str, new: str) -> Path:
        copy = Path(shutil.copytree(folder, tmp_path / "profile"))
        text = (copy / "profile.yaml").read_text(encoding="utf-8")
        assert old in text
        (copy / "profile.yaml").write_text(text.replace(old, new), encoding="utf-8")
        return copy

    return change


def mistakes(profile: Profile, *classifiers: Answers) -> str:
    with pytest.raises(SettingsError) as found:
        check_answers(profile, classifiers)
    return str(found.value).replace(str(profile.folder), "FOLDER")


def test_labels_that_the_classifier_answers_in_any_order_fit() -> None:
    desk = load_profile(str(DESK))
    check_answers(desk, [Answers("m 1", {"urgency": URGENCY, "matter": MATTER, "matter/Rain": ("no", "Rain")}, {})])
    check_answers(desk, [])


def test_a_head_with_fewer_labels_than_the_classifier_answers_is_refused(changed: Changed) -> None:
    """Else the largest of those that are declared would be taken, however small."""
    desk = load_profile(str(changed(DESK, "labels: [low, normal, high]", "labels: [low, high]")))
    found = mistakes(desk, Answers("m 1", {"urgency": URGENCY, "matter": MATTER}, {}))
    problem = "m 1 also answers normal; add them: a text may be none of the others"
    assert found == f"FOLDER/profile.yaml:11: heads.urgency.labels: {problem}"


def test_a_head_with_labels_that_the_classifier_does_not_answer_is_refused(changed: Changed) -> None:
    desk = load_profile(str(changed(DESK, "labels: [low, normal, high]", "labels: [low, normal, middling, high]")))
    found = mistakes(desk, Answers("m 1", {"urgency": URGENCY, "matter": MATTER}, {}))
    assert found.endswith("m 1 does not answer middling; take low, normal, high, or another classifier")


def test_signals_and_series_by_a_head_that_no_classifier_answers_are_refused() -> None:
    found = mistakes(load_profile(str(DESK)), Answers("m 1", {"urgency": URGENCY}, {"matter": MATTER}))
    assert "signals.trouble.head: no classifier of the profile answers 'matter'; take one of urgency" in found
    assert "series.matter.head: no classifier of the profile answers 'matter'" in found


def test_one_language_s_classifier_is_enough_for_a_head() -> None:
    both = Answers("m 1", {"urgency": URGENCY, "matter": MATTER}, {})
    check_answers(load_profile(str(DESK)), [both, Answers("m 2", {"urgency": URGENCY}, {})])


@pytest.fixture
def short(changed: Changed) -> Path:
    """Finance, without a label of its classifier."""
    return changed(
        FINANCE,
        "sentiment: {labels: [negative, neutral, positive], values: {negative: -1, neutral: 0, positive: 1}}",
        "sentiment: {labels: [negative, positive], values: {negative: -1, positive: 1}}",
    )


def test_score_refuses_it(short: Path) -> None:
    done = CliRunner().invoke(app, ["score", "Grain trader warns", "--profile", str(short)])
    assert isinstance(done.exception, MoodwireError)
    assert "also answers neutral" in str(done.exception)


@pytest.mark.parametrize("kind", Kind)
async def test_run_and_replay_refuse_it(short: Path, tmp_path: Path, kind: Kind) -> None:
    settings = Settings(data_dir=tmp_path / "data", profile=str(short), terminal=False, http_port=0, threads=1)
    with pytest.raises(SettingsError, match="also answers neutral"):
        async with Pipeline(settings, ("score",), kind=kind):
            pass


def test_doctor_reports_it(short: Path) -> None:
    (check,) = [one for one in FILE_CHECKS if one.name == "classifier"]
    finding = check.finding(Settings(profile=str(short)))
    assert "heads.sentiment.labels" in finding.problem
    assert "also answers neutral" in finding.problem
    assert "correct profile.yaml" in finding.fix


@pytest.mark.parametrize(
    ("heads", "problem"),
    [
        ({"sentiment": ["negative", "neutral", "positive", "mixed"], "topic": ["a", "b"]}, "also answers mixed"),
        ({"sentiment": ["negative", "neutral", "positive"]}, "does not answer the head 'topic'"),
    ],
)
def test_a_version_that_does_not_fit_is_not_promoted(tmp_path: Path, heads: dict[str, list[str]], problem: str) -> None:
    settings = Settings(data_dir=tmp_path / "data", threads=1)
    [shipped] = artifact_folders(load_profile("finance")).values()
    copy = Path(shutil.copytree(shipped, tmp_path / "version"))
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    stated = {name: {"labels": labels, "temperature": 1.0} for name, labels in heads.items()}
    (copy / MANIFEST).write_text(json.dumps(manifest | {"version": "9.0.0", "heads": stated}), encoding="utf-8")
    lifecycle = Lifecycle(settings)
    lifecycle.add(copy)
    name = open_artifact(shipped).name
    with pytest.raises(PromotionRefused, match=problem):
        lifecycle.promote(PromoteRequest(name, "9.0.0", "ann", force="a test"))
