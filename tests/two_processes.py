"""What `make test` needs of pytest to run the tests in two processes of pytest-xdist; one process takes no notice.

    servers       every test that needs a real server: each server is started once, and brokers are killed one at a time
    FILE          any other file: what it sets up for its tests is set up once; files with slow tests begin first
    tests/deploy  last: Go builds its programs meanwhile

The group `servers` begins at once. It is a little less than half of the work, and its process takes files afterwards.
The marks of pytest-xdist are no way to say so: with pytest 9.2 its `loadgroup` does not see them.
"""

from __future__ import annotations

import concurrent.futures.thread
import faulthandler
import json
import tempfile
import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

__all__ = [
    "group_of", "in_turn", "pytest_collection_finish", "pytest_collection_modifyitems", "pytest_configure_node",
    "pytest_sessionfinish", "pytest_testnodedown", "pytest_xdist_make_scheduler",
]  # fmt: skip

SERVERS = "servers"
SERVER_FIXTURES = frozenset({"elastic_server", "elastic_url", "kafka_server", "kafka_url"})
LAST = Path(__file__).with_name("deploy")
END_SECONDS = 60

_asking = pytest.StashKey[Path]()
_died = pytest.StashKey[bool]()


def group_of(test: pytest.Item) -> str:
    """`servers`, or the name of the test's file, which no other file has."""
    asks = SERVER_FIXTURES.intersection(getattr(test, "fixturenames", ()))
    return SERVERS if asks or test.get_closest_marker("integration") else test.path.stem


def in_turn(tests: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which their groups shall begin; within a group the order stays."""
    slow = {group_of(test) for test in tests if test.get_closest_marker("slow")}

    def turn(test: pytest.Item) -> tuple[bool, bool, bool]:
        group = group_of(test)
        return group != SERVERS, LAST in test.path.parents, group not in slow

    return sorted(tests, key=turn)


class ByServers(LoadFileScheduling):  # type: ignore[misc]  # a class without types
    """Gives out the tests that need a server together, and others by file; `asking` has the names of the former."""

    def __init__(self, config: pytest.Config, log: Producer, asking: Path) -> None:
        super().__init__(config, log)
        self._file = asking

    @cached_property
    def _asking(self) -> frozenset[str]:
        return frozenset(json.loads(self._file.read_text()))

    def _split_scope(self, nodeid: str) -> str:
        return SERVERS if nodeid in self._asking else str(super()._split_scope(nodeid))


def _is_one_of_two(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _file_of(config: pytest.Config) -> Path:
    """Where both processes, which collect the same, write for the one that gives tests out."""
    if _asking not in config.stash:
        folder = tempfile.TemporaryDirectory(prefix="moodwire-tests-")
        config.add_cleanup(folder.cleanup)
        config.stash[_asking] = Path(folder.name, "asking.json")
    return config.stash[_asking]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    node.workerinput["asking"] = str(_file_of(node.config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers | None:
    return ByServers(config, log, _file_of(config)) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _is_one_of_two(config):
        items[:] = in_turn(items)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reports that this process has collected
def pytest_collection_finish(session: pytest.Session) -> None:
    if _is_one_of_two(session.config):
        asking = [test.nodeid for test in session.items if group_of(test) == SERVERS]
        given: dict[str, str] = session.config.workerinput  # type: ignore[attr-defined]  # of pytest-xdist
        Path(given["asking"]).write_text(json.dumps(asking))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """pytest-xdist counts a process that dies in a test as a failure, and one that dies between tests as nothing."""
    if error:
        node.config.stash[_died] = True


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _is_one_of_two(session.config):
        _await_threads(threading.enumerate())
    elif session.config.stash.get(_died, False) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _await_threads(threads: Iterable[threading.Thread]) -> None:
    """Waits for whatever would hold this process open; after a minute it dies, and shows where each thread is.

    pytest-xdist would kill it after its end without a word.
    """
    faulthandler.dump_traceback_later(END_SECONDS, exit=True)
    concurrent.futures.thread._python_exit()  # as at the end of an interpreter: idle threads of executors end
    for thread in threads:
        if not thread.daemon and thread is not threading.main_thread():
            thread.join()
    faulthandler.cancel_dump_traceback_later()
