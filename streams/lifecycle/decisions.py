"""The topic `control` of a namespace: read, and opened to decide something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.artifact import Artifact
from streams.classifiers import registry_of, shipped_models
from streams.existing import exists, open_existing, records_of
from streams.lifecycle.progress import Progress, Silent
from streams.lifecycle.promotion import in_service
from streams.namespaces import check_profile
from streams.private_files import private_home
from streams.serving.control import Control, read_control
from streams.settings import Settings
from streams.text.profile import Profile, load_profile
from streams.topics import topic_specs
from streams.transport.broker import Broker, open_broker

__all__ = ["artifact_in_service", "check_profile_of", "control_in", "control_of", "open_control"]


def control_of(settings: Settings, progress: Progress | None = None) -> Control:
    """Returns what the namespace's topic `control` holds now; nothing yet in the default one before its first run.

    Raises `SettingsError` for a namespace that was named and does not exist.
    """
    if "namespace" not in settings.model_fields_set and not exists(settings):
        return Control()
    with open_existing(settings) as broker:
        return control_in(broker, settings, progress)


def control_in(broker: Broker, settings: Settings, progress: Progress | None = None) -> Control:
    """Returns the same of an open broker, with a warning for each record that is passed over."""
    control = read_control(records_of(broker, settings.topics.control))
    for problem in control.unreadable:
        (progress or Silent()).warn(f"Passed over: {problem}")
    return control


def check_profile_of(settings: Settings, profile: Profile) -> None:
    """Raises `SettingsError` where the namespace exists and was made with another profile."""
    if exists(settings):
        with open_existing(settings) as broker:
            check_profile(records_of(broker, settings.topics.control), settings.topics, profile.name)


def artifact_in_service(settings: Settings, language: str, progress: Progress | None = None) -> Artifact:
    """Returns the version that scores the language now, checked.

    Raises `PromotionRefused` for a language that the profile does not have, and `ArtifactError`.
    """
    serving = in_service(control_of(settings, progress), shipped_models(load_profile(settings.profile)), language)
    return registry_of(settings).load(serving.name, serving.version)


@contextmanager
def open_control(settings: Settings, *, all_topics: bool = False) -> Iterator[Broker]:
    """The namespace's broker, with the topics that people write to, or with all of the pipeline's."""
    private_home(settings.home)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics([spec for spec in topic_specs(settings) if all_topics or spec.compacted])
        yield broker
