"""Checks that run side by side and share one deadline: whatever hangs costs no other, and no more than that.

Check ── a daemon thread each ──┬─ text ─────────────────────► ok, or a warning after `WARNING`
                                ├─ an error of ours, OSError ► wrong, with the fix
                                └─ nothing by the deadline ──► what `late` knows, else wrong: no answer
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from alerts.errors import AlertsError
from models.errors import ModelError
from streams.errors import MoodwireError, described
from streams.observe.logs import shown
from streams.settings import Settings

__all__ = ["ANSWER_SECONDS", "THREAD", "WARNING", "Check", "Finding", "State", "one_hangs", "run_checks"]

THREAD = "doctor"
ANSWER_SECONDS = 4.0
"""How long anything may take to answer: less than the deadline of all, so that it is named with its own error."""

WARNING = "; warning: "
"""Stands in what a check found before what is not wrong yet."""


class State(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `warning` or `problem` say what is not well, and `fix` what to do."""

    check: str
    found: str
    problem: str = ""
    warning: str = ""
    fix: str = ""
    state: State = field(init=False)

    def __post_init__(self) -> None:
        state = State.WRONG if self.problem else State.WARNING if self.warning else State.OK
        object.__setattr__(self, "state", state)


@dataclass(frozen=True, slots=True)
class Check:
    """`ask` says what it found, or raises what is wrong; `fix` is shown where something is.

    `late` gives the finding of a check without an answer at the deadline; None: it is wrong not to answer.
    """

    name: str
    ask: Callable[[Settings], str]
    fix: str = ""
    late: Callable[[], Finding | None] = lambda: None

    def finding(self, settings: Settings) -> Finding:
        """What the check found; takes as long as that takes."""
        try:
            found, _, warning = shown(self.ask(settings)).partition(WARNING)
        except (MoodwireError, AlertsError, ModelError, OSError) as error:
            return Finding(self.name, "", shown(described(error)), fix=self.fix)
        except Exception as error:
            return Finding(self.name, "", shown(f"the check itself failed: {error!r}"), fix=self.fix)
        return Finding(self.name, found, warning=warning, fix=self.fix if warning else "")


def run_checks(checks: Sequence[Check], settings: Settings, seconds: float) -> list[Finding]:
    """A finding for each check, in the order given, after `seconds` at the latest."""
    found: dict[int, Finding] = {}
    deadline = time.monotonic() + seconds

    def ask(number: int, check: Check) -> None:
        found[number] = check.finding(settings)

    threads = [threading.Thread(target=ask, args=pair, name=THREAD, daemon=True) for pair in enumerate(checks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [found.get(number) or _without_answer(check, seconds) for number, check in enumerate(checks)]


def _without_answer(check: Check, seconds: float) -> Finding:
    return check.late() or Finding(check.name, "", f"no answer within {seconds:.2g} s", fix=check.fix)


def one_hangs() -> bool:
    """Whether a check of before is still waiting for something."""
    return any(thread.name == THREAD for thread in threading.enumerate())
