"""The topic `control`: what people decide about a running pipeline, the last word of each key.

model/LANGUAGE     Promotion: the version that scores the language from now on
shadow/LANGUAGE    Shadow: a version that scores beside it and changes nothing; no value: none does
watchlist/NAME     Watched: a watchlist that somebody changed while workers run, accepted by the judge of alerts
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import NewerVersion
from streams.records import VERSION
from streams.serving.watched import MOST_BYTES
from streams.text.watchlists import Watchlist, watchlist_of

__all__ = [
    "Control",
    "Earlier",
    "Promotion",
    "Shadow",
    "Watched",
    "change_at",
    "promotion_send",
    "read_control",
    "shadow_send",
    "watched_in",
    "watched_send",
]

_MODEL = "model/"
_SHADOW = "shadow/"
_WATCHLIST = "watchlist/"
EARLIER_KEPT = 50


class Earlier(msgspec.Struct, frozen=True):
    """A version that was in service before, and when it was promoted (0: it came with the profile).

    `rolled_back` is whether a rollback took it out of service.
    """

    name: str
    version: str
    at_ms: int = 0
    rolled_back: bool = False


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A version goes into service. `number` grows with every promotion of a namespace, whatever the language.

    `gate` says why it may: `passed`, `rollback` (it was in service before) or `forced`, then with a `reason`.
    """

    language: str
    name: str
    version: str
    number: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    at_ms: int
    by: str
    gate: str
    reason: str = ""
    earlier: tuple[Earlier, ...] = ()
    schema: int = VERSION


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """A version scores beside the one in service: its answers are compared, and go nowhere else."""

    language: str
    name: str
    version: str
    at_ms: int
    by: str
    schema: int = VERSION


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A watchlist as its latest decision has it; `body` is its entry as a file writes it, None once it was removed.

    `change` grows with every accepted change of any watchlist (`change_at`).
    """

    name: str
    body: dict[str, Any] | None
    change: Annotated[int, Meta(ge=0, le=2**62)]
    by: str
    at_ms: int
    schema: int = VERSION


@dataclass(frozen=True, slots=True)
class Control:
    """What `control` says now, by language; `watchlists` by name are those that were changed, up to `lists_change`.

    `unreadable` tells which records are passed over, and why.
    """

    promotions: Mapping[str, Promotion] = field(default_factory=dict)
    shadows: Mapping[str, Shadow] = field(default_factory=dict)
    watchlists: Mapping[str, Watchlist] = field(default_factory=dict)
    lists_change: int = 0
    unreadable: tuple[str, ...] = ()

    @property
    def latest_number(self) -> int:
        """The newest promotion's number; 0 before the first."""
        return max((promotion.number for promotion in self.promotions.values()), default=0)


T = TypeVar("T", Promotion, Shadow, Watched)

_encoder = msgspec.json.Encoder()


def promotion_send(topic: str, promotion: Promotion) -> Send:
    """The record that promotes."""
    return Send(topic, f"{_MODEL}{promotion.language}".encode(), _encoder.encode(promotion))


def shadow_send(topic: str, language: str, shadow: Shadow | None) -> Send:
    """The record that starts a shadow, or with None ends the language's."""
    return Send(topic, f"{_SHADOW}{language}".encode(), None if shadow is None else _encoder.encode(shadow))


def watched_send(topic: str, watched: Watched) -> Send:
    """The record that changes a watchlist, or ends it."""
    return Send(topic, f"{_WATCHLIST}{watched.name}".encode(), _encoder.encode(watched))


def change_at(place: int) -> int:
    """Returns the number of a change that was judged at this place of the log; 0 is before the first."""
    return place + 1


def watched_in(record: Record) -> Watched | None:
    """What a record says of a watchlist; None for other records, and for one that cannot be read."""
    if not (record.key or b"").startswith(_WATCHLIST.encode()) or record.value is None:
        return None
    try:
        return msgspec.json.decode(record.value, type=Watched)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_control(records: Iterable[Record]) -> Control:
    """The last word of each key that can be read; keys of other kinds are passed over.

    A record that cannot be read, which anybody may have written, changes nothing and is named in `unreadable`. Raises
    `NewerVersion` for a last word of a version to come.
    """
    promotions: dict[str, Promotion] = {}
    shadows: dict[str, Shadow] = {}
    watched: dict[str, Watched] = {}
    unreadable: dict[str, str] = {}
    for record in records:
        key = (record.key or b"").decode("utf-8", "replace")
        try:
            if key.startswith(_MODEL):
                _take(promotions, key.removeprefix(_MODEL), record.value, Promotion)
            elif key.startswith(_SHADOW):
                _take(shadows, key.removeprefix(_SHADOW), record.value, Shadow)
            elif key.startswith(_WATCHLIST):
                _take(watched, key.removeprefix(_WATCHLIST), record.value, Watched)
            unreadable.pop(key, None)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            unreadable[key] = f"topic control: the record {key[:100]} cannot be read ({error}); write it again"
    words: dict[str, Promotion | Shadow | Watched] = {**promotions, **shadows, **watched}
    for name, found in words.items():
        if found.schema > VERSION:
            raise NewerVersion(f"the record for {name} of topic control", found.schema, VERSION)
    lists = _lists(watched, unreadable)
    change = max((one.change for one in watched.values()), default=0)
    return Control(promotions, shadows, lists, change, tuple(unreadable.values()))


def _lists(watched: Mapping[str, Watched], unreadable: dict[str, str]) -> dict[str, Watchlist]:
    """The watchlists that are watched, the earliest changes first; what is beyond the bound of all is passed over."""
    found: dict[str, Watchlist] = {}
    size = 0
    for name, one in sorted(watched.items(), key=lambda pair: pair[1].change):
        if one.body is None:
            continue
        size += len(_encoder.encode(one.body)) + len(name)
        try:
            if size > MOST_BYTES:
                raise ValueError(f"all watchlists together have over {MOST_BYTES >> 10} KiB; remove some")
            found[name] = watchlist_of(name, one.body)
        except (msgspec.ValidationError, ValueError) as error:
            unreadable[f"{_WATCHLIST}{name}"] = f"topic control: the watchlist {name[:100]!r} cannot be used ({error})"
    return found


def _take(known: dict[str, T], language: str, value: bytes | None, kind: type[T]) -> None:
    """Takes a word over, or None, which takes it back; raises `msgspec.MsgspecError` before anything is changed."""
    found = None if value is None else msgspec.json.decode(value, type=kind)
    known.pop(language, None)
    if found is not None:
        known[language] = found
