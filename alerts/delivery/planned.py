"""A notification that is planned for a receiver, and how far it has come. Pure: time and answers are arguments.

    waiting ──► sent | failed | dropped          resend: back to waiting, whatever it was
                                                 another address: what waits is due at once

What is decided here is written down as a row before anything follows from it, so a restart goes on at the attempt
that it had come to.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from alerts.backoff import Backoff
from alerts.clock import HOUR_MS
from alerts.delivery.channel import Delivered, Delivery, GiveUp, Told
from alerts.delivery.rendering import one_line

__all__ = ["Planned", "Status", "attempted", "dropped", "expired", "redirected", "resent", "wait_ms"]

_LONGEST_PROBLEM: Final = 300
_BACKOFF: Final = Backoff(first_seconds=5.0, longest_seconds=60.0, longest_asked_seconds=86_400.0)


class Status(StrEnum):
    """How far a notification has come."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Refused for good, or not delivered before its deadline."""
    DROPPED = "dropped"
    """Its receiver is no longer in the settings."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One alert event for one receiver; at most one of these for each (receiver, alert, version).

    `series`, `change` and `at_ms` are the event's own, to show and to route by. `order` grows with the position of the
    event in its partition: an alert's notifications reach a receiver in this order. The deadline counts from
    `since_ms`. `attempts` have been made since then at `endpoint`, the next is due at `next_ms`. `failing_ms` is when
    the first of them failed; `down` says that the receiver itself was why the last one did. `revision` grows with every
    change; `request` is the last request to send it again that was followed. `told` is whom attempts have reached of a
    receiver with several addresses.
    """

    receiver: str
    alert: str
    version: int
    series: str
    change: str
    at_ms: int
    order: int
    since_ms: int
    updated_ms: int
    revision: int
    status: Status = Status.WAITING
    attempts: int = 0
    next_ms: int = 0
    failing_ms: int = 0
    down: bool = False
    problem: str = ""
    request: str = ""
    endpoint: str = ""
    told: Told = Told()

    @property
    def notification(self) -> str:
        """Names the event: the same for every receiver, in every attempt and after a redo."""
        return f"{self.alert}.{self.version}"

    @property
    def id(self) -> str:
        """Names this notification of this receiver."""
        return f"{self.notification}.{self.receiver}"


def wait_ms(asked_seconds: float, attempt: int) -> int:
    """The wait after failed attempt number `attempt`, in ms: what the channel asked for, within bounds.

    At least 5 s, later a minute, whatever a receiver asks for, so that attempts and rows stay few; at most a day.
    """
    return int(_BACKOFF.wait_seconds(attempt, asked_seconds=asked_seconds) * 1000)


def attempted(
    plan: Planned, answer: Delivery, attempt: int, now_ms: int, deadline_ms: int, endpoint: str = ""
) -> Planned:
    """The notification after an attempt at `endpoint`. `attempt` is the number that the back-off goes by; `deadline_ms`
    a span.

    A notification fails for good only by an attempt at or after its deadline, so one that waited while no worker
    ran is tried once more.
    """
    plan = msgspec.structs.replace(
        plan, attempts=plan.attempts + 1, updated_ms=now_ms, next_ms=0, down=False, endpoint=endpoint
    )
    if isinstance(answer, Delivered):
        return msgspec.structs.replace(plan, status=Status.SENT, problem="", failing_ms=0, told=Told())
    if answer.told is not None:
        plan = msgspec.structs.replace(plan, told=answer.told)
    if isinstance(answer, GiveUp):
        return _failed(plan, answer.reason, now_ms)
    end_ms = plan.since_ms + deadline_ms
    if now_ms >= end_ms:
        return _failed(plan, _too_late(deadline_ms, answer.problem), now_ms)
    next_ms = now_ms + wait_ms(answer.after_seconds, attempt)
    return msgspec.structs.replace(
        plan,
        next_ms=next_ms if answer.down else min(next_ms, end_ms),
        failing_ms=plan.failing_ms or now_ms,
        down=answer.down,
        problem=_short(answer.problem),
    )


def expired(plan: Planned, problem: str, now_ms: int, deadline_ms: int) -> Planned:
    """The notification past its deadline, behind a receiver that is down with this problem."""
    return _failed(plan, _too_late(deadline_ms, problem), now_ms)


def dropped(plan: Planned, now_ms: int) -> Planned:
    """The notification whose receiver is gone."""
    reason = "the receiver is no longer in the settings"
    return msgspec.structs.replace(_failed(plan, reason, now_ms), status=Status.DROPPED)


def redirected(plan: Planned, endpoint: str, now_ms: int) -> Planned:
    """The waiting notification for a receiver at `endpoint`: where it was attempted at another one, due at once.

    Its deadline stays, and who has it already.
    """
    if not plan.attempts or plan.endpoint == endpoint:
        return plan
    return msgspec.structs.replace(
        plan, updated_ms=now_ms, next_ms=0, attempts=0, failing_ms=0, down=False, problem="", endpoint=endpoint,
        told=Told(plan.told.had),
    )  # fmt: skip


def resent(plan: Planned, request: str, now_ms: int) -> Planned:
    """The notification due at once, with a deadline of its own, because somebody asked for it.

    Those who have it are left out, unless all had it.
    """
    return msgspec.structs.replace(
        plan, status=Status.WAITING, since_ms=now_ms, updated_ms=now_ms, next_ms=0, attempts=0, failing_ms=0,
        down=False, problem="", request=request, told=Told(plan.told.had),
    )  # fmt: skip


def _failed(plan: Planned, problem: str, now_ms: int) -> Planned:
    return msgspec.structs.replace(
        plan, status=Status.FAILED, problem=_short(problem), updated_ms=now_ms, next_ms=0, down=False
    )


def _too_late(deadline_ms: int, problem: str) -> str:
    return f"not delivered within {deadline_ms / HOUR_MS:g} h: {problem}"


def _short(problem: str) -> str:
    """One line without control characters, of bounded length: it goes to rows, logs, the archive and terminals."""
    return one_line(problem)[:_LONGEST_PROBLEM]
