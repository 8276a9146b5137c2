"""What every profile keeps to: those that ship, the service desk that the tests bring, and the folder in `PROFILE`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.artifact import open_artifact
from streams.alert_rules import alert_config
from streams.classifiers import answers_of, artifact_folders
from streams.records import News
from streams.settings import Settings
from streams.stages.reader import TextReader
from streams.text.answers import check_answers
from streams.text.heads import Of
from streams.text.profile import Profile, load_profile
from tests.conftest import ROOT

FOLDERS = [
    *sorted(path.parent for path in (ROOT / "streams" / "profiles").glob("*/profile.yaml")),
    Path(__file__).parent / "service_desk",
    *map(Path, filter(None, [os.environ.get("PROFILE")])),
]


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def profile(request: pytest.FixtureRequest) -> Profile:
    folder: Path = request.param
    return load_profile(str(folder))


def test_its_rules_watch_what_it_declares(profile: Profile) -> None:
    config = alert_config(Settings(), profile)
    assert config.signals
    assert set(config.signals) <= set(profile.signals)
    assert set(config.kinds) <= set(profile.series)


def test_people_have_words_for_every_signal(profile: Profile) -> None:
    for name, signal in profile.signals.items():
        assert signal.words.get(profile.messages), f"signals.{name}.words: no words in {profile.messages!r}"
    assert profile.wording.severity("warning")


def test_its_classifiers_exist_and_answer_what_it_declares(profile: Profile) -> None:
    check_answers(profile, [answers_of(open_artifact(folder)) for folder in artifact_folders(profile).values()])


def test_its_texts_can_be_read(profile: Profile) -> None:
    reader = TextReader.build(profile)
    item = reader.read(News(id="1", content="c", source="s", seen_ms=1, title="A plain title"))
    assert (item.title, bool(item.language)) == ("A plain title", True)


def test_series_made_of_labels_name_a_head_with_labels_or_one_that_a_model_brings(profile: Profile) -> None:
    for name, kind in profile.series.items():
        assert (kind.of is Of.LABELS) == (kind.head is not None), name
