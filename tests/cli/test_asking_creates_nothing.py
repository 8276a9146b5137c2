"""A command that only asks creates nothing: no folder, no file, no topic, whatever it is asked about."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.artifact import open_artifact, shipped
from streams.cli import app
from streams.errors import MoodwireError

SHIPPED = "finance-en-minilm-int8"
ASKING: dict[str, tuple[str, ...]] = {
    "alerts ack": ("0123", "-n", "typo"),
    "alerts assign": ("0123", "ann", "-n", "typo"),
    "alerts explain": ("--series", "all", "--at", "2024-05-01", "-n", "typo"),
    "alerts list": ("-n", "typo"),
    "alerts note": ("0123", "looked", "-n", "typo"),
    "alerts silence": ("kind=entity", "-n", "typo"),
    "alerts unack": ("0123", "-n", "typo"),
    "alerts unsilence": ("0123", "-n", "typo"),
    "alerts show": ("0123", "-n", "typo"),
    "alerts tail": ("-n", "typo"),
    "archive prune": ("--older-than", "1", "-n", "typo"),
    "archive rebuild": ("-n", "typo"),
    "archive rebuild-state": ("-n", "typo"),
    "archive setup": ("-n", "typo"),
    "audit": ("-n", "typo"),
    "config check": (),
    "config show": (),
    "deliver list": ("-n", "typo"),
    "deliver resend": ("--failed", "-n", "typo"),
    "doctor": ("-n", "typo"),
    "export": ("items", "-n", "typo"),
    "items search": ("lender", "-n", "typo"),
    "model feedback": ("an-item", "--label", "sentiment=negative", "-n", "typo"),
    "model list": ("-n", "typo"),
    "model review": ("-n", "typo"),
    "model rollback": ("-n", "typo"),
    "model shadow": (SHIPPED, open_artifact(shipped(SHIPPED)).version, "--report", "-n", "typo"),
    "rejects list": ("-n", "typo"),
    "rejects retry": ("-n", "typo"),
    "report": ("-n", "typo"),
    "rules test": ("-n", "typo"),
    "schema": (),
    "silences": ("-n", "typo"),
    "subscriptions list": ("-n", "typo"),
    "subscriptions remove": ("ann", "-n", "typo"),
    "subscriptions set": ("ann", "--receiver", "desk", "-n", "typo"),
    "watchlists items": ("banks", "-n", "typo"),
    "watchlists list": ("-n", "typo"),
    "watchlists remove": ("banks", "-n", "typo"),
    "series show": ("all", "-n", "typo"),
    "score": ("Lender collapses",),
}
"""Also those that change what exists, and have nothing to change here."""
MAKING = {
    *("archive rescore", "demo", "replay", "run"),  # fill a namespace, or need Elasticsearch
    *("backup", "restore"),  # copy what is there
    *("alerts test", "alerts preview"),  # sends to every receiver, or reads its file
    *("rules check", "rules diff", "routes check", "routes test"),  # read files alone
    "watchlists set",  # reads a file first
    "config init",  # writes the settings file
    *("tokens make", "tokens list", "tokens revoke"),  # a file of their own, before the first run
    *("model add", "model promote"),  # take a decision that the first run will find
    *("model gate", "model retrain", "model train", "model distil", "model tune", "model export", "model pretrain"),
    *("model evaluate", "model bench", "model topics add", "model topics list", "model topics remove"),  # no namespace
}


def commands(*above: str) -> Iterator[str]:
    """Every command, by what the help lists."""
    _, said = called(*above, "--help")
    listed = re.findall(r"^│ ([a-z-]+)  ", said.partition(" Commands ")[2], re.MULTILINE)
    for name in listed:
        yield from commands(*above, name)
    if not listed:
        yield " ".join(above)


def test_every_command_is_known_to_ask_or_to_make() -> None:
    assert set(commands()) == {*ASKING, *MAKING}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, which also holds the user's data folder once something makes it."""
    for name in [name for name in os.environ if name.startswith("MOODWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*arguments: str) -> tuple[int, str]:
    """Exit code, and all that was printed or raised as an error of ours."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit | MoodwireError):
        raise result.exception
    raised = str(result.exception) if isinstance(result.exception, MoodwireError) else ""
    return result.exit_code, result.output + raised


@pytest.mark.parametrize("command", ASKING)
def test_a_command_that_asks_creates_nothing(nowhere: Path, command: str) -> None:
    code, said = called(*command.split(), *ASKING[command])
    assert list(nowhere.iterdir()) == []
    if command not in {"score", "doctor", "archive setup", "config check", "config show", "schema"}:
        assert code == 1
        assert "typo" in said


@pytest.mark.parametrize("command", [("rejects", "list"), ("model", "list"), ("model", "review")])
def test_a_namespace_that_does_not_exist_is_answered_with_those_that_do(
    nowhere: Path, command: tuple[str, ...]
) -> None:
    for name in ("demo", "live"):
        (nowhere / "moodwire" / name).mkdir(parents=True)
        (nowhere / "moodwire" / name / "broker.db").touch()
    (nowhere / "moodwire" / "models").mkdir()
    code, said = called(*command, "-n", "typo")
    assert code == 1
    assert f"there is no namespace 'typo' in {nowhere / 'moodwire'}; it has demo, live" in said
    assert {path.name for path in nowhere.rglob("*")} == {"moodwire", "demo", "live", "models", "broker.db"}


@pytest.mark.parametrize("below", [".", "a/b"])
def test_data_in_the_working_folder_or_above_are_pointed_out(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    """Where moodwire kept its data at first; none are in the data folder."""
    (nowhere / ".moodwire" / "live").mkdir(parents=True)
    (nowhere / ".moodwire" / "live" / "broker.db").touch()
    (nowhere / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(nowhere / below)
    code, said = called("rejects", "list")
    assert code == 1
    assert f"There are data in {nowhere / '.moodwire'}: set MOODWIRE_DATA_DIR to that folder" in said
    assert {path.name for path in nowhere.iterdir()} <= {".moodwire", "a"}


def test_the_models_are_listed_before_the_first_run(nowhere: Path) -> None:
    code, said = called("model", "list")
    assert code == 0
    assert SHIPPED[:7] in said
    assert list(nowhere.iterdir()) == []


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_backup_of_nothing_and_a_restore_from_nothing_create_nothing(nowhere: Path, command: str) -> None:
    code, said = called(command, "b")
    assert code == 1
    assert "nothing to back up" in said or "no backup of these settings" in said
    assert list(nowhere.rglob("*")) == []


@pytest.mark.parametrize("folder", ["/proc/x", "/etc/passwd", "/sys/x"])
@pytest.mark.parametrize("command", ["run", "demo", "replay"])
def test_a_data_folder_that_cannot_be_made_is_a_setting_to_correct(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, command: str, folder: str
) -> None:
    monkeypatch.setenv("MOODWIRE_DATA_DIR", folder)
    file = nowhere / "news.ndjson"
    file.write_text('{"title": "Lender collapses", "published": "2024-05-01T00:00:00Z"}\n')
    code, said = called(*([command, str(file)] if command == "replay" else [command]))
    assert code == 1
    assert f"MOODWIRE_DATA_DIR: the folder {folder}/" in said
    assert "name a folder that this user may write" in said


def test_a_backup_into_a_folder_that_cannot_be_made_says_so(nowhere: Path) -> None:
    for name in ("broker.db", "archive.db"):
        (nowhere / "moodwire" / "live").mkdir(parents=True, exist_ok=True)
        (nowhere / "moodwire" / "live" / name).touch()
    code, said = called("backup", "/proc/x")
    assert code == 1
    assert "/proc/x" in said
