"""Rules that change while `watch` runs: a partition takes them at the end of a run, and writes down which it has.

    rules.yaml ─(looked at by time)─► LiveRules ─► differs from the row "r"? ─► partition goes over, row written
                        └─► a mistake: a trouble, and the rules stay as they were

The row changes once all of a run is written, or before the first run of a process, unless the row "u" says that a run
was begun and not finished. So a run that is done again after a crash is judged by the rules of the first time, whatever
the file has become by then.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self

import msgspec

from alerts import AlertConfig, AlertEvent
from alerts.errors import AlertsError
from alerts.rule_file import RulesDocument
from alerts.ruleset import AlertRule
from alerts.sections import RULES
from streams.errors import MoodwireError, check_version
from streams.logs import get_logger
from streams.supervision import Beat
from streams.wall_clock import DAY_MS

__all__ = ["BEGUN_KEY", "RULES_KEY", "BegunRow", "LiveRules", "OftenFired", "RulesRow", "retired_by"]

log = get_logger(__name__)

RULES_KEY: Final = "r"
BEGUN_KEY: Final = "u"
ROW_VERSION: Final = 1
_MOST_RETIRED: Final = 50
_LEAST_WAIT_SECONDS: Final = 0.05

OnTrouble = Callable[[str, str | None], None]
"""Takes what it is about, and the problem; None once it is over."""


class RulesRow(msgspec.Struct):
    """The rules that a partition judges by since its own offset `own_offset`; `retired` are those that were removed."""

    own_offset: int
    document: RulesDocument
    retired: tuple[AlertRule, ...] = ()
    version: int = ROW_VERSION

    @classmethod
    def restored(cls, row: bytes) -> Self:
        """Raises `NewerVersion`, `OlderVersion` or `msgspec.DecodeError`."""
        found = msgspec.msgpack.decode(row, type=cls)
        check_version("the rules of a mentions partition", found.version, ROW_VERSION)
        return found

    def encoded(self) -> bytes:
        return msgspec.msgpack.encode(self)


class BegunRow(msgspec.Struct):
    """Runs were begun up to this own offset: until the partition's is there too, their rules hold."""

    own_offset: int
    version: int = ROW_VERSION

    @classmethod
    def restored(cls, row: bytes) -> Self:
        """Raises as `RulesRow.restored`."""
        found = msgspec.msgpack.decode(row, type=cls)
        check_version("how far a mentions partition was begun", found.version, ROW_VERSION)
        return found

    def encoded(self) -> bytes:
        return msgspec.msgpack.encode(self)


def retired_by(before: AlertConfig, document: RulesDocument) -> tuple[AlertRule, ...]:
    """Returns the rules that the document takes away, the latest last."""
    names = {*(rule.name for rule in document.rules), *(RULES if document.profile_rules else ())}
    known = [*before.ruleset.retired.values(), *before.ruleset.rules]
    gone = {rule.name: rule for rule in known if rule.name not in names}
    return tuple(gone.values())[-_MOST_RETIRED:]


class LiveRules:
    """The rules of a file, read again when it has changed: `follow` and `current` look every `every_seconds`.

    `load` reads the file, `stamp` is another value when it may have changed; `build` makes a configuration of a
    document and retired rules. A file with a mistake is reported to `on_trouble`, and the rules before it stay.
    """

    def __init__(
        self,
        load: Callable[[], RulesDocument],
        stamp: Callable[[], object],
        build: Callable[[RulesDocument, Iterable[AlertRule]], AlertConfig],
        *,
        every_seconds: float = 5.0,
        on_trouble: OnTrouble = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.build = build
        self.on_trouble = on_trouble
        self._load = load
        self._stamp = stamp
        self._every_seconds = every_seconds
        self._clock = clock
        self._seen = stamp()
        self._document = load()
        self._due = clock() + every_seconds
        self._looking = asyncio.Lock()

    async def current(self) -> RulesDocument:
        """Returns the rules as the file has them, or had them before its mistake."""
        if self._clock() < self._due:
            return self._document
        async with self._looking:
            if self._clock() >= self._due:
                await asyncio.to_thread(self._look)
                self._due = self._clock() + self._every_seconds
        return self._document

    async def follow(self, beat: Beat) -> None:
        """Looks at the file for ever: no run needs to come for its mistake to be reported."""
        while True:
            beat()
            await asyncio.sleep(max(self._due - self._clock(), _LEAST_WAIT_SECONDS))
            await self.current()

    def _look(self) -> None:
        seen = self._stamp()
        if seen == self._seen:
            return
        try:
            found = self._load()
            self.build(found, ())
        except (MoodwireError, AlertsError) as error:
            log.warning("Rules not taken: the file has a mistake, the rules before it stay", error=str(error))
            self.on_trouble("", f"the file of rules has a mistake, the rules before it stay: {error}")
        else:
            self._document = found
            self.on_trouble("", None)
        self._seen = seen


class OftenFired:
    """Which rules open alerts too often: more than their `often_per_day` within a day of event time."""

    def __init__(self, on_trouble: OnTrouble) -> None:
        self._on_trouble = on_trouble
        self._opened: dict[str, deque[int]] = {}

    def note(self, events: Sequence[AlertEvent], config: AlertConfig, now_ms: int) -> None:
        """Takes the events of a run, which is `now_ms` in event time."""
        for event in events:
            if event.change in ("opened", "noted"):
                self._opened.setdefault(event.rule, deque()).append(event.updated_ms)
        limits = {rule.name: rule.often_per_day for rule in config.ruleset.rules}
        for name, opened in self._opened.items():
            while opened and opened[0] <= now_ms - DAY_MS:
                opened.popleft()
            often = len(opened) > limits.get(name, len(opened))
            text = f"rule {name!r} opened {len(opened)} alerts within a day; raise its minima, or its often_per_day"
            self._on_trouble(name, text if often else None)
