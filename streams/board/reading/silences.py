"""Silences in words, and which of them are about an alert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from alerts.judge.mutes import compiled, hides
from alerts.judge.rows import AlertRow, MuteRow
from alerts.matchers import Matcher
from streams.board.reading.labels import Labels
from streams.board.shapes.alerts import SilencedBy

__all__ = ["about_of", "silences_of"]

_OPERATORS: Final = {"=": "", "!=": "not ", "=~": "like ", "!~": "not like "}
_PLAIN: Final = ("series", "signal")
"""Labels whose values say what they are."""


def about_of(matchers: Sequence[str], labels: Labels) -> str:
    """Returns which alerts matchers are about: `Garmin, negative`, or `every alert` without any."""
    ordered = sorted(compiled(tuple(matchers)), key=lambda one: one.name != "series")
    return ", ".join(_words(one, labels) for one in ordered) or "every alert"


def _words(matcher: Matcher, labels: Labels) -> str:
    if matcher.operator != "=" or matcher.name not in _PLAIN:
        return f"{matcher.name} {_OPERATORS[matcher.operator]}{matcher.value or 'empty'}"
    return labels.of(matcher.value) if matcher.name == "series" else matcher.value


def silences_of(row: AlertRow, mutes: Iterable[MuteRow], labels: Labels, now_ms: int) -> list[SilencedBy]:
    """Returns those in force at a time that are about the alert, also where it is over; the last to end first."""
    found = [mute for mute in mutes if mute.holds(now_ms) and hides(mute, row)]
    return [
        SilencedBy(
            id=mute.id,
            version=mute.seen_version,
            about=about_of(mute.matchers, labels),
            by=mute.by,
            comment=mute.comment,
            ends_ms=mute.ends_ms,
            maintenance=mute.planned,
        )
        for mute in sorted(found, key=lambda mute: (-mute.ends_ms, mute.id))
    ]
