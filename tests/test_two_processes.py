"""How two processes share the tests, tried on small projects: which tests go together, and that no end is missed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CONFTEST = """
import os, pytest
from tests import two_processes
from tests.two_processes import *

two_processes.END_SECONDS = 1
leaving = []

class Leaving:  # a process that has run its tests
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        if leaving:
            os._exit(leaving[0])

def pytest_configure(config):
    config.pluginmanager.register(Leaving())

@pytest.fixture
def kafka_url():
    return "kafka://"

@pytest.fixture(autouse=True)
def _noted(request):
    with open("ran", "a") as ran:
        print(os.environ["PYTEST_XDIST_WORKER"], request.node.name, file=ran)
"""
INI = "[pytest]\nmarkers =\n    integration: uses a server\n    slow: takes long\n"
(OPTIONS,) = re.findall(r"^IN_TWO := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def tried(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """The tests of a project in two processes, as `make test` starts them."""
    for name, text in {"conftest": CONFTEST, **files}.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text(INI)
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; sys.exit(pytest.main())"
    words = [sys.executable, "-c", program, "-p", "no:cacheprovider", "-p", "xdist.plugin", "-ra", *OPTIONS.split()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_tests_with_a_server_go_together_and_first_and_others_by_file(tmp_path: Path) -> None:
    done = tried(
        tmp_path,
        test_asking="def test_asks(kafka_url): pass\ndef test_without(): pass",
        test_marked="import pytest\n@pytest.mark.integration\ndef test_marked(): pass",
        test_quick="def test_quick(): pass\ndef test_quick_too(): pass\ndef test_quick_three(): pass",
        test_slow="import pytest\n@pytest.mark.slow\ndef test_slow(): pass\ndef test_beside_slow(): pass",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
    assert "slowest 25 durations" in done.stdout
    ran: dict[str, list[str]] = {}
    for line in (tmp_path / "ran").read_text().splitlines():
        ran.setdefault(line.split()[0], []).append(line.split()[1])
    begun = sorted(tests[:2] for tests in ran.values())
    assert begun == [["test_asks", "test_marked"], ["test_slow", "test_beside_slow"]]
    places = {test: process for process, tests in ran.items() for test in tests}
    assert places["test_quick"] == places["test_quick_too"] == places["test_quick_three"]


@pytest.mark.parametrize(
    ("test", "shown"),
    [
        ("os._exit(3)", "crashed while running 'test_it.py::test_it'"),
        ("conftest.leaving.append(3)", "node down"),
        ("threading.Thread(target=threading.Event().wait).start()", "in wait"),
    ],
    ids=["in a test", "after its tests", "a thread that works on"],
)
def test_a_process_that_dies_fails_the_run(tmp_path: Path, test: str, shown: str) -> None:
    dying = f"import os, threading, conftest\ndef test_it(kafka_url): {test}"
    done = tried(tmp_path, test_it=dying, test_two="def test_two(): pass")
    assert done.returncode == 1, done.stdout + done.stderr
    assert shown in done.stdout + done.stderr
