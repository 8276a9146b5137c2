"""Self-signed certificates, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system_needs import in_ci

__all__ = ["self_signed"]


def self_signed(
    folder: Path, name: str, alternative: str, algorithm: tuple[str, ...] = ("rsa:2048",)
) -> tuple[Path, Path]:
    """(certificate, key), PEM, for two days; `alternative` is such as ``DNS:localhost`` or ``IP:127.0.0.1``.

    Skips the test without openssl, and fails it in CI.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        assert not in_ci(), "no openssl, and CI=true"
        pytest.skip("NO OPENSSL, the tests of TLS are skipped")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", *algorithm, "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
         f"subjectAltName={alternative}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
