"""What the commands of `moodwire model` share: their options, and the namespace's topic `control`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from streams.app import topic_specs
from streams.learning.control import Control, read_control
from streams.settings import Settings
from streams.transport.broker import Broker, open_broker

__all__ = [
    "ByOption",
    "LanguageOption",
    "NameArgument",
    "VersionArgument",
    "control_of",
    "now_ms",
    "open_control",
]

NameArgument = Annotated[str, typer.Argument(help="The model's name.")]
VersionArgument = Annotated[str, typer.Argument(help="Its version.")]
LanguageOption = Annotated[str | None, typer.Option("--language", "-l", help="Language; by default the model's own.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who decides; by default the user of this shell.")]


def control_of(settings: Settings) -> Control:
    """What the namespace's topic `control` says now."""
    with open_control(settings) as broker:
        return read_control(broker.scan(settings.topics.control))


@contextmanager
def open_control(settings: Settings, *, all_topics: bool = False) -> Iterator[Broker]:
    """The namespace's broker, with the topics for what people say there, or with all of the pipeline's."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics([spec for spec in topic_specs(settings) if all_topics or spec.compacted])
        yield broker


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000
