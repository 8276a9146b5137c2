"""What a namespace is for, declared by the first command that fills it and kept in its topic `control`.

    live      `moodwire run`             event time follows the clock: it goes on while no news comes, never far beyond
    replay    `moodwire replay`, `demo`  event time follows the records alone, whatever the clock says

The two count differently, so a namespace is never both: the other command is refused. The earliest declaration in the
topic holds, so two commands that declare at once agree on which of them lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import SettingsError
from streams.records import VERSION
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["Declaration", "Kind", "declare", "declared"]

_KEY = b"namespace"


class Kind(StrEnum):
    """What a namespace is for."""

    LIVE = "live"
    REPLAY = "replay"


class Declaration(msgspec.Struct, frozen=True):
    kind: Kind
    schema: int = VERSION


def declared(records: Iterable[Record]) -> Kind | None:
    """What the records of the topic `control` declare, oldest first; None before any does."""
    for record in records:
        if record.key == _KEY and record.value is not None:
            try:
                return msgspec.json.decode(record.value, type=Declaration).kind
            except msgspec.MsgspecError:
                continue  # somebody else's record under this key declares nothing
    return None


def declare(broker: Broker, topics: Topics, kind: Kind) -> None:
    """Declare the namespace to be of this kind, if nothing is declared yet; its topics must exist.

    Raises `SettingsError` when it is of the other kind.
    """
    found = declared(broker.scan(topics.control))
    if found is None:
        broker.append([_send(topics, kind)])
        found = declared(broker.scan(topics.control)) or kind
        if found is not kind:
            broker.append([_send(topics, found)])  # the topic is compacted: its last declaration is what stays
    if found is not kind:
        raise SettingsError(_refusal(topics.namespace, found))


def _send(topics: Topics, kind: Kind) -> Send:
    return Send(topics.control, _KEY, msgspec.json.encode(Declaration(kind)), partition=0)


def _refusal(namespace: str, found: Kind) -> str:
    if found is Kind.LIVE:
        return (
            f"namespace {namespace!r} is live: `moodwire run` fills it, and its event time follows the clock; replay"
            " into a namespace of its own (without --into, or with another name)"
        )
    return (
        f"namespace {namespace!r} is a replay's: its event time follows its records; run in another one (-n NAME), or"
        " add --replay to work on what was replayed"
    )
