"""Tokens of the API: made once and shown once, kept as hashes in a private file.

A token is 256 random bits, so one SHA-256 is enough at rest: there is nothing to guess. Its first characters say what
it is, for programs that look for secrets in code and logs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import msgspec
from filelock import FileLock
from msgspec import Meta

from streams.board.context import Scope
from streams.errors import MoodwireError, SettingsError
from streams.private_files import private_folder
from streams.settings import Settings

__all__ = ["TOKEN_MARK", "StoredToken", "TokenFile", "token_file"]

TOKEN_MARK: Final = "mwt_"  # noqa: S105  # the beginning of all of them
"""What every token begins with."""

_OTHERS = stat.S_IRWXO | stat.S_IWGRP
_LOCK_SECONDS = 10.0


class StoredToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token as it is kept. `name` says whose it is, and is what the audit trail shows."""

    id: str
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    scopes: tuple[Scope, ...]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    made_ms: int


class _Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tokens: tuple[StoredToken, ...] = ()
    schema: int = 1


class TokenFile:
    """The tokens in the file `path`, read again when it changes; without a file there are none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: Sequence[StoredToken] = ()

    @property
    def tokens(self) -> Sequence[StoredToken]:
        """The tokens now; raises `SettingsError` for a file that cannot be used, or that others may read."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._seen, self._tokens = None, ()
            return ()
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        now = found.st_ino, found.st_mtime_ns, found.st_size
        if now != self._seen:
            self._tokens, self._seen = self._read(found.st_mode), now
        return self._tokens

    def _read(self, mode: int) -> Sequence[StoredToken]:
        if mode & _OTHERS:
            raise SettingsError(f"{self.path}: everybody may read or change the tokens; run chmod 600 {self.path}")
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Stored).tokens
        except (OSError, msgspec.DecodeError) as error:
            raise self._unusable(str(error)) from error

    def _unusable(self, why: str) -> SettingsError:
        return SettingsError(f"MOODWIRE_BOARD_TOKENS={self.path}: the tokens cannot be read: {why}")

    def find(self, token: str) -> StoredToken | None:
        """Returns the token's entry; how long that takes does not depend on how much of it is right."""
        asked, found = _hashed(token), None
        for stored in self.tokens:
            if hmac.compare_digest(stored.sha256, asked):
                found = stored
        return found

    def make(self, name: str, scopes: Sequence[Scope], now_ms: int) -> tuple[StoredToken, str]:
        """Adds a token; returns its entry and the token itself, which is nowhere else."""
        token = f"{TOKEN_MARK}{secrets.token_urlsafe(32)}"
        stored = StoredToken(
            id=secrets.token_hex(4), name=name, scopes=tuple(sorted(set(scopes))), sha256=_hashed(token), made_ms=now_ms
        )
        with self._held():
            self._write((*self.tokens, stored))
        return stored, token

    def revoke(self, which: str) -> Sequence[StoredToken]:
        """Removes the token of this id, or all of this name; returns them. Raises `MoodwireError` for none."""
        with self._held():
            gone = [one for one in self.tokens if which in (one.id, one.name)]
            if not gone:
                raise MoodwireError(f"there is no token {which!r}; `moodwire tokens list` shows those that exist")
            self._write([one for one in self.tokens if one not in gone])
        return gone

    def _held(self) -> FileLock:
        private_folder(self.path.parent)
        return FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=_LOCK_SECONDS, mode=0o600)

    def _write(self, tokens: Sequence[StoredToken]) -> None:
        """Whole or not at all: a board may read at any moment."""
        text = msgspec.json.format(msgspec.json.encode(_Stored(tokens=tuple(tokens))), indent=1)
        number, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # private from the start
        try:
            with os.fdopen(number, "wb") as file:
                file.write(text + b"\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(name).unlink()
            raise


def token_file(settings: Settings) -> TokenFile:
    """Returns the file of tokens that the settings name."""
    return TokenFile(settings.board_tokens or settings.home / "tokens.json")


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
