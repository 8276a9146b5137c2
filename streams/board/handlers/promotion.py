"""`POST /v1/model/promote`: a version goes into service, if the gate passed it."""

from __future__ import annotations

from http import HTTPStatus

from models.errors import ModelError
from streams.board.context import Asked
from streams.board.problem import Problem
from streams.board.shapes.base import NoQuery
from streams.board.shapes.promotion import Promote, Promoted
from streams.errors import SettingsError
from streams.lifecycle.changeover import BASELINE_DAYS, Changeover, PromoteRequest
from streams.lifecycle.errors import PromotionRefused
from streams.lifecycle.service import Lifecycle
from streams.settings import Settings
from streams.transport.asking import ask

__all__ = ["post_promotion"]


async def post_promotion(asked: Asked[NoQuery, Promote]) -> Promoted:
    """Waits until the version's baselines are made; raises `Problem` 404 for an unknown version, 409 with the gate's
    reasons where it was refused, and while another promotion is at work here."""
    promoting = asked.board.live.promoting
    if promoting.locked():
        raise Problem(HTTPStatus.CONFLICT, "another promotion is at work: wait until it is done")
    async with promoting:
        found = await _changed_over(asked)
    promotion, baselines = found.promotion, found.baselines
    return Promoted(
        language=promotion.language,
        name=promotion.name,
        version=promotion.version,
        number=promotion.number,
        at_ms=promotion.at_ms,
        by=promotion.by,
        gate=promotion.gate,
        reason=promotion.reason,
        items=baselines.items if baselines is not None else 0,
    )


async def _changed_over(asked: Asked[NoQuery, Promote]) -> Changeover:
    body, settings = asked.body, asked.board.settings
    days = BASELINE_DAYS if body.baselines else None
    request = PromoteRequest(body.name, body.version, asked.caller.name, body.language, body.force, days)
    try:
        return await ask(lambda: _promote(settings, request), "promote")
    except PromotionRefused as refused:
        raise Problem(HTTPStatus.CONFLICT, str(refused)) from refused
    except ModelError as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
    except SettingsError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def _promote(settings: Settings, request: PromoteRequest) -> Changeover:
    return Lifecycle(settings).promote(request)
