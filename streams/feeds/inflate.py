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
    """Inflates in pieces of at most 64 KiB; what follows the end of the stream is ignored, as by browsers."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._begun = False

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Raises `httpx.DecodingError`."""
        rest, piece = chunk, b""
        while not self._stream.eof and (rest or len(piece) == _PIECE_BYTES):  # a full piece may not be all there is
            piece = self._inflate(rest)
            rest = self._stream.unconsumed_tail
            yield piece

    def _inflate(self, data: bytes) -> bytes:
        begun, self._begun = self._begun, True
        try:
            return self._stream.decompress(data, _PIECE_BYTES)
        except zlib.error as error:
            if self._window == _WINDOWS["deflate"] and not begun:  # many servers send deflate without zlib's header
                self._window, self._stream = -15, zlib.decompressobj(-15)
                return self._inflate(data)
            raise httpx.DecodingError(str(error)) from None
