"""What tests against real servers share; the servers themselves are fixtures of `tests/conftest.py`."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _collected(collected: None) -> None:
    """For every test here."""
