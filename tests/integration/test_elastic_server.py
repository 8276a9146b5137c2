"""The Elasticsearch fixture brings a real server: it takes documents and knows one that it has."""

from __future__ import annotations

import pytest
from elasticsearch import AsyncElasticsearch, ConflictError

pytestmark = pytest.mark.integration


async def test_a_document_is_stored_once(elastic_url: str, elastic_prefix: str) -> None:
    index = f"{elastic_prefix}smoke"
    async with AsyncElasticsearch(elastic_url) as client:
        await client.create(index=index, id="one", document={"number": 1})
        with pytest.raises(ConflictError):
            await client.create(index=index, id="one", document={"number": 2})
        found = await client.get(index=index, id="one")
    assert found["_source"] == {"number": 1}
