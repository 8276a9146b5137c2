"""Silences, subscriptions and watchlists: what there is, as the judge knows it, and what people decide about them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec

from alerts.delivery.smtp import is_address
from alerts.judge import decisions as decide
from alerts.judge.mutes import compiled
from alerts.judge.rows import AlertRow, MuteRow, SubscriptionRow, WatchlistRow
from alerts.matchers import Matcher, MatcherError, matches, parse_matchers
from alerts.times import zone_of
from streams.board.acting import seen_version
from streams.board.context import Answer, Asked
from streams.board.event_time import event_ms
from streams.board.handlers.alerts import shown_alerts
from streams.board.handlers.decisions import decided, header
from streams.board.problem import Mistake, Part, Problem
from streams.board.reading.alerts import Known, known_alerts
from streams.board.reading.labels import Labels, load_labels
from streams.board.reading.silences import about_of
from streams.board.shapes.arrangements import (
    MakeSilence,
    Matchers,
    PutSubscription,
    Silence,
    SilencePreview,
    Subscription,
    Watchlist,
)
from streams.board.shapes.base import NoQuery, Page
from streams.settings import Settings
from streams.text.watchlists import load_watchlists, watchlist_of
from streams.wall_clock import HOUR_MS

__all__ = [
    "delete_silence", "delete_subscription", "delete_watchlist", "get_silences", "get_subscriptions", "get_watchlists",
    "given_matchers", "post_silence", "preview_silence", "put_subscription", "put_watchlist",
]  # fmt: skip

_SILENCE_MS: Final = 2 * HOUR_MS
_MOST_SHOWN: Final = 1_000
_MOST_PAST: Final = 500


async def get_silences(asked: Asked[NoQuery, None]) -> Page[Silence]:
    """Returns those that are not over, the first to end first."""
    state = await asked.board.live.state()
    found = sorted(state.mutes.values(), key=lambda mute: (mute.ends_ms, mute.id))
    firing = [row for row in state.alerts.values() if row.fires]
    labels = await load_labels(asked.board.profile, asked.board.settings.gazetteer)
    return Page(items=[_silence(mute, firing, labels) for mute in found])


def _silence(mute: MuteRow, firing: list[AlertRow], labels: Labels) -> Silence:
    wanted = compiled(mute.matchers)
    return Silence(
        id=mute.id,
        version=mute.seen_version,
        about=about_of(mute.matchers, labels),
        by=mute.by,
        at_ms=mute.at_ms,
        matchers=list(mute.matchers),
        starts_ms=mute.starts_ms,
        ends_ms=mute.ends_ms,
        until_worse=mute.until_worse,
        maintenance=mute.planned,
        comment=mute.comment,
        firing=sum(matches(wanted, row.labels) for row in firing),
    )


async def post_silence(asked: Asked[NoQuery, MakeSilence]) -> Answer:
    """Makes a silence or a maintenance window; the decision's id names it."""
    body, now_ms = asked.body, await event_ms(asked.board, asked.now_ms)
    matchers = tuple(str(one) for one in given_matchers(body.matchers))
    starts_ms = now_ms if body.starts_ms is None else body.starts_ms
    length_ms = _SILENCE_MS if body.for_seconds is None else body.for_seconds * 1000
    ends_ms = starts_ms + length_ms if body.ends_ms is None else body.ends_ms
    fields: dict[str, Any] = header(asked, None) | {
        "matchers": matchers,
        "ends_ms": ends_ms,
        "comment": body.comment,
    }
    if body.maintenance:
        return await decided(asked, decide.Maintenance(**fields, starts_ms=starts_ms))
    made = decide.Silence(**fields, starts_ms=body.starts_ms, until_worse=body.until_worse)
    return await decided(asked, made)


def given_matchers(texts: list[str]) -> tuple[Matcher, ...]:
    """Returns the matchers, of which a text may hold several. Raises `Problem` 422 for one that is wrong."""
    found: list[Matcher] = []
    for number, text in enumerate(texts):
        try:
            found += parse_matchers(text)
        except MatcherError as error:
            raise _wrong(f"/matchers/{number}", str(error)) from error
    return tuple(found)


async def preview_silence(asked: Asked[NoQuery, Matchers]) -> SilencePreview:
    """Returns the firing alerts that a silence with these matchers would be about, and how many it would have been."""
    board, wanted = asked.board, given_matchers(asked.body.matchers)
    state = await board.live.state()
    now_ms = await event_ms(board, asked.now_ms)
    found = _matching(state.alerts, wanted)
    known = [Known(row.event, row, row.seen_version) for row in found[:_MOST_SHOWN]]
    ended = await known_alerts(board.archive, await board.archive.alerts(state="resolved", limit=_MOST_PAST), now_ms)
    return SilencePreview(
        alerts=await shown_alerts(board, known, now_ms),
        series=len({row.event.series for row in found}),
        past=sum(matches(wanted, one.row.labels) for one in ended),
        now_ms=now_ms,
    )


