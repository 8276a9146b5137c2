"""What a person decides about alerts, sent to the judge and answered.

    decide ─► control ─► a worker of `deliver` ─► alerts ─► judge ─┬─► row with the answer ─► decide
                                                                   └─► archive: the audit trail

A decision waits in `control` while no worker runs. It is judged once, by its place there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from alerts.judge import Answer, Decision
from streams.alert_log import decision_send
from streams.jobs.resend import rows_of
from streams.stages.deliver_rows import DECISION_PREFIX, DecisionRow, decoded_decision
from streams.topics import Topics
from streams.transport.broker import Broker

__all__ = ["answer_of", "decide", "read_answers"]

_POLL_SECONDS = 0.5


def decide(broker: Broker, topics: Topics, decision: Decision, *, wait_seconds: float) -> Answer | None:
    """Sends the decision; returns its answer, or None when no worker has given one within the wait.

    Raises TransportError. Sent again under the same id it is answered as before.
    """
    before = max((row.place for row in read_answers(broker, topics)), default=-1)
    broker.append([decision_send(topics.control, decision)])
    until = time.monotonic() + wait_seconds
    while (answer := answer_of(broker, topics, decision.id, after=before)) is None and time.monotonic() < until:
        time.sleep(min(_POLL_SECONDS, wait_seconds))
    return answer


def answer_of(broker: Broker, topics: Topics, decision: str, *, after: int = -1) -> Answer | None:
    """Returns the last answer to the decision of this id behind a place of the log.

    None before it, and some minutes after the archive has it.
    """
    rows = (row for row in read_answers(broker, topics) if row.place > after)
    found = [row.answer for row in rows if row.answer.decision == decision]
    return found[-1] if found else None


def read_answers(broker: Broker, topics: Topics) -> list[DecisionRow]:
    """Returns decisions with their answers that the rows of `deliver` still have, in the order of the log."""
    return sorted(_answers(broker, topics), key=lambda row: row.place)


def _answers(broker: Broker, topics: Topics) -> Iterator[DecisionRow]:
    for rows in rows_of(broker, topics).values():
        for key, row in rows.items():
            if key.startswith(DECISION_PREFIX):
                yield decoded_decision(row)
