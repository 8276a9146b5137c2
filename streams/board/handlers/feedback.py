"""`POST /v1/items/{id}/feedback`: a correction, as `moodwire model feedback` takes it."""

from __future__ import annotations

from http import HTTPStatus

from streams.board.context import Asked
from streams.board.problem import Problem
from streams.board.shapes.base import NoQuery
from streams.board.shapes.items import Feedback, Received
from streams.errors import SettingsError
from streams.lifecycle import feedback as lifecycle
from streams.lifecycle.service import Lifecycle
from streams.transport.asking import ask

__all__ = ["post_feedback"]


async def post_feedback(asked: Asked[NoQuery, Feedback]) -> Received:
    """Writes the correction down; raises `Problem` 404 for an unknown item, 422 for a head or label there is not."""
    body, item, by = asked.body, asked.path["id"], asked.caller.name
    said = lifecycle.Feedback(
        item=item,
        by=by,
        at_ms=asked.now_ms,
        labels={} if body.entity else {body.head: body.label},
        entities={body.entity: body.label} if body.entity else {},
        note=body.note,
    )
    try:
        taken = await ask(lambda: Lifecycle(asked.board.settings).correct([said]), "feedback")
    except SettingsError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if taken.refused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, taken.refused[0])
    if taken.unknown:
        raise Problem(HTTPStatus.NOT_FOUND, f"the archive has no item {item!r}; it may be pruned")
    return Received(id=item)
