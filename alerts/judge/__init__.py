"""One place decides which messages people get: the judge reads one log, and decides alike whenever it reads it again.

entries (Event, Seal, Decided, Clock) ─► Judge.apply ─► Effects: plans, answers, views, the next timer
                 Policy: the tree of routes ──┘  └── rows: where it goes on after a restart

entries     what goes in, and what comes out              policy    routes, what inhibits what
decisions   what people decide, and what is answered      routing   a policy's routes and subscribers'
ticks       what all partitions have sealed               hours     when messages may be sent, digests
grouping    groups, and when each is due                  flush     what a group has to say
deciding    decisions are followed or refused             mutes     what hides an alert
state       all that is known, and timers                 rows      the same, written down
faults      what a decision may not say
"""

from __future__ import annotations

from alerts.judge.decisions import Answer, Decision, Outcome, Unreadable, decision_from_json
from alerts.judge.entries import Clock, Decided, Effects, Entry, Event, Plan, Seal, View, ViewKind
from alerts.judge.faults import Fault, fault_of
from alerts.judge.judge import Judge
from alerts.judge.policy import Policy, Route

__all__ = [
    "Answer",
    "Clock",
    "Decided",
    "Decision",
    "Effects",
    "Entry",
    "Event",
    "Fault",
    "Judge",
    "Outcome",
    "Plan",
    "Policy",
    "Route",
    "Seal",
    "Unreadable",
    "View",
    "ViewKind",
    "decision_from_json",
    "fault_of",
]
