"""Fixtures for every package's tests."""

from __future__ import annotations

import concurrent.futures.thread
import faulthandler
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.elastic_fixtures import elastic_prefix, elastic_server, elastic_url
from tests.integration.kafka_fixtures import collected, kafka_bootstrap, kafka_server, kafka_url, unique_topic
from tests.two_processes import (
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure_node,
    pytest_sessionfinish,
    pytest_testnodedown,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "collected", "elastic_prefix", "elastic_server", "elastic_url", "kafka_bootstrap", "kafka_server", "kafka_url",
    "pytest_collection_finish", "pytest_collection_modifyitems", "pytest_configure_node", "pytest_sessionfinish",
    "pytest_testnodedown", "pytest_xdist_make_scheduler", "shared_data", "unique_topic",
]  # fmt: skip


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test finds the settings or data of whoever runs it, nor leaves data among theirs."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        yield


@pytest.fixture(autouse=True, scope="module")
def _no_thread_left() -> Iterator[None]:
    """A thread that works on after its tests would hold the whole run open at its end, without a word of which it is.

    Threads of executors are left out: idle ones end with the interpreter.
    """
    before = set(threading.enumerate())
    yield
    left = [one for one in threading.enumerate() if one not in before and not one.daemon and one not in _of_executors()]
    for thread in left:
        thread.join(10)
    assert not (alive := [one.name for one in left if one.is_alive()]), f"threads left at work: {alive}"


def _of_executors() -> set[threading.Thread]:
    return set(concurrent.futures.thread._threads_queues)


def pytest_unconfigure(config: pytest.Config) -> None:
    """An interpreter that does not end within a minute shows where each of its threads is, and fails.

    One of two processes waits here for the other, and has awaited its threads before (`tests/two_processes.py`).
    """
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(60, exit=True)


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout, or where MOODWIRE_SHARED_DATA says; read-only, never copied."""
    named = os.environ.get("MOODWIRE_SHARED_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real data, which is not at {folder}: set MOODWIRE_SHARED_DATA to its folder")
    return folder
