"""What a profile says per language: checked at start-up, and a classifier may lie beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from models import shipped
from models.registry import Registry
from streams.classifiers import artifact_folders, classifiers_of, registry_of, shipped_models
from streams.errors import SettingsError
from streams.settings import Settings
from streams.text.profile import load_profile, read_yaml

FINANCE = load_profile("finance")
MODEL = FINANCE.classifiers["en"]


def profile_of(folder: Path, **changes: object) -> str:
    """A profile like `finance` in a folder of its own, with other values for some keys of `profile.yaml`."""
    folder.mkdir(exist_ok=True)
    keys = read_yaml(FINANCE.folder / "profile.yaml") | changes
    (folder / "profile.yaml").write_text(yaml.safe_dump(keys))
    shutil.copy(FINANCE.folder / "alerts.yaml", folder)
    return str(folder)


def test_a_language_without_a_classifier_has_no_model(tmp_path: Path) -> None:
    profile = load_profile(profile_of(tmp_path, languages={"en": {"classifier": MODEL}, "zh": {"words": "characters"}}))
    assert profile.classifiers == {"en": MODEL}
    assert artifact_folders(profile) == {"en": shipped(MODEL)}


@pytest.mark.parametrize(
    ("languages", "complaint"),
    [
        ({}, "describe 'en', the default_language"),
        ({"zh": {}}, "describe 'en', the default_language"),
        ({"en": {}, "english": {}}, "'english' is no language; take two letters"),
        ({"en": {"word": "spaces"}}, "word"),
        ({"en": {"words": "syllables"}}, "syllables"),
        ({"en": {"gazetteer": "absent.csv"}}, r"en\.gazetteer: there is no .*absent\.csv"),
        ({"en": {"evidence": {"codes": ["[0-9"]}}}, r"en\.evidence\.codes: .* is no regular expression"),
        ({"en": {"evidence": {"codes": [{"pattern": "x*"}]}}}, "matches nothing at all"),
        ({"en": {"evidence": {"ticker": "("}}}, r"en\.evidence\.ticker"),
        ({"en": {"evidence": {"exchanges": ["NYSE"]}}}, "say with the key `ticker`"),
    ],
)
def test_a_wrong_language_is_named_with_file_and_key(tmp_path: Path, languages: object, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as error:
        load_profile(profile_of(tmp_path, languages=languages))
    assert str(tmp_path / "profile.yaml") in str(error.value)


def test_a_classifier_that_is_neither_shipped_nor_beside_the_profile_is_named(tmp_path: Path) -> None:
    profile = load_profile(profile_of(tmp_path, languages={"en": {"classifier": "models/mine"}}))
    with pytest.raises(SettingsError, match=f"'models/mine' is no folder .* shipped: {MODEL}"):
        shipped_models(profile)


def test_a_classifier_beside_the_profile_is_found_everywhere(tmp_path: Path) -> None:
    beside = tmp_path / "own" / "models" / "mine"
    folder = profile_of(tmp_path / "own", languages={"en": {"classifier": "models/mine"}})
    shutil.copytree(shipped(MODEL), beside)
    manifest = beside / "artifact.json"
    manifest.write_text(manifest.read_text().replace(f'"{MODEL}"', '"mine"', 1))
    settings = Settings(profile=folder, data_dir=tmp_path / "data", threads=1)
    profile = load_profile(folder)
    version = shipped_models(profile)["en"][1]
    assert shipped_models(profile) == {"en": ("mine", version)}
    registry = registry_of(settings)
    assert registry.find("mine", version) == registry.find("mine") == beside
    assert [(one.name, one.where) for one in registry.entries()] == [(MODEL, "shipped"), ("mine", "profile")]
    (classifier,) = classifiers_of(settings, profile).values()
    assert (classifier.name, classifier.version) == ("mine", version)
    classifier.close()


def test_a_shipped_classifier_is_at_hand_once(tmp_path: Path) -> None:
    assert registry_of(Settings(data_dir=tmp_path)).entries() == Registry(tmp_path).entries()
