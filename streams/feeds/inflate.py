"""A response's body, counted in bytes while it is inflated.

One encoding at most: `gzip, gzip` makes gigabytes of 3,400 bytes, and no server needs it. A piece of 64 KiB takes
about 0.2 ms, so the event loop is never held up.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator

import httpx

__all__ = ["ACCEPT_ENCODING", "DocumentTooLarge", "read_body"]

ACCEPT_ENCODING = "gzip, deflate"
_PIECE_BYTES = 64 * 1024
_MOST_RATIO = 200  # inflated to received, once there is a mebibyte; XML reaches 50
_RATIO_FROM_BYTES = 1024 * 1024
_MEMBER = b"\x1f\x8b\x08"  # how a member of gzip begins
_MOST_MEMBERS = 1_000  # of 10 MiB in blocks of 64 KiB there are 160
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class DocumentTooLarge(httpx.DecodingError):
    """The body is larger, inflated or as received, than it may be."""


async def read_body(response: httpx.Response, body_limit: int) -> bytes:
    """The inflated body; raises `httpx.DecodingError` for what is too large, damaged or in an unknown encoding."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        inflater = None
    elif encoding in _WINDOWS:
        inflater = _Inflater(_WINDOWS[encoding])
    else:
        raise httpx.DecodingError(f"Content-Encoding {encoding[:60]!r}: only one of gzip and deflate is read")
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw(_PIECE_BYTES):
        received += len(chunk)
        for piece in [chunk] if inflater is None else inflater.pieces(chunk):
            body += piece
            _check_size(len(body), received, body_limit)
            await asyncio.sleep(0)
    if inflater is not None and received and not inflater.complete:
        raise httpx.DecodingError("the compressed body breaks off")
    return bytes(body)


def _check_size(inflated: int, received: int, body_limit: int) -> None:
    if max(inflated, received) > body_limit:
        raise DocumentTooLarge(f"the document has over {body_limit / 1024 / 1024:g} MiB")
    if inflated > _RATIO_FROM_BYTES and inflated > received * _MOST_RATIO:
        raise DocumentTooLarge(f"{received} bytes inflate to over {inflated}, more than {_MOST_RATIO} times as many")


class _Inflater:
    """Inflates in pieces of at most 64 KiB, all members of gzip; what follows them is ignored, as by browsers."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._begun = False
        self._members = 1
        self._after = b""  # the first bytes after a member, until they tell whether another begins

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Raises `httpx.DecodingError`."""
        rest: bytes | None = chunk
        while rest is not None and (rest := self._of_a_member(rest)) is not None:
            yield from self._pieces_of_member(rest)
            rest = self._stream.unused_data if self._stream.eof else None

    def _pieces_of_member(self, rest: bytes) -> Iterator[bytes]:
        piece = b""
        while not self._stream.eof and (rest or len(piece) == _PIECE_BYTES):  # a full piece may not be all there is
            piece = self._inflate(rest)
            rest = self._stream.unconsumed_tail
            yield piece

    def _of_a_member(self, data: bytes) -> bytes | None:
        """What is to be inflated, of the member under way or of the next; None when there is nothing (yet)."""
        if not self._stream.eof:
            return data
        if len(self._after) == len(_MEMBER):
            return None  # what follows the last member goes on
        self._after += data
        if self._window != _WINDOWS["gzip"] or not self._after.startswith(_MEMBER):
            self._after = self._after[: len(_MEMBER)]
            return None
        if self._members == _MOST_MEMBERS:
            raise httpx.DecodingError(f"the compressed body has over {_MOST_MEMBERS:,} members")
        data, self._after = self._after, b""
        self._members += 1
        self._stream = zlib.decompressobj(self._window)
        return data

    def _inflate(self, data: bytes) -> bytes:
        begun, self._begun = self._begun, True
        try:
            return self._stream.decompress(data, _PIECE_BYTES)
        except zlib.error as error:
            if self._window == _WINDOWS["deflate"] and not begun:  # many servers send deflate without zlib's header
                self._window, self._stream = -15, zlib.decompressobj(-15)
                return self._inflate(data)
            raise httpx.DecodingError(str(error)) from None
