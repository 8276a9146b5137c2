"""What people decide about alerts: sent to the judge, answered once it has decided (`streams.board.acting`)."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

import msgspec

from alerts import judge
from alerts.judge import Decision
from alerts.judge import decisions as decide
from streams.board.acting import (
    ANSWER_SECONDS,
    accepted,
    answered,
    decision_header,
    etag,
    idempotency_key,
    seen_version,
)
from streams.board.context import Answer, Asked
from streams.board.event_time import event_ms
from streams.board.problem import Mistake, Part, Problem
from streams.board.shapes.alerts import Acknowledge, Assign, Decided, NoteText, Verdict
from streams.board.shapes.base import NoQuery
from streams.errors import WrongDecision
from streams.jobs.decision_warnings import warnings_of
from streams.wall_clock import DAY_MS

__all__ = ["acknowledge", "add_note", "assign", "decided", "give_verdict", "header", "unacknowledge"]

_IN_PATH: Final = {"target": "/id", "silence": "/id", "name": "/name"}
"""Fields of a decision that a request has in its path."""
_OF_CALLER: Final = ("", "id", "by", "at_ms")
_LONGEST_MS = 365 * DAY_MS
"""Of an acknowledgement without an end: it ends with the alert, or when that becomes worse."""


async def acknowledge(asked: Asked[NoQuery, Acknowledge]) -> Answer:
    """The caller looks after the alert."""
    body = asked.body
    now_ms = await event_ms(asked.board, asked.now_ms)
    ends_ms = now_ms + (body.for_seconds * 1000 if body.for_seconds is not None else _LONGEST_MS)
    until_ms = ends_ms if body.until_ms is None else body.until_ms
    return await decided(asked, decide.Acknowledge(**_about(asked), until_ms=until_ms, comment=body.note))


async def unacknowledge(asked: Asked[NoQuery, None]) -> Answer:
    """The alert waits for somebody again."""
    return await decided(asked, decide.Unacknowledge(**_about(asked)))


async def assign(asked: Asked[NoQuery, Assign]) -> Answer:
    """Somebody is to look after the alert."""
    return await decided(asked, decide.Assign(**_about(asked), to=asked.body.to))


async def add_note(asked: Asked[NoQuery, NoteText]) -> Answer:
    """A remark stays with the alert."""
    return await decided(asked, decide.Note(**_about(asked), text=asked.body.text))


async def give_verdict(asked: Asked[NoQuery, Verdict]) -> Answer:
    """What the alert was worth, for the trail."""
    return await decided(asked, decide.Verdict(**_about(asked), label=asked.body.verdict.value))


def _wrong(error: WrongDecision) -> Problem:
    """The problem 422 of a decision that is not sent, with the place of the field in the request."""
    inside, pointer = Part.BODY, "/" + error.field.replace(".", "/")
    if error.field in _IN_PATH:
        inside, pointer = Part.PATH, _IN_PATH[error.field]
    mistakes = [] if error.field in _OF_CALLER else [Mistake(part=inside, pointer=pointer, detail=error.problem)]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), mistakes)


def header(asked: Asked[Any, Any], seen: int | None) -> dict[str, Any]:
    """Returns the fields that every decision has; who decides is who asks, never what a body says."""
    return decision_header(asked.http.headers, asked.caller.name, asked.now_ms, seen)


def _about(asked: Asked[Any, Any]) -> dict[str, Any]:
    return header(asked, seen_version(asked.http.headers)) | {"target": asked.path["id"]}


async def _answer(asked: Asked[Any, Any], decision: Decision) -> judge.Answer:
    """The judge's answer; a request that is sent again under its `Idempotency-Key` is answered without asking it again.

    A refusal is an answer too; only a request that was not answered is sent to the judge again.

    Raises `Problem` 422 for a key that was used for another request, and what `answered` and `accepted` raise.
    """
    board, key = asked.board, idempotency_key(asked.http.headers)

    async def ask() -> judge.Answer:
        return answered(await board.live.decide(board.broker, decision, ANSWER_SECONDS))

    if not key:
        return accepted(await ask())
    given = (asked.http.method, asked.path, asked.http.headers.get("If-Match"), type(decision).__name__, asked.body)
    return accepted(await board.live.decisions.once((asked.caller.name, key), msgspec.json.encode(given), ask))


async def decided(asked: Asked[Any, Any], decision: Decision) -> Answer:
    """Returns what the judge made of the decision; raises `Problem` where it refused, or did not answer in time."""
    board = asked.board
    try:
        answer = await _answer(asked, decision)
    except WrongDecision as error:
        raise _wrong(error) from error
    warnings = await asyncio.to_thread(warnings_of, decision, await board.live.state(), board.settings)
    body = Decided(
        id=decision.id,
        outcome=answer.outcome.value,
        version=answer.version,
        detail=answer.detail,
        warnings=warnings,
    )
    return Answer(body, headers={"ETag": etag(answer.version)})
