"""What a namespace is for, declared by the first command that fills it and kept in its topic `control`.

    live      `moodwire run`             event time follows the clock: it goes on while no news comes, never far beyond
    replay    `moodwire replay`, `demo`  event time follows the records alone, whatever the clock says

The two count differently, so a namespace is never both: the other command is refused. The earliest declaration in the
topic holds, so two commands that declare at once agree on which of them lost.

It also names the profile. Items are counted by its heads, signals and series, so the state of a namespace fits no other
profile: a command with another one is refused, before it writes or deletes anything. A profile may change under its
name: a signal that is added is counted from then on.
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

__all__ = ["Declaration", "Kind", "check_profile", "declare", "declared"]

_KEY = b"namespace"


class Kind(StrEnum):
    """What a namespace is for."""

    LIVE = "live"
    REPLAY = "replay"


class Declaration(msgspec.Struct, frozen=True):
    """What a namespace is for, and the name of the profile that it was made with; empty: any fits."""

    kind: Kind
    profile: str = ""
    schema: int = VERSION


def declared(records: Iterable[Record]) -> Declaration | None:
    """Returns what the records of the topic `control` declare, oldest first; None before any does."""
    for record in records:
        if record.key == _KEY and record.value is not None:
            try:
                return msgspec.json.decode(record.value, type=Declaration)
            except msgspec.MsgspecError:
                continue  # somebody else's record under this key declares nothing
    return None


def declare(broker: Broker, topics: Topics, kind: Kind, profile: str) -> None:
    """Declares the namespace to be of this kind and profile, if nothing is declared yet; its topics must exist.

    Raises `SettingsError` when it is of the other kind, or was made with another profile.
    """
    own = Declaration(kind, profile)
    found = declared(broker.scan(topics.control))
    if found is None:
        broker.append([_send(topics, own)])
        found = declared(broker.scan(topics.control)) or own
        if found != own:
            broker.append([_send(topics, found)])  # the topic is compacted: its last declaration is what stays
    if found.kind is not kind:
        raise SettingsError(_refusal(topics.namespace, found.kind))
    _check(topics, found, profile)


def check_profile(control: Iterable[Record], topics: Topics, profile: str) -> None:
    """Raises `SettingsError` where the records of the topic `control` declare another profile."""
    found = declared(control)
    if found is not None:
        _check(topics, found, profile)


def _check(topics: Topics, found: Declaration, profile: str) -> None:
    if found.profile not in ("", profile):
        raise SettingsError(
            f"namespace {topics.namespace!r} was made with the profile {found.profile!r}, and {profile!r} counts other "
            f"things: name {found.profile!r} or its folder (--profile, MOODWIRE_PROFILE), or another namespace"
        )


def _send(topics: Topics, declaration: Declaration) -> Send:
    return Send(topics.control, _KEY, msgspec.json.encode(declaration), partition=0)


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
