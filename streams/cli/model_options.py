"""What the commands of `moodwire model` share: their options, the topic `control`, and what it puts into service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from models.artifact import Artifact
from streams.classifiers import registry_of, shipped_models
from streams.cli.output import errors, foreign
from streams.existing import exists, open_existing, records_of
from streams.lifecycle.promotion import in_service
from streams.private_files import private_home
from streams.serving.control import Control, read_control
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.topics import topic_specs
from streams.transport.broker import Broker, open_broker

__all__ = [
    "ByOption",
    "LanguageOption",
    "NameArgument",
    "VersionArgument",
    "artifact_in_service",
    "control_in",
    "control_of",
    "now_ms",
    "open_control",
]

NameArgument = Annotated[str, typer.Argument(help="The model's name.")]
VersionArgument = Annotated[str, typer.Argument(help="Its version.")]
LanguageOption = Annotated[str | None, typer.Option("--language", "-l", help="Language; by default the model's own.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who decides; by default the user of this shell.")]


def control_of(settings: Settings) -> Control:
    """What the namespace's topic `control` says now; nothing yet in the default one before its first run.

    Raises `SettingsError` for a namespace that somebody named and that does not exist.
    """
    if "namespace" not in settings.model_fields_set and not exists(settings):
        return Control()
    with open_existing(settings) as broker:
        return control_in(broker, settings)


def control_in(broker: Broker, settings: Settings) -> Control:
    """The same, of a broker that is open; a warning for each record that is passed over."""
    control = read_control(records_of(broker, settings.topics.control))
    for problem in control.unreadable:
        errors.print(f"Passed over: {foreign(problem)}", style="yellow", soft_wrap=True)
    return control


def artifact_in_service(settings: Settings, language: str) -> Artifact:
    """The version that scores the language now, checked.

    Raises `PromotionRefused` for a language that the profile does not have, and `ArtifactError`.
    """
    serving = in_service(control_of(settings), shipped_models(load_profile(settings.profile)), language)
    return registry_of(settings).load(serving.name, serving.version)


@contextmanager
def open_control(settings: Settings, *, all_topics: bool = False) -> Iterator[Broker]:
    """The namespace's broker, with the topics for what people say there, or with all of the pipeline's."""
    private_home(settings.home)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics([spec for spec in topic_specs(settings) if all_topics or spec.compacted])
        yield broker


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000
