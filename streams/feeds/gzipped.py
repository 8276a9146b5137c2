"""A gzip file read as gzip(1) reads it: member after member, and what is behind the last one is left out."""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

__all__ = ["GZIP_MAGIC", "GzipMembers"]

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS


class GzipMembers(io.RawIOBase):
    """The content of all members, checked; `trailing` says whether other bytes than zeros follow the last one.

    Reading raises `zlib.error` for damage and EOFError where a member breaks off.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._stored = b""
        self._member: zlib._Decompress | None = zlib.decompressobj(_GZIP)
        self.trailing = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what a BufferedReader passes
        while self._member is not None:
            data = self._next(self._member, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _next(self, member: zlib._Decompress, most: int) -> bytes:
        chunk = self._stored or self._file.read(_CHUNK_BYTES)
        data = member.decompress(chunk, most)
        self._stored = member.unconsumed_tail
        if member.eof:
            self._stored = member.unused_data
            self._member = self._following()
        elif not chunk and not data:
            raise EOFError("the compressed data end in the middle")
        return data

    def _following(self) -> zlib._Decompress | None:
        """The next member's decompressor, if one follows; zeros between and behind members are padding."""
        while len(stored := self._stored.lstrip(b"\0")) < len(GZIP_MAGIC):
            more = self._file.read(_CHUNK_BYTES)
            if not more:
                break
            self._stored = stored + more
        self._stored = stored
        if stored.startswith(GZIP_MAGIC):
            return zlib.decompressobj(_GZIP)
        self.trailing = bool(stored)
        return None
