"""What tests against real servers share; the servers themselves are fixtures of `tests/conftest.py`."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """kafka-python leaves refused sockets to the garbage collector: they must be no later test's warning."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
