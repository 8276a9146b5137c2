"""What people read of alerts: numbers as text, and the messages of one language. No terminal here.

    messages/LANGUAGE.yaml ──► Catalogue ─┐
    the profile's words for its signals ──┴─► Wording ──► the core's reasons, and delivery

>>> number_text(0.0312), p_text(4.2e-05)
('0.03', '4e-05')
>>> Wording.of("en").window(7200)
'2 h'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

import msgspec
import yaml

from alerts.clock import MINUTE_MS
from alerts.errors import ConfigError

__all__ = ["LANGUAGE", "Catalogue", "Wording", "languages", "number_text", "p_text", "time_text"]

LANGUAGE: Final = "en"
"""The language of messages where none is chosen."""

_FOLDER: Final = Path(__file__).with_name("messages")


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The messages of one language; braces name what is filled in (see messages/en.yaml)."""

    windows: dict[str, str]
    months: tuple[str, ...]
    evidence: dict[str, str]
    reasons: dict[str, str]
    resolved: str
    sentences: dict[str, str]
    severities: dict[str, str]
    headings: dict[str, str]
    groups: dict[str, str]
    notices: dict[str, str]


def languages() -> list[str]:
    """Returns the languages that have a catalogue, in order."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


@lru_cache
def _catalogue(language: str) -> Catalogue:
    """Raises `ConfigError` for a language without a catalogue."""
    if language not in languages():
        raise ConfigError("messages", f"there are none in {language!r}", f"take one of {', '.join(languages())}")
    text = (_FOLDER / f"{language}.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), Catalogue)


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one language; `signals` are a profile's for its signals, by name."""

    texts: Catalogue
    signals: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, language: str = LANGUAGE, signals: Mapping[str, str] | None = None) -> Self:
        """Raises `ConfigError` for a language without a catalogue."""
        return cls(_catalogue(language), dict(signals or {}))

    def window(self, seconds: int) -> str:
        """`15 min`, `2 h`, `36 h`."""
        for unit, length in (("hours", 3600), ("minutes", 60)):
            if seconds % length == 0:
                return self.texts.windows[unit].format(count=seconds // length)
        return self.texts.windows["seconds"].format(count=seconds)

    def lasted(self, milliseconds: int) -> str:
        """A length of time in whole minutes; from two hours on in whole hours."""
        minutes = milliseconds // MINUTE_MS
        return self.window(minutes * 60 if minutes < 120 else minutes // 60 * 3600)

    def signal(self, name: str) -> str:
        """The profile's words for a signal; its name where there are none."""
        return self.signals.get(name, name)

    def evidence(
        self,
        signal: str,
        rule: str,
        *,
        hits: int,
        total: int,
        seconds: int,
        expected: float,
        interval: tuple[int, int],
        p_value: float,
    ) -> str:
        """`7 negative in 2 h, expected 0.3 (0 to 2), p 4e-05`; for a share, the items too."""
        text = self.texts.evidence.get(rule) or next(iter(self.texts.evidence.values()))
        return text.format(
            hits=hits,
            total=total,
            signal=self.signal(signal),
            window=self.window(seconds),
            expected=number_text(expected),
            low=interval[0],
            high=interval[1],
            p=p_text(p_value),
        )

    def sentence(
        self, name: str, signal: str, rule: str, *, hits: int, total: int, seconds: int, interval: tuple[int, int]
    ) -> str:
        """`Harrowgate: 23 negative of 31 items in 2 h, usual 0 to 2`: what happened, for people in a hurry."""
        texts = self.texts.sentences
        text = texts.get(rule) or (texts.get("none") if interval[1] == 0 else None) or texts["any"]
        return text.format(
            name=name,
            hits=hits,
            total=total,
            signal=self.signal(signal),
            window=self.window(seconds),
            low=interval[0],
            high=interval[1],
        )

    def reason(self, reason: str) -> str:
        """Why a look at a series ended as it did, by the value of an `alerts.Reason`; an unknown one as it is."""
        return self.texts.reasons.get(reason, reason)

    def severity(self, severity: str) -> str:
        """The word for a severity; one that the catalogue lacks in capitals."""
        return self.texts.severities.get(severity, severity.upper())

    def day(self, at_ms: int) -> str:
        """`10 Mar 10:14`, UTC; the month in the catalogue's language whatever the locale."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        return f"{at.day:2d} {self.texts.months[at.month - 1]} {at:%H:%M}"


def number_text(value: float) -> str:
    """An expected count: two significant digits below 10, whole numbers above."""
    if value >= 10:
        return f"{value:.0f}"
    if value >= 1:
        return f"{value:.1f}"
    return f"{value:.1g}" if value > 0 else "0"


def p_text(p_value: float) -> str:
    """One significant digit; `< 1e-99` where more would be noise."""
    if p_value < 1e-99:
        return "< 1e-99"
    return f"{p_value:.2f}" if p_value >= 0.01 else f"{p_value:.0e}"


def time_text(at_ms: int) -> str:
    """`2023-03-10 10:14 UTC`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
