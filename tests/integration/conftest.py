"""What tests against real servers share; the servers themselves are fixtures of `tests/conftest.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.replays import START_LINES, sample_lines


@pytest.fixture(autouse=True)
def _collected(collected: None) -> None:
    """For every test here."""


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start of the sample feed."""
    folder = tmp_path_factory.mktemp("feed")
    path = folder / "start.ndjson"
    path.write_bytes(b"".join(sample_lines(folder, START_LINES)))
    return path