def _matching(alerts: dict[str, AlertRow], wanted: tuple[Matcher, ...]) -> list[AlertRow]:
    """Returns the firing alerts that match, the latest onset first."""
    found = [row for row in alerts.values() if row.fires and matches(wanted, row.labels)]
    return sorted(found, key=lambda row: (-row.event.onset_ms, row.event.id))


async def delete_silence(asked: Asked[NoQuery, None]) -> Answer:
    """Ends a silence or a maintenance window now."""
    seen = seen_version(asked.http.headers)
    return await decided(asked, decide.ExpireSilence(**header(asked, seen), silence=asked.path["id"]))


async def get_subscriptions(asked: Asked[NoQuery, None]) -> Page[Subscription]:
    """Returns what people want to be sent, by name."""
    state = await asked.board.live.state()
    return Page(items=[_subscription(row) for _, row in sorted(state.subscriptions.items())])


def _subscription(row: SubscriptionRow) -> Subscription:
    known = {field.name for field in msgspec.structs.fields(PutSubscription)}
    given = {name: value for name, value in msgspec.to_builtins(row.wish).items() if name in known}
    return Subscription(
        name=row.wish.name,
        version=row.seen_version,
        by=row.wish.by,
        at_ms=row.wish.at_ms,
        wish=msgspec.convert(given, PutSubscription),
    )


async def put_subscription(asked: Asked[NoQuery, PutSubscription]) -> Answer:
    """Makes a subscription, or replaces the one of this name."""
    body = asked.body
    _check_wish(body)
    wish = msgspec.to_builtins(body) | {"matchers": [str(one) for one in given_matchers(body.matchers)]}
    fields = header(asked, seen_version(asked.http.headers, new=True)) | {
        "kind": "subscribe",
        "name": asked.path["name"],
    }
    try:
        decision = msgspec.convert(fields | wish, decide.Subscribe)
    except msgspec.ValidationError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    return await decided(asked, decision)


def _check_wish(wish: PutSubscription) -> None:
    """Raises `Problem` 422 for an address that a receiver must not be sent to by a stranger, and for a time zone.

    Receivers deliver to addresses of subscribers by e-mail alone; those of webhooks and chats are the operator's, in
    the file of routes.
    """
    if wish.address and not is_address(wish.address):
        raise _wrong("/address", "it is no e-mail address; other addresses are the operator's, in the file of routes")
    try:
        zone_of(wish.time_zone)
    except ValueError as error:
        raise _wrong("/time_zone", "take a name such as Europe/Berlin or UTC") from error


async def delete_subscription(asked: Asked[NoQuery, None]) -> Answer:
    """Ends a subscription."""
    seen = seen_version(asked.http.headers)
    return await decided(asked, decide.Unsubscribe(**header(asked, seen), name=asked.path["name"]))


async def get_watchlists(asked: Asked[NoQuery, None]) -> Page[Watchlist]:
    """Returns those of the settings' file and those that people made, by name."""
    state = await asked.board.live.state()
    found = _of_file(asked.board.settings) | {name: _watchlist(row) for name, row in state.watchlists.items()}
    return Page(items=[found[name] for name in sorted(found)])


def _of_file(settings: Settings) -> dict[str, Watchlist]:
    lists = load_watchlists(settings.watchlists) if settings.watchlists else ()
    rows = {one.name: {key: value for key, value in msgspec.to_builtins(one).items() if value} for one in lists}
    return {name: Watchlist(name=row.pop("name"), version=0, by="", at_ms=None, body=row) for name, row in rows.items()}


def _watchlist(row: WatchlistRow) -> Watchlist:
    return Watchlist(name=row.name, version=row.seen_version, by=row.by, at_ms=row.at_ms, body=row.body)


async def put_watchlist(asked: Asked[NoQuery, dict[str, Any]]) -> Answer:
    """Makes a watchlist, or replaces the one of this name, while workers run."""
    name = asked.path["name"]
    seen = seen_version(asked.http.headers, new=True)
    try:
        wanted = watchlist_of(name, asked.body)
    except ValueError as error:
        raise _wrong("", str(error)) from error
    body = {key: value for key, value in msgspec.to_builtins(wanted).items() if value and key != "name"}
    return await decided(asked, decide.Watch(**header(asked, seen), name=name, body=body))


async def delete_watchlist(asked: Asked[NoQuery, None]) -> Answer:
    """Stops watching a watchlist that people made."""
    seen = seen_version(asked.http.headers)
    return await decided(asked, decide.Unwatch(**header(asked, seen), name=asked.path["name"]))


def _wrong(pointer: str, detail: str) -> Problem:
    mistake = Mistake(part=Part.BODY, pointer=pointer, detail=detail)
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{pointer or 'the body'}: {detail}", [mistake])
