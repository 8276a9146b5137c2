"""TLS to Elasticsearch: the authority that is set is trusted, another is not, and only on request is none asked for."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.session import Session
from streams.errors import Retry
from tests.archive.elastic_stub import Reply, running_stub
from tests.certificates import self_signed

OPTIONS = ElasticOptions(attempts=1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    curve = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    return self_signed(tmp_path_factory.mktemp("tls"), "127.0.0.1", "IP:127.0.0.1", curve)


@pytest.mark.parametrize(
    ("trusted", "verify", "passes"), [(True, True, True), (False, True, False), (False, False, True)]
)
async def test_a_certificate_is_checked(
    certificate: tuple[Path, Path], trusted: bool, verify: bool, passes: bool
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    async with running_stub(Reply(body={"ok": 1}), tls=tls) as stub:
        options = replace(OPTIONS, ca=certificate[0] if trusted else None, verify=verify)
        session = Session(stub.url, options)
        try:
            if passes:
                assert await session.call("GET", "/") == {"ok": 1}
            else:
                with pytest.raises(Retry, match="CERTIFICATE_VERIFY_FAILED"):
                    await session.call("GET", "/")
        finally:
            await session.close()
