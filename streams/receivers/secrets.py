"""Secrets of receivers: written out, or kept in a file or a variable of the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from streams.errors import SettingsError
from streams.userfiles import Mistake

__all__ = ["Secret", "SecretFrom", "secret_text"]

_MOST_BYTES = 64 * 1024


class SecretFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is kept: in a `file`, whose last line break does not count, or in the variable `env`."""

    file: str | None = None
    env: str | None = None

    def mistakes(self) -> Iterator[Mistake]:
        if (self.file is None) == (self.env is None):
            yield (), "name either a file or a variable: {file: /run/secrets/name} or {env: NAME}"


Secret = str | SecretFrom


def secret_text(secret: Secret, environment: Mapping[str, str] = os.environ) -> str:
    """Returns the secret. Raises `SettingsError`, which never shows it."""
    if isinstance(secret, str):
        return secret
    found = _of_file(secret.file) if secret.file is not None else environment.get(secret.env or "", "")
    if not found:
        source = secret.file if secret.file is not None else f"the variable {secret.env}"
        raise SettingsError(f"{source} is empty; write the secret there")
    return found


def _of_file(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(_MOST_BYTES).decode().rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); name a file with the secret") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8; write the secret there as text") from None
