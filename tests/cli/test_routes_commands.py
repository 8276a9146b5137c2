"""`moodwire routes check|test`: the tree of routes, and where an alert would go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.errors import MoodwireError, SettingsError

RUNNER = CliRunner()
ROUTES = """
receivers:
  - {name: on call, alertmanager: {url: "http://127.0.0.1:9093"}}
route:
  receiver: terminal
  group_by: [signal]
  routes:
    - {matchers: [severity="critical"], receiver: on call, continue: true}
    - {matchers: [kind="entity"], group_by: [series]}
"""


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return path


def run(*words: str | Path) -> str:
    done = RUNNER.invoke(app, ["routes", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def found(*words: str | Path) -> Any:
    return json.loads(run(*words, "--json"))


def test_check_shows_the_tree(routes: Path) -> None:
    lines = run("check", "--file", routes).splitlines()
    assert lines[0] == "every alert  to terminal"
    assert lines[1] == '  severity="critical"  to on call, then the next routes'
    tree = found("check", "--file", routes)
    assert tree["receivers"] == ["on call", "terminal"]
    assert [one["receiver"] for one in tree["route"]["routes"]] == ["on call", "terminal"]


def test_an_alert_is_asked_about(routes: Path) -> None:
    alert = ("severity=critical", "kind=entity", "series=entity/a", "signal=negative")
    taken = found("test", *alert, "--file", routes)["routes"]
    assert [(one["receiver"], one["group"]) for one in taken] == [
        ("on call", {"signal": "negative"}),
        ("terminal", {"series": "entity/a"}),
    ]
    assert "terminal  one message for series=entity/a" in run("test", *alert, "--file", routes)


def test_without_a_file_every_receiver_gets_every_alert() -> None:
    assert [one["receiver"] for one in found("test", "severity=warning")["routes"]] == ["terminal"]


def test_mistakes_are_named(routes: Path) -> None:
    routes.write_text(ROUTES.replace("receiver: on call, c", "receiver: on cal, c"))
    with pytest.raises(MoodwireError, match=r"routes.yaml:8: .*did you mean 'on call'"):
        run("check", "--file", routes)
    with pytest.raises(SettingsError, match="'critical' is no label; write NAME=VALUE"):
        run("test", "critical")
