"""Reading a stored state row, or saying why not: it is damaged, or of a version that is not read here."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from alerts.errors import StateError

__all__ = ["decoded"]


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


R = TypeVar("R", bound=_Versioned)


def decoded(data: bytes, kind: type[R], version: int, whose: str) -> R:
    """The row of the type `kind` in `data`; `whose` state it is, for messages.

    Raises `StateError` when it is damaged or has another version than `version`.
    """
    try:
        row = msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise StateError(f"the alert state of {whose} is damaged: {error}") from None
    if row.version != version:
        raise StateError(
            f"the alert state of {whose} has version {row.version}, this moodwire reads {version}: "
            "upgrade moodwire, or rebuild the state from the mentions"
        )
    return row
