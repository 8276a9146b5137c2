"""`moodwire series show`: a series as a line of bars, with the band in which chance alone would leave it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer

from alerts import AlertConfig, kind_of
from alerts.records import rounded
from alerts.rule_file import RulesDocument
from alerts.wording import number_text
from streams.alert_rules import alert_config
from streams.archive import closing_archive
from streams.archive.protocol import Archive, Query
from streams.cli.moments import SinceOption, UntilOption, length_ms, optional_moment_ms
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, foreign, print_json, progress_bar, utc
from streams.errors import MoodwireError
from streams.existing import open_existing_archive
from streams.jobs.recount import Watched
from streams.jobs.series_history import BUCKETS_MS, Bucket, bucket_ms_for, history_of
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile
from streams.userfiles import suggestion
from streams.wall_clock import DAY_MS, wall_clock_ms

app = typer.Typer(no_args_is_help=True, add_completion=False)

_BARS: Final = "▁▂▃▄▅▆▇█"
_PEAKS: Final = 5
_COLUMNS: Final = 60
_MOST_BARS: Final = 56
"""Of a bucket that is chosen: both ends of the span may lie within a bucket."""


@app.callback()
def _group() -> None:
    """Show what a series counted."""


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="SERIES", help="Such as entity/AAPL, watchlist/my bank, or all.")],
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    signal: Annotated[str, typer.Option(help="Whose hits; by default the first that is watched.")] = "",
    since: SinceOption = None,
    until: UntilOption = None,
    bucket: Annotated[
        str, typer.Option(help="Length of a bar: 5m, 15m, 30m, 1h, 2h, 3h, 6h, 12h or 1d; by default what fits.")
    ] = "",
    band: Annotated[bool, typer.Option(help="Count the archive again for the band of what is expected.")] = True,
    json: JsonOption = False,
) -> None:
    """Show the hits of a series over time and what was expected: by default the 7 days before its newest item.

    The band is the central 95 % of what the baseline expected, from items up to a day before; a large archive takes a
    while. With --json each bucket is a line.
    """
    settings, now_ms = load_settings(namespace=namespace, profile=profile), wall_clock_ms()
    # without a band no rule is needed: a mistake in the file of rules is not in the way
    config = alert_config(settings, load_profile(settings.profile), None if band else RulesDocument())
    watched = Watched(name, signal or config.signals[0])
    span = optional_moment_ms(since, now_ms), optional_moment_ms(until, now_ms)
    with progress_bar(quiet=json) as progress:
        task = progress.add_task("items", total=None)

        def on_progress(done: int) -> None:
            progress.update(task, completed=done)

        asked = _asked(settings, config, watched, span, _bucket(bucket), band, on_progress)
        buckets, length = asyncio.run(asked)
    if json:
        for one in buckets:
            print_json(_row(one))
        return
    _show(watched, config, buckets, length)


def _bucket(text: str) -> int | None:
    if not text:
        return None
    found = length_ms(text)
    if found not in BUCKETS_MS:
        raise typer.BadParameter(f"{text!r}: take 5m, 15m, 30m, 1h, 2h, 3h, 6h, 12h or 1d")
    return found


async def _asked(
    settings: Settings,
    config: AlertConfig,
    watched: Watched,
    span: tuple[int | None, int | None],
    bucket_ms: int | None,
    with_band: bool,
    on_progress: Callable[[int], None],
) -> tuple[list[Bucket], int]:
    async with closing_archive(open_existing_archive(settings)) as archive:
        since_ms, until_ms = await _span(archive, watched, span)
        length = bucket_ms or bucket_ms_for(until_ms - since_ms, _MOST_BARS)
        if not with_band or not config.ruleset.watches(watched.series):
            return await _plain(archive, watched, since_ms, until_ms, length), length
        buckets = await history_of(
            archive,
            config,
            watched,
            since_ms,
            until_ms,
            length,
            partitions=settings.mentions_partitions,
            on_progress=on_progress,
        )
        return buckets, length


async def _span(archive: Archive, watched: Watched, span: tuple[int | None, int | None]) -> tuple[int, int]:
    """The span asked for; what is left out ends with the series' newest item, 7 days after its start."""
    since_ms, until_ms = span
    newest = await archive.search(Query(series=watched.series, until_ms=until_ms, limit=1))
    if not newest:
        raise MoodwireError(await _nothing(archive, watched))
    until_ms = newest[0].item.news.seen_ms + 1 if until_ms is None else until_ms
    since_ms = until_ms - 7 * DAY_MS if since_ms is None else since_ms
    if since_ms >= until_ms:
        raise MoodwireError(f"the time ends at {utc(until_ms)}, before it begins at {utc(since_ms)}; correct --since")
    return since_ms, until_ms


