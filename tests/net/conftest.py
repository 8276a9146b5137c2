"""A feed server with TLS, whose certificate names news.example."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.certificates import self_signed
from tests.feeds.feed_server import FeedServer, running_feed_server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate, key), PEM; self-signed for news.example."""
    return self_signed(tmp_path_factory.mktemp("tls"), "news.example", "DNS:news.example")


@pytest.fixture
async def tls_feed_server(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[FeedServer, str]]:
    """The server, and the file of the authority that vouches for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    async with running_feed_server(context) as server:
        yield server, str(certificate[0])
