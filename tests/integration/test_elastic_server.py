"""The Elasticsearch fixture brings a real server: it takes documents and knows one that it has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from elasticsearch import AsyncElasticsearch, ConflictError

from tests.integration.elastic_server import ElasticUnavailable, _require_open


def test_root_is_told_of_a_cache_that_the_server_s_user_may_not_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "closed" / "elasticsearch"
    home.mkdir(parents=True)
    home.parent.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    _require_open(home)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ElasticUnavailable, match=f"may not enter {home.parent}: set XDG_CACHE_HOME"):
        _require_open(home)


@pytest.mark.integration
async def test_a_document_is_stored_once(elastic_url: str, elastic_prefix: str) -> None:
    index = f"{elastic_prefix}smoke"
    async with AsyncElasticsearch(elastic_url) as client:
        await client.create(index=index, id="one", document={"number": 1})
        with pytest.raises(ConflictError):
            await client.create(index=index, id="one", document={"number": 2})
        found = await client.get(index=index, id="one")
    assert found["_source"] == {"number": 1}
