"""Everything that a brief says, asked of the archive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from alerts.delivery.rendering import link, one_line
from alerts.delivery.share_picture import Counted, Window
from streams.archive.protocol import Archive
from streams.board.reading.labels import Labels, load_labels
from streams.board.reading.mood import everything, mood_at
from streams.board.reading.movers import Moved, Watched, moved_in
from streams.board.reading.points import default_bucket_ms, points_of
from streams.board.reading.spans import Span
from streams.brief.alerts import Lived, lived_in, story_of
from streams.brief.content import AlertStory, Brief, Headline, Mover, Trend
from streams.brief.volume import past_of, subjects_of, troubles_of, usual_total
from streams.records import Scored
from streams.settings import Settings
from streams.text.profile import Profile
from streams.wall_clock import DAY_MS, HOUR_MS

__all__ = ["Source", "brief_of"]

_DRAWN: Final = 12
"""Alerts with a picture; a storm has a thousand."""
_MOVERS: Final = 10
LEAST_SURPRISE: Final = 2.0
"""One in a hundred."""
_FEW_ITEMS: Final = 8
_THIN_BUCKET_MS: Final = 3 * HOUR_MS
_BEFORE_MS: Final = 12 * HOUR_MS
_LONGEST_MS: Final = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Source:
    """Where a brief comes from; `signal` is the one that is reported."""

    archive: Archive
    settings: Settings
    profile: Profile
    signal: str

    @property
    def everything(self) -> str:
        """The series of all items."""
        return everything(self.profile)


async def brief_of(source: Source, span: Span) -> Brief:
    """Returns the brief of a time. Raises `Retry` if the archive is away."""
    archive, signal, profile = source.archive, source.signal, source.profile
    labels = await load_labels(profile, source.settings.gazetteer)
    stream = await _counted(source, source.everything, span)
    hourly = await _points(source, source.everything, span, signal, HOUR_MS)
    past = await past_of(archive, source.everything, signal, span)
    judged, movers = await _movers(source, span, labels)
    hours = max(round((span.until_ms - span.since_ms) / HOUR_MS), 1)
    lived = await lived_in(archive, span)
    return Brief(
        namespace=source.settings.namespace,
        profile=profile.name,
        language=profile.messages,
        signal=one_line(profile.wording.signal(signal)),
        span=span,
        mood=await mood_at(archive, source.everything, signal, span.until_ms, hours),
        total=sum(one.total for one in hourly),
        usual=usual_total(past),
        stream=Trend(stream, [_window(one, span) for one in lived if one[-1].series == source.everything]),
        alerts=[await _story(source, events, span, labels, n) for n, events in enumerate(lived)],
        movers=movers,
        judged=judged,
        subjects=await subjects_of(archive, profile, labels, signal, span, past),
        troubles=await troubles_of(archive, profile, signal, span, past, hourly),
    )


async def _story(source: Source, events: Lived, span: Span, labels: Labels, place: int) -> AlertStory:
    story = story_of(events, span, labels, source.profile.wording)
    if place >= _DRAWN:
        return story
    last = events[-1]
    since_ms = max(min(span.since_ms, last.onset_ms) - _BEFORE_MS, span.until_ms - _LONGEST_MS, 0)
    counted = await _counted(source, last.series, Span(since_ms, span.until_ms), last.signal)
    return replace(story, trend=Trend(counted, [_window(events, span)]))


def _window(events: Lived, span: Span) -> Window:
    last = events[-1]
    return last.onset_ms, span.until_ms if last.state in ("firing", "escalated") else last.updated_ms


async def _counted(source: Source, series: str, span: Span, signal: str = "") -> list[Counted]:
    """By the hour or longer; where that leaves a handful of items in each, a share says nothing: by three hours."""
    bucket_ms = default_bucket_ms(span)
    counted = await _points(source, series, span, signal or source.signal, bucket_ms)
    if bucket_ms == HOUR_MS and sum(one.total for one in counted) < _FEW_ITEMS * len(counted):
        return await _points(source, series, span, signal or source.signal, _THIN_BUCKET_MS)
    return counted


async def _points(source: Source, series: str, span: Span, signal: str, bucket_ms: int) -> list[Counted]:
    points = await points_of(source.archive, series, source.everything, signal, span, bucket_ms)
    return [Counted(one.start_ms, bucket_ms // 1000, one.total, one.hits, one.low, one.high) for one in points]


async def _movers(source: Source, span: Span, labels: Labels) -> tuple[int, list[Mover]]:
    """How many series could be surprising, and those that are."""
    kinds = [kind for kind in source.profile.series if kind != source.everything]
    found = await moved_in(source.archive, Watched(kinds, source.signal, source.everything), span)
    shown = [one for one in found if one.surprise >= LEAST_SURPRISE][:_MOVERS]
    newest = await source.archive.newest_of([one.series for one in shown], span.since_ms, span.until_ms)
    movers = [_mover(one, labels, newest.get(one.series)) for one in shown]
    return sum(one.expected is not None for one in found), movers


def _mover(moved: Moved, labels: Labels, newest: Scored | None) -> Mover:
    band = moved.band
    assert band is not None, "what surprises was expected to be otherwise"
    return Mover(
        label=one_line(labels.of(moved.series)),
        kind=moved.series.partition("/")[0],
        hits=moved.hits,
        total=moved.total,
        low=band.low,
        high=band.high,
        surprise=moved.surprise,
        newest=None if newest is None else _headline(newest),
    )


def _headline(item: Scored) -> Headline:
    news = item.news
    return Headline(one_line(news.title), one_line(news.source), news.seen_ms, link(news.url) or "")
