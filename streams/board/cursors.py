"""Cursors of lists: where the next page begins, bound to the query that they are of.

(hash of the query without page keys, place) ─► MessagePack ─► base64url
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from http import HTTPStatus
from typing import Any, Final

import msgspec

from streams.board.problem import Mistake, Part, Problem

__all__ = ["cursor_of", "place_of"]

_PAGE_KEYS: Final = ("cursor", "limit")


def cursor_of(query: msgspec.Struct, place: Any) -> str:
    """Returns the cursor of the page that begins behind `place`, of the same query."""
    text = base64.urlsafe_b64encode(msgspec.msgpack.encode((_hash(query), place)))
    return text.rstrip(b"=").decode()


def place_of(query: msgspec.Struct, cursor: str, kind: Any) -> Any:
    """Returns the place, of the type `kind`, that a cursor names; None for an empty one.

    Raises `Problem` 400 for what is no cursor, or one of another query.
    """
    if not cursor:
        return None
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found, place = msgspec.msgpack.decode(data, type=tuple[(bytes, kind)])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _refused("it is no cursor; take `next` of a page") from error
    if found != _hash(query):
        raise _refused("it is of another query; repeat the query that it came with")
    return place


def _hash(query: msgspec.Struct) -> bytes:
    fields = {name: value for name, value in msgspec.structs.asdict(query).items() if name not in _PAGE_KEYS}
    return hashlib.sha256(msgspec.msgpack.encode(fields, order="sorted")).digest()[:8]


def _refused(detail: str) -> Problem:
    mistake = Mistake(part=Part.QUERY, pointer="/cursor", detail=detail)
    return Problem(HTTPStatus.BAD_REQUEST, f"the cursor cannot be used: {detail}", [mistake])
