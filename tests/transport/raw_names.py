"""Names of headers as clients send them whose names are bytes."""

from __future__ import annotations

__all__ = ["RawName"]


class RawName(str):
    """A header name that goes out as the bytes of its own, as from clients whose names are bytes."""

    raw: bytes

    def __new__(cls, raw: bytes) -> RawName:
        name = super().__new__(cls, repr(raw))
        name.raw = raw
        return name

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # str's
        return self.raw
