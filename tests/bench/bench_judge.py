"""The judge alone: 1,000,000 changes of state with 20 subscribers, rows taken after every record as its stage does.

`python -m tests.bench.bench_judge [CHANGES]` prints figures as JSON. Ten alerts begin in each
minute of ticks; each opens, goes on, becomes critical and ends.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.judge import Decided, Entry, Event, Judge, Policy, Route, Seal
from alerts.judge.decisions import Silence, Subscribe
from alerts.judge.policy import Escalation
from alerts.matchers import parse_matchers
from tests.alerts.judge.judge_harness import alert, at
from tests.bench.feeding import in_process

CHANGES = 1_000_000
LIFE = ("opened", "ongoing", "escalated", "resolved")
BEGIN_PER_MINUTE = 10
POLICY = Policy(
    root=Route(
        key="",
        receiver="mail",
        routes=(
            Route(
                key="critical",
                receiver="pager",
                matchers=parse_matchers("severity=critical"),
                group_by=("series",),
                escalations=(Escalation(30 * MINUTE_MS, "boss"),),
                goes_on=True,
            ),
            Route(
                key="all",
                receiver="mail",
                group_by=("signal", "kind"),
                group_wait_ms=MINUTE_MS // 2,
                repeat_interval_ms=4 * HOUR_MS,
            ),
        ),
    ),
    receivers=frozenset({"mail", "pager", "boss"}),
)


class Load:
    """A judge under load: how many changes and messages there were, and the sizes of its rows."""

    def __init__(self) -> None:
        self.judge = Judge(POLICY, {})
        self.rows: dict[str, int] = {}
        self.changes = self.messages = self._position = self._minute = 0
        self._apply(Seal(0, 1, at(0)))
        for number in range(20):
            matchers = () if number % 2 else (f'name=~"{number}.*"',)
            severity = ("info", "warning", "critical")[number % 3]
            self._apply(
                Decided(
                    Subscribe(
                        id=f"s{number}", by="a", at_ms=0, name=f"p{number}", channel="mail", minimum_severity=severity,
                        matchers=matchers,
                    )
                )
            )  # fmt: skip
        self._apply(Decided(Silence(id="q", by="a", at_ms=0, matchers=('series="entity/7"',), ends_ms=at(10**7))))

    def run(self, changes: int) -> None:
        """Minutes of changes, until there were so many."""
        while self.changes < changes:
            self._minute += 1
            for age, change in enumerate(LIFE):
                self._change(self._minute - age, age + 1, change)
            self._apply(Seal(0, 1, at(self._minute)))

    def _change(self, begun: int, revision: int, change: str) -> None:
        for number in range(begun * BEGIN_PER_MINUTE, (begun + 1) * BEGIN_PER_MINUTE if begun > 0 else 0):
            event = alert(
                f"x{number}", self._minute, change, revision=revision, series=f"entity/{number % 500}",
                severity="critical" if revision > 2 else "warning",
            )  # fmt: skip
            self._apply(Event(event, 0, event.updated_ms))
            self.changes += 1

    def _apply(self, entry: Entry) -> None:
        self.messages += len(self.judge.apply(entry, self._position).plans)
        self._position += 1
        for key, row in self.judge.take_rows().items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = len(row)


def measure() -> dict[str, float]:
    return in_process("tests.bench.bench_judge", str(CHANGES))


def main(changes: int) -> None:
    load = Load()
    load.run(changes // 10)
    early, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    load.run(changes)
    seconds = time.process_time() - begun
    figures = {
        "changes of state a second of a core": changes * 0.9 / seconds,
        "messages": load.messages,
        "MB after a tenth": early / 1024,
        "MB at the end": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "MB of rows": sum(load.rows.values()) / 1e6,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CHANGES)
