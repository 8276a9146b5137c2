"""What a brief says, before it is a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alerts.delivery.share_picture import Counted, Window
from streams.board.reading.spans import Span
from streams.board.shapes.status import Mood

__all__ = ["AlertStory", "Brief", "Change", "Headline", "Mover", "Subject", "Trend"]


@dataclass(frozen=True, slots=True)
class Headline:
    """A title of the news, as it came; `url` is empty unless it is http or https."""

    title: str
    publisher: str
    seen_ms: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What an alert did in the time: it opened, worsened or ended."""

    what: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Trend:
    """A series over time, to be drawn; `windows` are those of alerts."""

    counted: Sequence[Counted]
    windows: Sequence[Window] = ()


@dataclass(frozen=True, slots=True)
class AlertStory:
    """An alert as it was at the end of the time; `trend` is None for those behind the first."""

    id: str
    label: str
    severity: str
    is_open: bool
    onset_ms: int
    end_ms: int | None
    sentence: str
    changes: Sequence[Change]
    headlines: Sequence[Headline]
    trend: Trend | None = None

    def did(self, what: str) -> bool:
        """Whether it opened, worsened or ended in the time."""
        return any(change.what == what for change in self.changes)


@dataclass(frozen=True, slots=True)
class Mover:
    """A series with more hits than expected; `surprise` is the number of digits of their improbability."""

    label: str
    kind: str
    hits: int
    total: int
    low: int
    high: int
    surprise: float
    newest: Headline | None


@dataclass(frozen=True, slots=True)
class Subject:
    """The volume of a subject; `usual` is None without days to compare with."""

    label: str
    total: int
    hits: int
    usual: float | None


@dataclass(frozen=True, slots=True)
class Brief:
    """All that a page shows. `signal` is the word for a hit. `judged` is how many series could have been movers."""

    namespace: str
    profile: str
    language: str
    signal: str
    span: Span
    mood: Mood | None
    total: int
    usual: float | None
    stream: Trend
    alerts: Sequence[AlertStory]
    movers: Sequence[Mover]
    judged: int
    subjects: Sequence[Subject]
    troubles: Sequence[str]

    def count(self, what: str) -> int:
        """How many alerts opened, worsened or ended in the time."""
        return sum(alert.did(what) for alert in self.alerts)

    @property
    def open_alerts(self) -> Sequence[AlertStory]:
        """Those that were not over at its end."""
        return [alert for alert in self.alerts if alert.is_open]

    @property
    def mood_word(self) -> str:
        """`above`, `below` or `within`; empty without a band."""
        mood = self.mood
        if mood is None or mood.low is None or mood.high is None or not mood.total:
            return ""
        return "above" if mood.share > mood.high else "below" if mood.share < mood.low else "within"

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing unusual: no alert, the mood within its band, and no trouble with the data."""
        return not self.alerts and not self.troubles and self.mood_word == "within"
