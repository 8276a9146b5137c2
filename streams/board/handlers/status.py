"""`GET /v1/status`: what the header of the page shows."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version

from alerts.judge.mutes import mute_of
from streams.board.context import Asked, Board
from streams.board.event_time import event_time
from streams.board.reading.alerts import open_alerts
from streams.board.reading.counts import items_total
from streams.board.reading.mood import everything, mood_at, newest_ms
from streams.board.shapes.base import NoQuery
from streams.board.shapes.status import Feeds, HeadOf, Kind, Mood, SeriesOf, Status, Trouble
from streams.text.heads import Judges
from streams.text.profile import Profile

__all__ = ["get_status", "kinds_of", "status_of"]

_VERSION = version("moodwire")


async def get_status(asked: Asked[NoQuery, None]) -> Status:
    """Returns the state of the stream as the archive has it, and of this process."""
    return await status_of(asked.board, asked.caller.scopes, asked.now_ms)


async def status_of(board: Board, scopes: Collection[str], now_ms: int) -> Status:
    """Returns the status for a caller with these scopes."""
    newest = await newest_ms(board.archive)
    return Status(
        namespace=board.settings.namespace,
        profile=board.profile.name,
        kind=Kind(board.kind),
        now_ms=now_ms,
        event_ms=newest,
        newest_ms=newest,
        items_total=await items_total(board.archive, now_ms),
        open_alerts=await _waiting(board, newest, now_ms),
        troubles=[
            Trouble(reason=one.reason, subject=one.subject, detail=one.detail, since_ms=one.since_ms)
            for one in board.beside.troubles()
        ],
        mood=await _mood(board, newest),
        feeds=_feeds(board),
        kinds=kinds_of(board.profile),
        heads=[
            HeadOf(name=name, labels=list(head.labels), of_entities=head.judges is Judges.ENTITY)
            for name, head in board.profile.heads.items()
        ],
        scopes=sorted(scopes),
        version=_VERSION,
    )


def kinds_of(profile: Profile) -> list[SeriesOf]:
    """Returns the kinds of series of a profile; one without a label is called by its name."""
    return [
        SeriesOf(name=name, label=kind.label or name.replace("_", " ").capitalize(), of=kind.of, head=kind.head)
        for name, kind in profile.series.items()
    ]


async def _waiting(board: Board, newest: int | None, now_ms: int) -> int:
    """How many alerts wait for somebody: they are firing, and neither acknowledged nor silenced."""
    state = await board.live.state()
    event_ms = event_time(board.kind, state, newest, now_ms)
    rows = [state.alerts.get(one.id) for one in await open_alerts(board.archive)]
    return sum(row is None or not (row.acknowledged_by or mute_of(row, state.mutes.values(), event_ms)) for row in rows)


async def _mood(board: Board, newest: int | None) -> Mood | None:
    series = everything(board.profile)
    if newest is None or not series:
        return None
    return await mood_at(board.archive, series, board.config.signals[0], newest + 1)


def _feeds(board: Board) -> Feeds | None:
    counted = board.beside.feeds()
    return None if counted is None else Feeds(alive=counted[0], total=counted[1])
