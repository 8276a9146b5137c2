"""What a stage tells whoever watches it; a stage works the same when nobody does.

Called once a run or more rarely, on the event loop, after the effects that it speaks of; must be quick and not raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from alerts import AlertEvent

__all__ = ["NoObserver", "StageObserver"]


class StageObserver(Protocol):
    """Takes the figures that only the stage itself knows."""

    def rejected(self, reasons: Sequence[str], stage: str = "score") -> None:
        """The stage parked records, for these reasons."""

    def read(self, partition: int, newest_ms: int, source: str) -> None:
        """A run of news is scored; `newest_ms` is the latest `seen` in it (0: it had no item), `source` whose item."""

    def watched(self, partition: int, watermark_ms: int | None, series: int, dropped: int) -> None:
        """A run of mentions is counted: the watermark, the series in memory, the mentions dropped as too late."""

    def alerted(self, event: AlertEvent, newest_seen_ms: int | None) -> None:
        """An alert event was sent; `newest_seen_ms` is that of the newest item behind it, when it is news."""

    def notified(self, channel: str, result: str) -> None:
        """An attempt to notify was `delivered`, is for a `retry`, or `failed` for good."""

    def forgot(self, partition: int) -> None:
        """The partition of mentions is another worker's now."""


class NoObserver:
    """Nobody watches."""

    def rejected(self, reasons: Sequence[str], stage: str = "score") -> None: ...

    def read(self, partition: int, newest_ms: int, source: str) -> None: ...

    def watched(self, partition: int, watermark_ms: int | None, series: int, dropped: int) -> None: ...

    def alerted(self, event: AlertEvent, newest_seen_ms: int | None) -> None: ...

    def notified(self, channel: str, result: str) -> None: ...

    def forgot(self, partition: int) -> None: ...
