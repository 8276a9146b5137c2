"""Which Pythons the fast tests run on, and what is said of those that are missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests import pythons
from tests.pythons import FAST, SLOW, Python, installed, oldest


def python_at(path: Path, version: str) -> None:
    """A program that answers as the Python of this version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)


def test_pythons_are_found_on_the_path_and_where_version_managers_keep_them(tmp_path: Path) -> None:
    python_at(tmp_path / "bin" / "python3.12", "3 12 9")
    python_at(tmp_path / ".pyenv" / "versions" / "3.13.1" / "bin" / "python3.13", "3 13 1")
    python_at(tmp_path / "shims" / "python3.13", "pyenv: python3.13: command not found")
    path = f"{tmp_path}/shims:{tmp_path}/bin:"
    found = {str(one) for one in installed({"HOME": str(tmp_path), "PATH": path}) if tmp_path in one.path.parents}
    assert found == {"3.12.9", "3.13.1"}


def test_the_oldest_of_each_version_is_taken() -> None:
    ones = [
        Python(Path(f"/{minor}.{patch}"), (3, minor, patch)) for minor, patch in [(11, 7), (11, 2), (12, 1), (11, 9)]
    ]
    assert {minor: str(one) for minor, one in oldest(ones).items()} == {11: "3.11.2", 12: "3.12.1"}


def test_a_missing_version_is_a_loud_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    here = Python(Path(sys.executable), sys.version_info[:3])
    monkeypatch.setattr(pythons, "installed", lambda: [here])
    assert pythons.main() == 0
    said = capsys.readouterr().out
    assert [f"LACKS Python 3.{minor}:" in said for minor in pythons.MINORS] == [
        minor != here.minor for minor in pythons.MINORS
    ]


def test_a_failure_on_one_of_them_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ones = [Python(Path("/a"), (3, 11, 0)), Python(Path("/b"), (3, 12, 0))]
    monkeypatch.setattr(pythons, "installed", lambda: ones)
    monkeypatch.setattr(pythons, "run_tests", lambda one: (int(one.minor == 12), f"result of {one}", 1.0))
    assert pythons.main() == 1
    assert "result of 3.11.0" in capsys.readouterr().out


@pytest.mark.parametrize("path", [*FAST, *SLOW])
def test_the_fast_tests_exist(path: str) -> None:
    assert (pythons.ROOT / path).exists()
