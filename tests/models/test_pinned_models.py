"""MOODWIRE_MODEL_SHA256: only models whose manifest has a checksum that the settings name are loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import OnnxClassifier
from models.artifact import open_artifact
from streams.classifiers import classifiers_of
from streams.cli.model_loop import show_models
from streams.errors import SettingsError
from streams.settings import Settings
from streams.text.profile import load_profile


def test_a_named_model_is_loaded(shipped_folder: Path) -> None:
    pins = f"{'0' * 64}, {open_artifact(shipped_folder).sha256.upper()}"
    (classifier,) = set(classifiers_of(Settings(model_sha256=pins, threads=1), load_profile("finance")).values())
    assert isinstance(classifier, OnnxClassifier)
    classifier.close()


def test_another_model_is_refused_with_its_checksum(shipped_folder: Path) -> None:
    sha256 = open_artifact(shipped_folder).sha256
    with pytest.raises(SettingsError, match=f"{sha256}, which MOODWIRE_MODEL_SHA256 does not name"):
        classifiers_of(Settings(model_sha256="0" * 64), load_profile("finance"))


def test_the_list_of_models_shows_checksums(
    shipped_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    show_models(json=True)
    assert open_artifact(shipped_folder).sha256 in {row["sha256"] for row in json.loads(capsys.readouterr().out)}
