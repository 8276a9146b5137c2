"""What `make test` looks for outside pip: only what a checkout's tests want, and a report that says how to get it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests import system_needs
from tests.system_needs import Need, find_java, missing, report

ABSENT = Need("a wheel", "tests/wheels/test_*.py", lambda: None, ("wheel-pkg",), "https://wheel.example")
PRESENT = Need("a door", "tests/wheels/test_*.py", lambda: "/door", ("door-pkg",), "https://door.example")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tests" / "wheels").mkdir(parents=True)
    return tmp_path


def fake_java(folder: Path, says: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return java


def test_nothing_is_missing_where_no_test_wants_it(checkout: Path) -> None:
    assert missing([ABSENT, PRESENT], checkout) == []


def test_a_test_file_makes_its_program_wanted(checkout: Path) -> None:
    (checkout / "tests" / "wheels" / "test_turn.py").touch()
    assert missing([ABSENT, PRESENT], checkout) == [ABSENT]


def test_the_report_names_the_package_the_way_elsewhere_and_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    text = report([ABSENT])
    assert "apt-get install wheel-pkg" in text
    assert "https://wheel.example" in text
    assert "SKIPPED" in text


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_a_missing_program_fails_ci_alone(ci: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(system_needs, "missing", lambda needs=(): [ABSENT])
    monkeypatch.setattr(system_needs, "can_install", lambda: False)
    assert system_needs.main() == status


@pytest.mark.parametrize(
    ("says", "major"),
    [('openjdk version "17.0.9" 2023-10-17', 17), ('java version "1.8.0_392"', 8), ('openjdk version "25" x', 25)],
)
def test_java_is_taken_by_its_major_version(
    says: str, major: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = fake_java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(system_needs, "JAVA_HOMES", ())
    assert find_java(major) == str(java)
    assert find_java(major + 1) is None


def test_it_loads_with_the_standard_library_alone() -> None:
    load = "import runpy, sys; runpy.run_path(sys.argv[1])"
    command = [sys.executable, "-I", "-S", "-c", load, system_needs.__file__]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
