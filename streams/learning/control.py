"""The topic `control`: what people decide about a running pipeline, the last word of each key.

model/LANGUAGE     Promotion: the version that scores the language from now on
shadow/LANGUAGE    Shadow: a version that scores beside it and changes nothing; no value: none does
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import NewerVersion, TransportError
from streams.records import VERSION

__all__ = ["Control", "Earlier", "Promotion", "Shadow", "promotion_send", "read_control", "shadow_send"]

_MODEL = "model/"
_SHADOW = "shadow/"
EARLIER_KEPT = 50


class Earlier(msgspec.Struct, frozen=True):
    """A version that was in service before, and when it was promoted (0: it came with the profile)."""

    name: str
    version: str
    at_ms: int = 0


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A version goes into service. `change` grows with every promotion of a namespace, whatever the language.

    `gate` says why it may: `passed`, `rollback` (it was in service before) or `forced`, then with a `reason`.
    """

    language: str
    name: str
    version: str
    change: int
    at_ms: int
    by: str
    gate: str
    reason: str = ""
    earlier: tuple[Earlier, ...] = ()
    record: int = VERSION


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A version scores beside the one in service: its answers are compared, and go nowhere else."""

    language: str
    name: str
    version: str
    at_ms: int
    by: str
    record: int = VERSION


@dataclass(frozen=True, slots=True)
class Control:
    """What `control` says now, by language."""

    promotions: Mapping[str, Promotion] = field(default_factory=dict)
    shadows: Mapping[str, Shadow] = field(default_factory=dict)

    @property
    def change(self) -> int:
        """The newest promotion's number; 0 before the first."""
        return max((promotion.change for promotion in self.promotions.values()), default=0)


T = TypeVar("T", Promotion, Shadow)

_encoder = msgspec.json.Encoder()


def promotion_send(topic: str, promotion: Promotion) -> Send:
    """The record that promotes."""
    return Send(topic, f"{_MODEL}{promotion.language}".encode(), _encoder.encode(promotion))


def shadow_send(topic: str, language: str, shadow: Shadow | None) -> Send:
    """The record that starts a shadow, or with None ends the language's."""
    return Send(topic, f"{_SHADOW}{language}".encode(), None if shadow is None else _encoder.encode(shadow))


def read_control(records: Iterable[Record]) -> Control:
    """The last word of each key; keys of other kinds are passed over.

    Raises `NewerVersion` for a record of a version to come, `TransportError` for one that cannot be read.
    """
    last: dict[str, bytes | None] = {}
    for record in records:
        if record.key is not None:
            last[record.key.decode("utf-8", "replace")] = record.value
    promotions, shadows = {}, {}
    for key, value in last.items():
        if value is not None and key.startswith(_MODEL):
            promotions[key.removeprefix(_MODEL)] = _decoded(key, value, Promotion)
        elif value is not None and key.startswith(_SHADOW):
            shadows[key.removeprefix(_SHADOW)] = _decoded(key, value, Shadow)
    return Control(promotions, shadows)


def _decoded(key: str, value: bytes, kind: type[T]) -> T:
    try:
        found = msgspec.json.decode(value, type=kind)
    except msgspec.MsgspecError as error:
        raise TransportError(f"topic control: the record {key} cannot be read ({error}); write it again") from error
    if found.record > VERSION:
        raise NewerVersion(f"the record {key} of topic control", found.record, VERSION)
    return found
