"""Whether a version revises another: the one rule by which an item is counted once, whatever archive holds it.

    of its own source partition   a version before it in the log        always asked anew: the log answers alike
    of another                    an earlier (seen, content) is stored  asked at the first writing, and kept

So a redo, a rebuilt archive and mentions that are made from an archive hear what the first writing said. What a crash
left of later records, or a backup that is younger than the topic, changes no answer. Partitions have no common order:
between them the earlier counts, as `watch` takes the earliest of what it hears at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from streams.archive.protocol import Outcome
from streams.records import Position

__all__ = ["Placed", "outcome_of", "revises_elsewhere", "stored_outcome"]


class Placed(Protocol):
    """A version: its position, (seen in ms, content), and what `revises_elsewhere` said when it was first written."""

    @property
    def position(self) -> Position: ...

    @property
    def order(self) -> tuple[int, str]: ...

    @property
    def revises(self) -> bool: ...


def revises_elsewhere(position: Position, order: tuple[int, str], others: Iterable[Placed]) -> bool:
    """Returns whether a new version revises one that is stored of its id and came in another source partition."""
    return any(other.order < order for other in others if not _is_same_log(other.position, position))


def outcome_of(version: Placed, versions: Iterable[Placed]) -> Outcome:
    """Returns what a version is among all that are stored of its id: new, or a revision. Never a duplicate."""
    position = version.position
    is_revision = version.revises or any(
        other.position.offset < position.offset for other in versions if _is_same_log(other.position, position)
    )
    return Outcome.REVISION if is_revision else Outcome.ADDED


def stored_outcome(version: Placed | None, versions: Iterable[Placed]) -> Outcome:
    """Returns the same of a version that was read before; None is one that was pruned since then, which counts."""
    return Outcome.ADDED if version is None else outcome_of(version, versions)


def _is_same_log(one: Position, other: Position) -> bool:
    return one.partition == other.partition and one.epoch == other.epoch