async def _nothing(archive: Archive, watched: Watched) -> str:
    kind = kind_of(watched.series)
    counts = await archive.top(kind, watched.signal, 0, wall_clock_ms(), limit=10_000)
    known = suggestion(watched.series, [f"{kind}/{count.name}" for count in counts]) if counts else "no item is of it"
    return f"the archive has no items of the series {watched.series!r} by then; {known}"


async def _plain(archive: Archive, watched: Watched, since_ms: int, until_ms: int, bucket_ms: int) -> list[Bucket]:
    """The archive's counts, copies too, without a band."""
    start_ms = since_ms // bucket_ms * bucket_ms
    rates = await archive.rates(watched.series, watched.signal, start_ms, until_ms, bucket_ms)
    known = {rate.start_ms: rate for rate in rates}
    return [
        Bucket(at_ms, known[at_ms].total, known[at_ms].hits, None) if at_ms in known else Bucket(at_ms, 0, 0, None)
        for at_ms in range(start_ms, until_ms, bucket_ms)
    ]


def _row(bucket: Bucket) -> dict[str, Any]:
    band = bucket.band
    expected = {} if band is None else {"expected": rounded(band.expected), "low": band.low, "high": band.high}
    return {"start_ms": bucket.start_ms, "total": bucket.total, "hits": bucket.hits, **expected}


def _show(watched: Watched, config: AlertConfig, buckets: Sequence[Bucket], bucket_ms: int) -> None:
    signal, length = config.wording.signal(watched.signal), config.wording.window(bucket_ms // 1000)
    hits = sum(bucket.hits for bucket in buckets)
    console.print(
        f"[bold]{foreign(watched.series)}[/]  {hits} {foreign(signal)} of {sum(one.total for one in buckets)}, a bar "
        f"each {length}, {utc(buckets[0].start_ms)} to {utc(buckets[-1].start_ms + bucket_ms)}",
        highlight=False,
        soft_wrap=True,
    )
    for part in range(0, len(buckets), _COLUMNS):
        _show_lines(buckets[part : part + _COLUMNS], _highest(buckets))
    above = sorted((one for one in buckets if one.is_above), key=lambda one: one.hits, reverse=True)[:_PEAKS]
    for one in sorted(above, key=lambda one: one.start_ms):
        assert one.band is not None  # else nothing is above it
        expected = f"expected {number_text(one.band.expected)} ({one.band.low} to {one.band.high})"
        console.print(f"  {utc(one.start_ms)}  {one.hits} of {one.total}, {expected}", highlight=False)


def _highest(buckets: Sequence[Bucket]) -> int:
    return max(max(one.hits, one.band.high if one.band else 0) for one in buckets)


def _show_lines(buckets: Sequence[Bucket], highest: int) -> None:
    """The hits, what is above the band in red; below them the band's upper end, where there is one."""
    bars = "".join(
        f"[bold red]{_bar(one.hits, highest)}[/]" if one.is_above else _bar(one.hits, highest) for one in buckets
    )
    console.print(f"  hits  {bars}  {max(one.hits for one in buckets)} at most", highlight=False)
    if any(one.band for one in buckets):
        band = "".join(_bar(one.band.high, highest) if one.band else " " for one in buckets)
        console.print(f"  [dim]band  {band}[/]", highlight=False)


def _bar(value: int, highest: int) -> str:
    """A blank for 0, so that a single hit can be seen."""
    return _BARS[min((value * len(_BARS) - 1) // highest, len(_BARS) - 1)] if value > 0 else " "
