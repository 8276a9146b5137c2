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
    """Returns the secret, which is not empty. Raises `SettingsError`, which never shows a secret."""
    if isinstance(secret, str):
        found, source = secret, "it"
    elif secret.file is not None:
        found, source = _of_file(secret.file), secret.file
    else:
        found, source = environment.get(secret.env or "", ""), f"the variable {secret.env}"
    if not found:
        raise SettingsError(f"{source} is empty; write the value there")
    return found


def _of_file(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); name a file with the value") from None
    if len(data) > _MOST_BYTES:
        raise SettingsError(f"{path} is larger than {_MOST_BYTES >> 10} KiB; name a file with the value alone")
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8; write the value there as text") from None
