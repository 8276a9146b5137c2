"""Settings of a namespace on either broker, in the environment as a command finds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.settings import Settings, load_settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker

__all__ = ["BOTH_BROKERS", "settings_on"]

BOTH_BROKERS = ["embedded", pytest.param("kafka", marks=pytest.mark.integration)]
"""Parameters of a fixture that calls `settings_on`."""


def settings_on(
    request: pytest.FixtureRequest, folder: Path, unique_topic: Callable[[str], str], **given: str
) -> Settings:
    """The namespace `calls` with its topics, on the broker of the fixture's parameter; `given` are variables."""
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    variables = {"DATA_DIR": str(folder), "NAMESPACE": "calls", "HTTP_PORT": "0", **given}
    if request.param == "kafka":
        variables |= {"BROKER_URL": request.getfixturevalue("kafka_url"), "PREFIX": f"{unique_topic('c')}."}
    for name, value in variables.items():
        monkeypatch.setenv(f"MOODWIRE_{name}", value)
    settings = load_settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    with open_broker(settings.broker, settings.kafka) as broker:
        broker.ensure_topics(topic_specs(settings))
    return settings
