"""Baselines on their way to `watch`: records of the topic `mentions`, rows until the promotion comes, then counts.

    promote ─► records with the header BASELINES_HEADER ─► rows "b/PROMOTION/PART" ─► taken at its first mention

They stand in the topic before the first mention that the promoted model scored, so `watch` has them when that comes.
A record holds some of the series: all of a partition's may be more than a broker takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from alerts import SeriesState, StreamState
from streams.engine.ports import Send
from streams.errors import check_version
from streams.topics import BASELINES_HEADER

__all__ = ["BASELINES_PREFIX", "Baselines", "Prepared", "baseline_sends", "is_baselines"]

BASELINES_PREFIX = "b/"

PART_BYTES = 512 << 10

FORMAT = 3

_encoder = msgspec.msgpack.Encoder()


class _Part(msgspec.Struct):
    """Some series of one mentions partition, by signal and name; the first part has what they share, by signal."""

    promotion: int
    cut_ms: int
    part: int
    parts: int
    streams: dict[str, bytes] = msgspec.field(default_factory=dict)
    series: dict[str, bytes] = msgspec.field(default_factory=dict)
    version: int = FORMAT

    @property
    def key(self) -> str:
        return f"{BASELINES_PREFIX}{self.promotion}/{self.part}"


_decoder = msgspec.msgpack.Decoder(_Part)


@dataclass(frozen=True, slots=True)
class Baselines:
    """What a mentions partition would hold at `cut_ms` if the promoted model had scored everything before."""

    cut_ms: int
    streams: Mapping[str, StreamState]
    series: Mapping[str, bytes]

    def of(self, name: str) -> SeriesState | None:
        """The series' state; None when the model mentioned it never."""
        data = self.series.get(name)
        return None if data is None else SeriesState.from_bytes(data)


def is_baselines(headers: Iterable[tuple[str, bytes]]) -> bool:
    """Whether a record of the topic mentions holds baselines."""
    return any(name == BASELINES_HEADER for name, _ in headers)


def baseline_sends(
    topic: str, partition: int, promotion: int, cut_ms: int, streams: Mapping[str, bytes], series: Mapping[str, bytes]
) -> list[Send]:
    """The records that bring baselines to one mentions partition."""
    groups: list[dict[str, bytes]] = [{}]
    size = sum(map(len, streams.values()))
    for name, data in sorted(series.items()):
        if size and size + len(data) > PART_BYTES:
            groups.append({})
            size = 0
        groups[-1][name] = data
        size += len(data)
    parts = [
        _Part(promotion, cut_ms, number, len(groups), dict(streams) if number == 0 else {}, group)
        for number, group in enumerate(groups)
    ]
    headers = ((BASELINES_HEADER, str(promotion).encode()),)
    return [Send(topic, None, _encoder.encode(part), partition=partition, headers=headers) for part in parts]


def _check(part: _Part) -> None:
    """Raises `msgspec.DecodeError` or ValueError for a part that would be found damaged when its promotion comes."""
    if not 0 <= part.part < part.parts or (part.part == 0 and not part.streams):
        raise ValueError(f"part {part.part} of {part.parts} with {len(part.streams)} signals of what its series share")
    for data in (*part.series.values(), *part.streams.values()):
        msgspec.msgpack.decode(data)


class Prepared:
    """The baselines that wait in a mentions partition, by promotion; restored from its rows."""

    def __init__(self, rows: Iterable[bytes] = ()) -> None:
        self._parts: dict[int, dict[int, bytes]] = {}
        self._new: dict[str, bytes] = {}
        self._spent: list[str] = []
        for row in rows:
            self._keep(row)

    def take(self, value: bytes) -> None:
        """A record came; again after a redo, it is the same.

        Raises `NewerVersion`, or `msgspec.DecodeError` and ValueError for what is no baselines.
        """
        _check(_decoder.decode(value))
        part = self._keep(value)
        self._new[part.key] = value

    def _keep(self, value: bytes) -> _Part:
        part = _decoder.decode(value)
        check_version("a record of baselines", part.version, FORMAT)
        self._parts.setdefault(part.promotion, {})[part.part] = value
        return part

    def complete(self, promotion: int) -> Baselines | None:
        """The baselines of the promotion; None when there are none, or not all parts of them."""
        parts = [_decoder.decode(value) for _, value in sorted(self._parts.get(promotion, {}).items())]
        if not parts or len(parts) < parts[0].parts:
            return None
        series = {name: data for part in parts for name, data in part.series.items()}
        streams = {signal: StreamState.from_bytes(data) for signal, data in parts[0].streams.items()}
        return Baselines(parts[0].cut_ms, streams, series)

    def spend(self, promotion: int) -> None:
        """The promotion came: its rows and those of earlier ones are not needed once that is written down."""
        for old in [known for known in self._parts if known <= promotion]:
            for number in self._parts.pop(old):
                key = f"{BASELINES_PREFIX}{old}/{number}"
                self._new.pop(key, None)
                self._spent.append(key)

    def take_rows(self) -> Iterator[tuple[str, bytes]]:
        """The rows that came since the last call."""
        new, self._new = self._new, {}
        yield from new.items()

    def take_spent(self) -> list[str]:
        """The rows to delete since the last call."""
        spent, self._spent = self._spent, []
        return spent
