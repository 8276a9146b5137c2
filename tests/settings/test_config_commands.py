"""`moodwire config init|show|check` and `--config`, as a user calls them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.cli.config_option import config_first
from streams.errors import SettingsError
from streams.settings import Settings
from tests.integration.replays import command, environment


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("MOODWIRE_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit | SettingsError):
        raise result.exception
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def shown(*words: str) -> dict[str, Any]:
    code, said = called(*words, "config", "show", "--json")
    assert code == 0, said
    settings: dict[str, Any] = json.loads(said)["settings"]
    return settings


def test_init_writes_a_private_file_once(folder: Path) -> None:
    assert called("config", "init")[0] == 0
    file = folder / "moodwire.yaml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    code, said = called("config", "init")
    assert code == 1
    assert f"{file} exists already" in said
    assert file.read_text() == text
    code, said = called("config", "check")
    assert (code, str(file) in said) == (0, True)


def test_init_writes_where_it_is_asked_to(folder: Path) -> None:
    assert called("config", "init", "--user")[0] == 0
    assert (folder / "XDG_CONFIG_HOME" / "moodwire" / "moodwire.yaml").exists()
    code, said = called("config", "init", "sub/own.yaml")
    assert code == 0
    assert "--config" in said
    assert (folder / "sub" / "own.yaml").exists()
    assert called("config", "init", "/proc/x/own.yaml")[0] == 1


def test_show_tells_where_each_value_comes_from_and_masks_secrets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "own.yaml"
    file.write_text("runs:\n  records: 7\ndelivery:\n  webhook_url: https://hook.example/secret-path\n")
    file.chmod(0o600)
    monkeypatch.setenv("MOODWIRE_LOG_LEVEL", "INFO")
    monkeypatch.setenv("MOODWIRE_ARCHIVE_URL", "https://ann:hush@es.example:9200")
    found = shown("--config", str(file))
    assert "MOODWIRE_CONFIG" not in {name for name, value in os.environ.items() if value}, "an option is for one call"
    assert {setting["variable"] for setting in found.values()} == {
        f"MOODWIRE_{n.upper()}" for n in Settings.model_fields
    }
    assert (found["runs.records"]["value"], found["runs.records"]["where"]) == (7, f"{file}:2")
    assert (found["logs.level"]["source"], found["logs.level"]["value"]) == ("environment", "INFO")
    assert found["delivery.webhook_url"]["value"] == "**********"
    assert found["archive.password"]["value"] == "**********"
    assert found["archive.url"]["value"] == "https://es.example:9200"
    assert found["broker.url"]["value"] == f"sqlite:///{folder}/XDG_DATA_HOME/moodwire/live/broker.db"
    code, said = called("--config", str(file), "config", "show", "-n", "mine")
    assert code == 0
    assert "secret-path" not in said
    assert "hush" not in said
    lines = {line.split()[0]: line for line in said.splitlines() if "." in line.split()[0]}
    assert lines["data.namespace"].split() == ["data.namespace", "mine", "option"]
    assert lines["http.host"].split() == ["http.host", "127.0.0.1", "default"]


def test_check_prints_every_problem_at_once(folder: Path) -> None:
    (folder / "moodwire.yaml").write_text("http: {port: -1, pot: 2}\nlogs: {format: xml}\n")
    code, said = called("config", "check")
    assert code == 1
    assert len([line for line in said.splitlines() if line.startswith("wrong ")]) == 3
    code, said = called("config", "check", "--json")
    assert code == 1
    assert len(json.loads(said.splitlines()[0])["problems"]) == 3
    (folder / "moodwire.yaml").write_text("http: [")
    assert called("config", "check")[0] == 1


def test_check_tries_the_webhook_without_showing_it(folder: Path) -> None:
    """Its channel refuses at the start of `run` what the types of the settings let pass."""
    file = folder / "moodwire.yaml"
    file.touch(0o600)
    file.write_text("delivery:\n  webhook_url: http://localhost:1/hidden\n  webhook_secret: shortened\n")
    code, said = called("config", "check")
    assert code == 1
    assert f"{file}:3: delivery.webhook_secret: the webhook secret must be whsec_" in said
    assert "hidden" not in said
    assert "shortened" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("--config", "own.yaml", "config", "show", "--json"),
        ("config", "--config", "own.yaml", "show", "--json"),
        ("config", "show", "--config", "own.yaml", "--json"),
        ("config", "show", "--json", "--config=own.yaml"),
        ("--config", "other.yaml", "config", "show", "--json", "--config", "own.yaml"),
    ],
)
def test_the_file_is_named_before_a_command_or_behind_it(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "own.yaml").write_text("runs: {records: 7}\n")
    (folder / "other.yaml").write_text("runs: {records: 8}\n")
    code, said = called(*words)
    assert code == 0, said
    assert json.loads(said)["settings"]["runs.records"]["value"] == 7


def test_a_text_behind_two_dashes_is_no_option() -> None:
    assert config_first(["score", "--json", "--", "--config", "x"]) == ["score", "--json", "--", "--config", "x"]


@pytest.mark.parametrize("words", [("config", "show", "--config"), ("--config",)])
def test_the_option_without_a_file_is_a_wrong_call(words: tuple[str, ...]) -> None:
    code, said = called(*words)
    assert code == 2
    assert "--config FILE" in said


def test_a_named_file_that_does_not_exist_is_a_wrong_call() -> None:
    for words in (("--config", "absent.yaml", "config", "show"), ("config", "show", "--config", "absent.yaml")):
        code, said = called(*words)
        assert code == 2
        assert "absent.yaml" in said


def test_a_process_logs_as_its_settings_file_says_and_masks_the_secrets_in_it(folder: Path) -> None:
    """The namespace has no data: an error of ours that repeats a secret by chance."""
    for name in ("moodwire.yaml", "own.yaml"):
        (folder / name).write_text(
            f"data: {{namespace: {name[:3]}-hush}}\ndelivery: {{webhook_secret: {name[:3]}-hush}}\n"
        )
        (folder / name).chmod(0o600)
    for words in ((), ("--config", "own.yaml")):
        done = subprocess.run(
            command(*words, "rejects", "list"),
            env=environment(folder), capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
        assert done.returncode == 1
        assert "there is no namespace '***'" in done.stderr


def test_data_in_the_working_folder_are_named_once_where_they_are_not_used(folder: Path) -> None:
    (folder / ".moodwire" / "live").mkdir(parents=True)
    (folder / ".moodwire" / "live" / "archive.db").touch()
    given = {name: value for name, value in environment(folder).items() if name != "MOODWIRE_DATA_DIR"}
    words = command("score", "Lender collapses")
    done = subprocess.run(words, env=given, capture_output=True, text=True, check=True, cwd=folder)
    assert done.stderr.count(str(folder / ".moodwire")) == 1
    assert "MOODWIRE_DATA_DIR" in done.stderr
    done = subprocess.run(words, env=environment(folder), capture_output=True, text=True, check=True, cwd=folder)
    assert done.stderr == ""


def test_each_mistake_has_a_line_of_its_own(folder: Path) -> None:
    (folder / "moodwire.yaml").write_text("http: {port: -1, pot: 2}\n")
    done = subprocess.run(
        command("rejects", "list"), env=environment(folder), capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["error:", "error:"]
    assert "unknown setting `http.pot`" in lines[0]
    assert "http.port=-1" in lines[1]
