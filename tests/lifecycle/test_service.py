"""The model's life as calls: typed requests in, typed results and errors out, and nothing on a terminal."""

from __future__ import annotations

import asyncio
import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from models import shipped
from models.artifact import MANIFEST
from streams.archive import open_archive
from streams.errors import SettingsError
from streams.lifecycle.changeover import PromoteRequest, RollbackRequest
from streams.lifecycle.errors import LifecycleError, PromotionRefused, TooFewCorrections, TrainingUnavailable
from streams.lifecycle.feedback import Feedback
from streams.lifecycle.gate import GateRequest
from streams.lifecycle.progress import Silent
from streams.lifecycle.retrain import RetrainRequest
from streams.lifecycle.service import Lifecycle
from streams.lifecycle.shadows import ShadowReportRequest, ShadowRequest
from streams.lifecycle.training_set import TrainingSet
from streams.settings import Settings
from streams.text.profile import load_profile
from tests.lifecycle.fake_training import MODEL
from tests.lifecycle.scored_items import scored

NOW_MS = 1_750_000_000_000
[LANGUAGE] = load_profile("finance").classifiers


class Heard(Silent):
    """Remembers the steps of calls, and the corrections that they train with."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.rows: list[int] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def collected(self, training_set: TrainingSet, conflicts: int) -> None:
        self.rows.append(sum(training_set.rows.values()))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", threads=1)


@pytest.fixture
def progress() -> Heard:
    return Heard()


@pytest.fixture
def lifecycle(settings: Settings, progress: Heard) -> Lifecycle:
    return Lifecycle(settings, progress, clock=lambda: NOW_MS)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """The shipped model under another version."""
    copy = Path(shutil.copytree(shipped(MODEL), tmp_path / "second"))
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    (copy / MANIFEST).write_text(json.dumps(manifest | {"version": "9.0.0"}), encoding="utf-8")
    return copy


@pytest.fixture
def filled(settings: Settings) -> None:
    async def fill() -> None:
        settings.home.mkdir(parents=True)
        archive = open_archive(settings.archive, settings.elastic)
        await archive.write_items([scored(number, f"Maker {number} misses its forecast") for number in range(3)])
        await archive.close()

    asyncio.run(fill())


def correction(item: str, label: str = "negative", by: str = "ann") -> Feedback:
    return Feedback(item=item, by=by, at_ms=NOW_MS, labels={"sentiment": label})


def test_a_version_comes_into_service_and_goes_back(lifecycle: Lifecycle, second: Path, progress: Heard) -> None:
    before = lifecycle.versions()[0].entry.version
    entry = lifecycle.add(second)
    with pytest.raises(PromotionRefused, match="the gate has not judged"):
        lifecycle.promote(PromoteRequest(entry.name, entry.version, "ann"))
    found = lifecycle.promote(PromoteRequest(entry.name, entry.version, "ann", force="a test"))
    assert (found.promotion.at_ms, found.promotion.by, found.promotion.gate) == (NOW_MS, "ann", "forced")
    assert found.baselines is None, "nothing was counted yet"
    assert progress.steps == ["scoring the past again"]
    assert {one.entry.version: list(one.in_service) for one in lifecycle.versions()} == {
        before: [],
        "9.0.0": [LANGUAGE],
    }
    back = lifecycle.roll_back(RollbackRequest(lifecycle.sole_language(), "bob", baseline_days=None))
    assert (back.promotion.version, back.promotion.gate) == (before, "rollback")


def test_what_a_profile_does_not_read_is_refused(lifecycle: Lifecycle, second: Path) -> None:
    manifest = json.loads((second / MANIFEST).read_text(encoding="utf-8"))
    heads = {"sentiment": {"labels": ["bad", "neutral", "good"], "temperature": 1.0}}
    (second / MANIFEST).write_text(json.dumps(manifest | {"heads": heads}), encoding="utf-8")
    lifecycle.add(second)
    with pytest.raises(PromotionRefused, match="does not answer"):
        lifecycle.promote(PromoteRequest(MODEL, "9.0.0", "ann", force="a test"))


@pytest.mark.usefixtures("filled")
def test_a_shadow_is_started_reported_and_stopped(lifecycle: Lifecycle, second: Path, progress: Heard) -> None:
    entry = lifecycle.add(second)
    assert lifecycle.start_shadow(ShadowRequest(entry.name, entry.version, "ann")).language == entry.language
    assert [list(one.in_shadow) for one in lifecycle.versions()] == [[], [entry.language]]
    assert lifecycle.report_shadow(ShadowReportRequest(entry.name, entry.version)).items == 3
    assert progress.steps == ["scoring 3 items"]
    lifecycle.stop_shadow(entry.language)
    assert [list(one.in_shadow) for one in lifecycle.versions()] == [[], []]


@pytest.mark.usefixtures("filled")
def test_corrections_are_taken_reviewed_and_too_few(lifecycle: Lifecycle, tmp_path: Path, progress: Heard) -> None:
    taken = lifecycle.correct([correction("id1"), correction("id9"), correction("id2", by="ann")])
    assert [one.item for one in taken.taken] == ["id1", "id2"]
    assert list(taken.unknown) == ["id9"]
    lifecycle.correct([correction("id1", "neutral", by="bob")])
    found = lifecycle.review()
    assert (list(found.agreed), [one.item for one in found.conflicts]) == (["id2"], ["id1"])
    request = RetrainRequest(LANGUAGE, tmp_path, tmp_path / "out", "ann")
    with pytest.raises(TooFewCorrections) as refused:
        lifecycle.retrain(request)
    assert (refused.value.found, refused.value.wanted) == (1, 50)
    assert progress.rows == [1]
    nowhere = RetrainRequest(
        LANGUAGE, tmp_path, tmp_path / "out", "ann", python=str(tmp_path / "nowhere"), min_corrections=1
    )
    with pytest.raises(TrainingUnavailable, match="cannot be started"):
        lifecycle.retrain(nowhere)


def test_the_gate_answers_with_a_report_that_is_kept(
    lifecycle: Lifecycle, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.lifecycle.gate.measure_latency", lambda models, texts: [0.01] * len(models))
    with (tmp_path / "own.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("text", "label"), *((f"Company {n} reports results", "neutral") for n in range(40))]
        )
    (tmp_path / "own.yaml").write_text(
        "name: own\nlicence: none\nhead: sentiment\nhead_labels: [negative, neutral, positive]\nlabel: label\n"
        "label_map: {negative: negative, neutral: neutral, positive: positive}\n"
        "splits: {all: own.csv, test_share: 0.5}\n",
        encoding="utf-8",
    )
    entry = lifecycle.add(second)
    asked = GateRequest(entry.name, entry.version, tmp_path, "ann", datasets=[tmp_path / "own.yaml"], allow_equal=True)
    result = lifecycle.gate(asked)
    assert (result.passed, result.at_ms, result.by) == (True, NOW_MS, "ann")
    assert any(check.name.startswith("behaviour ") for check in result.report.checks), "the profile's list was asked"
    assert lifecycle.promote(PromoteRequest(entry.name, entry.version, "ann")).promotion.gate == "passed"


def test_the_errors_of_the_lifecycle_have_one_root() -> None:
    assert issubclass(PromotionRefused, LifecycleError)
    assert issubclass(TooFewCorrections, LifecycleError)
    assert issubclass(TrainingUnavailable, LifecycleError)


def test_a_profile_of_several_languages_asks_which(lifecycle: Lifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    several = SimpleNamespace(classifiers={"en": MODEL, "de": MODEL})
    monkeypatch.setattr("streams.lifecycle.service.load_profile", lambda name: several)
    with pytest.raises(SettingsError, match="classifiers for de, en: name one with --language"):
        lifecycle.sole_language()
