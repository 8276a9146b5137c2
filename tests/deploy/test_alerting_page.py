"""The walk through alerts: its files are right, each of its commands is a right call, and they fit the sample feed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

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

    assert receivers(severity="critical", kind="entity") == ["on call"]
    assert receivers(severity="info", alertname="my bank, every story") == ["terminal"]
    assert receivers(severity="warning") == ["terminal"]


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_each_command_is_a_right_call(words: list[str]) -> None:
    check_command(words)


def test_the_page_shows_the_life_of_an_alert() -> None:
    groups = {tuple(words[:2]) for words in CALLS if words[0] == "alerts"}
    assert {("alerts", name) for name in ("list", "explain", "ack", "silence", "test")} <= groups
