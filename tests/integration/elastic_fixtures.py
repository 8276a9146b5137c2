"""The real Elasticsearch as fixtures, for every folder of tests: `tests/conftest.py` takes them in.

A missing server is a loud skip here and a failure where CI=true. Tests that kill the server start one of their own
with `required_elastic()`.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from tests.integration.elastic_server import ElasticServer
from tests.integration.required import required_elastic

__all__ = ["elastic_prefix", "elastic_server", "elastic_url"]


@pytest.fixture(scope="session")
def elastic_server() -> Iterator[ElasticServer]:
    """One server for the whole run: tests keep apart by the prefix of their indices (`elastic_prefix`)."""
    with required_elastic() as server:
        yield server


@pytest.fixture(scope="session")
def elastic_url(request: pytest.FixtureRequest) -> str:
    """http://127.0.0.1:port; ELASTIC_TEST_URL names a server that already runs, for one's own loop of tests."""
    if running := os.environ.get("ELASTIC_TEST_URL"):
        return running
    server: ElasticServer = request.getfixturevalue("elastic_server")
    return server.url


@pytest.fixture
def elastic_prefix(elastic_url: str) -> Iterator[str]:
    """A prefix of index names that no other test uses; what was made under it is deleted afterwards."""
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    yield prefix
    for path in (f"{prefix}*?expand_wildcards=all", f"_index_template/{prefix}*"):
        _delete(f"{elastic_url}/{path}")


def _delete(url: str) -> None:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60):
            pass
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 404:  # nothing was made
                raise
