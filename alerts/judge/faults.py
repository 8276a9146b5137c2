"""What a decision may not say beyond its types: the same for the command line, the API and the judge. Pure.

decision ─► fault_of: the field and the fix ─► refused before it is sent, and by the judge if it is sent anyway
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from alerts.judge.decisions import Assign, Decision, Note, QuietHours, Subscribe, Unreadable, Watch

__all__ = ["Fault", "fault_of"]

_SEVERITIES: Final = ("info", "warning", "critical")


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with the value of `field`, a dotted name, with the fix."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


def fault_of(decision: Decision) -> Fault | None:
    """Returns the first thing that is wrong with the decision; None where nothing is."""
    return None if isinstance(decision, Unreadable) else next(_faults(decision), None)


def _faults(decision: Decision) -> Iterator[Fault]:
    yield from _line("by", decision.by)
    match decision:
        case Note():
            if not decision.text.strip():
                yield Fault("text", "the note is empty; write what was found out")
        case Assign():
            yield from _line("to", decision.to, may_be_empty=True)
        case Watch():
            yield from _line("name", decision.name)
        case Subscribe():
            yield from _wish_faults(decision)


def _wish_faults(wish: Subscribe) -> Iterator[Fault]:
    yield from _line("name", wish.name)
    for name in ("address", "language"):
        yield from _line(name, getattr(wish, name), may_be_empty=True)
    for name in ("watchlists", "group_by"):
        for value in getattr(wish, name):
            yield from _line(name, value)
    yield from _severity("minimum_severity", wish.minimum_severity)
    if wish.quiet is not None:
        yield from _quiet_faults(wish.quiet)


def _quiet_faults(quiet: QuietHours) -> Iterator[Fault]:
    if quiet.start == quiet.end:
        fix = "write two times, such as 22:00-07:00, or end the subscription"
        yield Fault("quiet", f"{quiet.start} to {quiet.end} would be quiet all day, every day; {fix}")
    yield from _severity("quiet.unless", quiet.unless)


def _severity(field: str, text: str) -> Iterator[Fault]:
    if text not in _SEVERITIES:
        yield Fault(field, f"there is no severity {text!r}; take info, warning or critical")


def _line(field: str, text: str, *, may_be_empty: bool = False) -> Iterator[Fault]:
    """A name that people read in lists and messages: a line break or an escape sequence in it would forge others."""
    if not text.isprintable():
        yield Fault(field, "write one line without control characters")
    elif text != text.strip() or not (text or may_be_empty):
        yield Fault(field, "write a name without blanks at its ends" if text.strip() else "is empty; write a name")
