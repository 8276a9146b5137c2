"""Isolation: which records of a run are at fault when its stage fails on it. Pure.

    run fails ─► halves ─► a record fails alone, twice ─► suspect ─► a later record succeeds ─► at fault: parked
                                                                 └─► none does: nothing is parked, the run waits

The evidence against a record is a later record that its stage handles: a stage that fails on everything parks nothing.
An error that is about the world (the broker, the archive, the machine) halves nothing. A `Reject` is the stage's own
word that the record is at fault, and needs no evidence; with an offset it needs no halving.

Pieces are consecutive records, tried in order, and what a stage did for a piece it does again without effect. So a
crash anywhere leaves a run that is done again with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from streams.engine.runs import Record, Run
from streams.errors import MoodwireError, Reject

__all__ = ["DETAIL_LIMIT", "Culprit", "Fault", "Isolation", "fault_of", "reject_of"]

DETAIL_LIMIT = 500
"""Characters of an exception's text that are kept."""

_ALONE = 2
"""How often a record fails alone before it is suspected."""

_FIRST_SUSPECTS = 4
"""Suspects at which the first attempt ends, twice as many at each later one: a broken stage is not tried for long."""

_MOST_DOUBLINGS = 12

_WORLD = (OSError, MemoryError, EOFError)
_CLIENTS = frozenset(("sqlite3", "aiokafka", "kafka", "elasticsearch", "elastic_transport", "httpx", "httpcore"))
"""Libraries whose errors are about a server or a file. By name, for the engine imports none of them."""


class Fault(Enum):
    """What an error is about."""

    WORLD = "world"
    SUSPECT = "suspect"
    RECORD = "record"


def fault_of(error: Exception) -> Fault:
    """What the error of a stage is about: the world, perhaps one of the records, or certainly one of them."""
    if isinstance(error, Reject):
        return Fault.RECORD
    if isinstance(error, (MoodwireError, *_WORLD)) or type(error).__module__.partition(".")[0] in _CLIENTS:
        return Fault.WORLD
    return Fault.SUSPECT


def reject_of(error: Exception) -> Reject:
    """The reason to park a record with: the stage's own, or `failed` with the exception's type and text."""
    if isinstance(error, Reject):
        return error
    text = " ".join(str(error).split())
    return Reject("failed", f"{type(error).__name__}: {text}"[:DETAIL_LIMIT])


@dataclass(frozen=True, slots=True)
class Culprit:
    """A record that is at fault, or suspected, and why. `since` is when it first failed alone, in seconds."""

    index: int
    record: Record
    reject: Reject
    since: float


class Isolation:
    """The search through one run. `begin`, then for every `piece` either `handled` or `failed`.

    `at_fault` are to be parked before anything is acknowledged; `parked` says that they are. `suspects` have failed
    alone, and nothing behind them has succeeded yet.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.at_fault: list[Culprit] = []
        self.suspects: list[Culprit] = []
        self._todo = [(0, len(run.records))]
        self._condemned: set[int] = set()
        self._since: dict[int, float] = {}
        self._most_suspects = _FIRST_SUSPECTS
        self._alone = 0

    def begin(self, attempt: int) -> None:
        """Start attempt number `attempt` (from 1): what is settled stays so, suspects are tried again."""
        settled = self._settled
        self._todo = [(settled, len(self.run.records))] if settled < len(self.run.records) else []
        self.suspects = []
        self._alone = 0
        self._most_suspects = _FIRST_SUSPECTS << min(attempt - 1, _MOST_DOUBLINGS)

    def extend(self, run: Run) -> None:
        """The partition's next run arrived: what follows the suspects is known."""
        self.run = self.run.followed_by(run)

    @property
    def _settled(self) -> int:
        """How many records from the front are handled or at fault."""
        if self.suspects:
            return self.suspects[0].index
        return self._todo[-1][0] if self._todo else len(self.run.records)

    @property
    def piece(self) -> Run | None:
        """What the stage is to handle next; None when all is settled, or when the attempt ends without."""
        if not self._todo or len(self.suspects) >= self._most_suspects:
            return None
        return self.run.part(*self._todo[-1])

    @property
    def ends_in_suspects(self) -> bool:
        """Whether every record that is known was tried, and the last ones failed: only a later one can tell more."""
        return bool(self.suspects) and not self._todo

    @property
    def lone(self) -> Culprit | None:
        """The only suspect, when it is the last record that is known."""
        return self.suspects[0] if len(self.suspects) == 1 and self.ends_in_suspects else None

    def handled(self) -> None:
        """The stage handled the piece: it works, so what failed alone before is at fault."""
        self._todo.pop()
        self._alone = 0
        self.condemn()

    def condemn(self) -> None:
        """The suspects are at fault."""
        for suspect in self.suspects:
            self._condemn(suspect)
        self.suspects = []

    def failed(self, error: Exception, now: float) -> None:
        """The stage failed on the piece with an error that is not about the world; `now` in seconds."""
        begin, end = self._todo.pop()
        named = self._named(error, begin, end)
        if named is not None:
            self._condemn(self._culprit(named, error, now))
            self._later((begin, named), (named + 1, end))
        elif end - begin > 1:
            middle = (begin + end) // 2
            self._later((begin, middle), (middle, end))
        else:
            self._failed_alone(begin, error, now)

    def _failed_alone(self, index: int, error: Exception, now: float) -> None:
        self._alone += 1
        culprit = self._culprit(index, error, now)
        if fault_of(error) is Fault.RECORD:
            self._condemn(culprit)
        elif self._alone < _ALONE:
            self._todo.append((index, index + 1))
            return
        else:
            self.suspects.append(culprit)
        self._alone = 0

    def _named(self, error: Exception, begin: int, end: int) -> int | None:
        """The record of the piece that the error names."""
        offset = error.offset if isinstance(error, Reject) else None
        if offset is None:
            return None
        return next((index for index in range(begin, end) if self.run.records[index].offset == offset), None)

    def _culprit(self, index: int, error: Exception, now: float) -> Culprit:
        since = self._since.setdefault(index, now)
        return Culprit(index, self.run.records[index], reject_of(error), since)

    def _condemn(self, culprit: Culprit) -> None:
        if culprit.index not in self._condemned:
            self._condemned.add(culprit.index)
            self.at_fault.append(culprit)

    def _later(self, *pieces: tuple[int, int]) -> None:
        self._todo += [piece for piece in reversed(pieces) if piece[0] < piece[1]]

    def parked(self, culprits: Sequence[Culprit]) -> None:
        """These are in the topic `rejects`."""
        self.at_fault = self.at_fault[len(culprits) :]
