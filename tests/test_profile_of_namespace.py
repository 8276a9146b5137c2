"""A namespace keeps the profile that it was made with: a command with another one is refused and changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.artifact import open_artifact
from streams.app import Pipeline
from streams.archive.memory import MemoryArchive
from streams.classifiers import artifact_folders
from streams.errors import SettingsError
from streams.jobs.rebuild_state import rebuild_state
from streams.lifecycle.changeover import PromoteRequest
from streams.lifecycle.decisions import check_profile_of
from streams.lifecycle.service import Lifecycle
from streams.namespaces import Kind
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from tests.profiles.test_own_profile import FOLDER

REFUSAL = "namespace 'desk' was made with the profile 'service-desk', and 'finance' counts other things"


def settings_of(folder: Path, profile: str) -> Settings:
    return Settings(data_dir=folder, namespace="desk", profile=profile, terminal=False, http_port=0, threads=1)


@pytest.fixture(params=Kind)
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """That of the namespace `desk`, which exists and was made with the profile of the service desk."""
    kind: Kind = request.param
    async with Pipeline(settings_of(tmp_path, str(FOLDER)), (), archive=MemoryArchive(), kind=kind):
        return kind


async def test_run_and_replay_are_refused(tmp_path: Path, kind: Kind) -> None:
    with pytest.raises(SettingsError, match=REFUSAL):
        async with Pipeline(settings_of(tmp_path, "finance"), (), archive=MemoryArchive(), kind=kind):
            pass


async def test_rebuild_state_is_refused_before_it_deletes_anything(tmp_path: Path, kind: Kind) -> None:
    other, same = settings_of(tmp_path, "finance"), settings_of(tmp_path, str(FOLDER))
    with open_broker(other.broker) as broker:
        before = broker.topic(other.topics.mentions).epoch
        with pytest.raises(SettingsError, match=REFUSAL):
            await rebuild_state(broker, other.topics, topic_specs(other), MemoryArchive(), load_profile("finance"))
        assert broker.topic(other.topics.mentions).epoch == before
        await rebuild_state(broker, same.topics, topic_specs(same), MemoryArchive(), load_profile(str(FOLDER)))
        assert broker.topic(other.topics.mentions).epoch != before, kind


@pytest.mark.usefixtures("kind")
def test_promotions_and_new_scores_are_refused(tmp_path: Path) -> None:
    settings, profile = settings_of(tmp_path, "finance"), load_profile("finance")
    with pytest.raises(SettingsError, match=REFUSAL):
        check_profile_of(settings, profile)
    [artifact] = map(open_artifact, artifact_folders(profile).values())
    with pytest.raises(SettingsError, match=REFUSAL):
        Lifecycle(settings).promote(PromoteRequest(artifact.name, artifact.version, "ann", force="a test"))


@pytest.mark.usefixtures("kind")
async def test_a_profile_may_change_under_its_name_and_move(tmp_path: Path, kind: Kind) -> None:
    copy = Path(shutil.copytree(FOLDER, tmp_path / "copy"))
    alerts = copy / "alerts.yaml"
    alerts.write_text(alerts.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    async with Pipeline(settings_of(tmp_path, str(copy)), (), archive=MemoryArchive(), kind=kind):
        pass
