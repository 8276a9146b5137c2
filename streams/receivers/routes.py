"""The sections `route` and `inhibit_rules` of routes.yaml, written as Alertmanager's: what goes to which receiver.

route:
  receiver: desk
  group_by: [signal]
  routes:
    - matchers: ['severity="critical"']
      receiver: on call
      escalate: [{after: 30m, receiver: boss}]
inhibit_rules:
  - source_matchers: ['kind="all"']
    target_matchers: ['kind="entity"']
    equal: [signal]

A route inherits what it does not say, but for matchers, `continue` and time intervals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from alerts.judge.policy import ALL_LABELS, ResolvedMessages
from alerts.matchers import MatcherError, parse_matcher
from streams.userfiles import Mistake

__all__ = ["EscalateEntry", "InhibitEntry", "RouteEntry", "duration_ms"]

_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION: Final = re.compile(r"(?:\d{1,6}(?:ms|s|m|h|d|w))+")
_PART: Final = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_LONGEST_MS: Final = 366 * 86_400_000
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\.\.\.")


def duration_ms(text: str) -> int:
    """Returns milliseconds of a length of time such as ``1h30m``. Raises `ValueError`."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no length of time; write one such as 30s, 5m, 4h or 1d")
    found = sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))
    if found > _LONGEST_MS:
        raise ValueError(f"{text!r} is longer than a year; write a shorter one")
    return found


class EscalateEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gets the alerts too that nobody acknowledges for so long."""

    after: str
    receiver: str

    def mistakes(self) -> Iterator[Mistake]:
        yield from _durations(self, "after")


class RouteEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node of the tree; see `alerts.judge.policy.Route`."""

    receiver: str | None = None
    matchers: tuple[str, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_wait: str | None = None
    group_interval: str | None = None
    repeat_interval: str | None = None
    resolved: ResolvedMessages | None = None
    escalate: tuple[EscalateEntry, ...] | None = None
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    goes_on: bool = msgspec.field(default=False, name="continue")
    routes: tuple[RouteEntry, ...] = ()

    def mistakes(self) -> Iterator[Mistake]:
        yield from _matchers(self, "matchers")
        yield from _durations(self, "group_wait", "group_interval", "repeat_interval")
        for number, label in enumerate(self.group_by or ()):
            if not _LABEL.fullmatch(label):
                yield ("group_by", number), f"{label!r} is no label's name; write one such as signal, or '...' for all"
        if ALL_LABELS in (self.group_by or ()) and len(self.group_by or ()) > 1:
            yield (
                ("group_by",),
                f"'{ALL_LABELS}' is all labels already; write ['{ALL_LABELS}'], or the others without it",
            )
        if self.group_interval is not None and re.fullmatch(r"0+\w*|\d+ms", self.group_interval):
            yield ("group_interval",), f"{self.group_interval!r} is too short; write 1s or more"
        after = [duration_ms(one.after) for one in self.escalate or ()]
        if after != sorted(set(after)):
            yield ("escalate",), "each step must come later than the one before; sort them by 'after'"


class InhibitEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Alerts of the target are not sent while one of the source fires with the same values of `equal`."""

    source_matchers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    target_matchers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    equal: tuple[str, ...] = ()

    def mistakes(self) -> Iterator[Mistake]:
        yield from _matchers(self, "source_matchers")
        yield from _matchers(self, "target_matchers")
        for number, label in enumerate(self.equal):
            if not _LABEL.fullmatch(label) or label == ALL_LABELS:
                yield ("equal", number), f"{label!r} is no label's name; write one such as signal"


def _matchers(entry: msgspec.Struct, key: str) -> Iterator[Mistake]:
    for number, text in enumerate(getattr(entry, key)):
        try:
            parse_matcher(text)
        except MatcherError as error:
            yield (key, number), str(error)


def _durations(entry: msgspec.Struct, *keys: str) -> Iterator[Mistake]:
    for key in keys:
        text = getattr(entry, key)
        try:
            duration_ms(text or "0s")
        except ValueError as error:
            yield (key,), str(error)
