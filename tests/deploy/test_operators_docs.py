"""The runbook and the sizing guide name commands, settings, topics, reasons and files: each must exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from streams.jobs.resend import changelog_of
from streams.settings import Settings
from tests.conftest import ROOT
from tests.deploy.exported import asked_for, exported_names, recorded_names
from tests.deploy.moodwire_calls import check_command

DEPLOY = ROOT / "deploy"
TEXTS = [DEPLOY / "runbook.md", DEPLOY / "sizing.md", DEPLOY / "README.md"]
OUR_CODES = re.compile(r"^\| (`[a-z_`, ]+`) \|", re.MULTILINE)


@pytest.fixture(params=TEXTS, ids=lambda path: path.name)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text()


def test_commands_are_moodwires(text: str) -> None:
    calls = re.findall(r"(?:`|\$ |exec [a-z]+ )moodwire ([a-z][^`#\n]*)", text)
    for call in calls:
        check_command(shlex.split(call))


def test_the_runbook_has_commands_to_check() -> None:
    text = (DEPLOY / "runbook.md").read_text()
    assert {"archive setup", "archive rebuild", "rejects list", "rejects retry", "doctor"} <= set(
        re.findall(r"`moodwire ((?:archive [\w-]+|rejects \w+|doctor))", text)
    )


def test_settings_exist(text: str) -> None:
    named = set(re.findall(r"\bMOODWIRE_[A-Z_]+\b", text))
    assert named - {f"MOODWIRE_{field.upper()}" for field in Settings.model_fields} == set()


def test_topics_and_groups_are_those_of_the_default_settings(text: str) -> None:
    topics = Settings(namespace="live").topics
    known = {
        topics.news,
        topics.mentions,
        topics.alerts,
        topics.scored,
        topics.rejects,
        topics.control,
        topics.feedback,
    }
    known |= {topics.group(stage) for stage in topics.sources}
    known |= {f"{topics.group('watch')}-series-changelog", changelog_of(topics)}
    assert set(re.findall(r"moodwire\.live\.[a-z-]+", text)) <= known


def test_metrics_exist(text: str) -> None:
    named = {name for name in asked_for(text) if re.search(r"_(total|seconds|records|bytes|info)$", name)}
    assert named <= exported_names() | recorded_names()


def test_reasons_of_rejects_are_those_of_the_code() -> None:
    section = (DEPLOY / "runbook.md").read_text().partition("## Rejects")[2].partition("\n## ")[0]
    named = {code for row in OUR_CODES.findall(section) for code in re.findall(r"`([a-z_]+)`", row)}
    assert len(named) >= 7
    code = "".join(path.read_text() for path in (ROOT / "streams").rglob("*.py"))
    assert {name for name in named if f'"{name}"' not in code} == set()


def test_links_lead_somewhere(text: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (DEPLOY / target).exists(), target


def test_every_reason_of_the_code_is_in_the_runbook() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "streams").rglob("*.py"))
    reasons = set(re.findall(r"""(?:Reject|_reject)\(\s*"([a-z_]+)\"""", sources))
    assert {"bad_csv", "newer_version", "failed"} <= reasons
    listed = re.findall(r"[a-z_]+", " ".join(OUR_CODES.findall((DEPLOY / "runbook.md").read_text())))
    assert reasons - set(listed) == set()
