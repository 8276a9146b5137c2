"""The walk through alerts: its files are right, each of its commands is a right call, and they fit the sample feed."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.receivers.policy import read_policy
from streams.text.profile import load_profile
from streams.text.user_rules import load_rules
from tests.conftest import ROOT
from tests.deploy.moodwire_calls import check_command

PAGE = (ROOT / "deploy" / "alerting.md").read_text(encoding="utf-8")
RULES, ROUTES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
CALLS = [shlex.split(call, comments=True) for call in re.findall(r"^\$ \.venv/bin/moodwire (.*)$", PAGE, re.MULTILINE)]


def test_the_rules_are_right(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    assert [rule.name for rule in load_rules(path, load_profile("finance")).rules] == [
        "companies", "my bank, every story"
    ]  # fmt: skip


def test_the_routes_lead_where_the_page_says(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    policy = read_policy(path, ["terminal", "on call"])

    def receivers(**labels: str) -> list[str]:
        return [route.receiver for route in policy.routes_of(labels)]

    assert receivers(severity="critical", kind="entity") == ["on call", "terminal"]
    assert receivers(severity="info", alertname="my bank, every story") == ["terminal"]
    assert receivers(severity="warning") == ["terminal"]
    assert all(route.repeat_interval_ms == 0 for route in policy.root.walk())  # the page promises no reminders


def test_the_files_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every receiver works on a machine without a network, and no label or watchlist is warned of."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "streams" / "sample" / "watchlists.yaml", tmp_path)
    monkeypatch.setenv("MOODWIRE_WATCHLISTS", "watchlists.yaml")
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "routes.yaml").write_text(ROUTES)
    assert "warning" not in _printed(["rules", "check", "rules.yaml"])
    assert "warning" not in _printed(["routes", "check", "--file", "routes.yaml"])
    [asked] = [words for words in CALLS if words[:2] == ["routes", "test"]]
    shown = re.search(r"routes test .*\n((?:[^$`].*\n)+)", PAGE)
    assert shown is not None
    assert _printed(asked) == shown[1]
    monkeypatch.setenv("MOODWIRE_ROUTES", "routes.yaml")
    assert "failed" not in _printed(["alerts", "test"])


def _printed(words: list[str]) -> str:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, words)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_each_command_is_a_right_call(words: list[str]) -> None:
    check_command(words)


def test_the_page_shows_the_life_of_an_alert() -> None:
    groups = {tuple(words[:2]) for words in CALLS if words[0] == "alerts"}
    assert {("alerts", name) for name in ("list", "explain", "ack", "silence", "test")} <= groups
