"""A second `moodwire run` on one embedded broker: the true reason, before anything of it begins."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.errors import StageTaken
from streams.settings import Settings
from streams.topics import topic_specs
from streams.transport.broker import open_broker


def test_a_second_run_is_refused_for_its_stages_and_not_for_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, namespace="twice")
    settings.home.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as taken, open_broker(settings.broker) as broker:
        broker.ensure_topics(topic_specs(settings))
        environment = {"DATA_DIR": str(tmp_path), "NAMESPACE": "twice", "HTTP_PORT": str(taken.getsockname()[1])}
        for name, value in environment.items():
            monkeypatch.setenv(f"MOODWIRE_{name}", value)
        with broker.held([settings.topics.group("score")]):
            done = CliRunner().invoke(app, ["run"])
    assert isinstance(done.exception, StageTaken)
    assert done.output == ""
