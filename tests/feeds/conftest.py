"""What the tests of feeds share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.feeds.documents.pool import ParserPool
from streams.net.client import open_client
from streams.net.networks import parse_networks
from streams.net.options import NetOptions
from tests.feeds.desk import Desk
from tests.feeds.feed_server import running_feed_server


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Whose client may be led anywhere on this machine, as redirects of the tests do."""
    loopback = NetOptions(parse_networks("127.0.0.0/8,::1/128", "X"))
    async with running_feed_server() as server, open_client([], loopback) as client, ParserPool() as parser:
        made = Desk(server, tmp_path / "broker.db", client, parser)
        yield made
        made.publisher.close()
