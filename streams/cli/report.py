"""`moodwire report`: a brief of a day as one HTML file, with its pictures beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from streams.alert_rules import alert_config
from streams.archive import closing_archive
from streams.board.reading.spans import Span
from streams.brief import Page, Source, brief_of, last_whole_day, page_of
from streams.cli.moments import MOMENT_HELP, optional_moment_ms
from streams.cli.options import NamespaceOption, ProfileOption
from streams.cli.output import errors, foreign
from streams.errors import MoodwireError
from streams.existing import open_existing_archive
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile
from streams.userfiles import suggestion
from streams.wall_clock import DAY_MS, wall_clock_ms

__all__ = ["report"]

_LONGEST_MS: Final = 31 * DAY_MS


def report(
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    since: Annotated[
        str | None, typer.Option("--from", help=f"From then on: {MOMENT_HELP}; by default a day before --to.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Before then, written alike; by default a day after --from.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="HTML file; the pictures are written beside it as NAME-….png.")
    ] = Path("brief.html"),
    signal: Annotated[str, typer.Option(help="Signal to report; by default the first that is watched.")] = "",
) -> None:
    """Write a daily brief: mood, alerts, movers, volume and gaps, as one HTML file and PNGs.

    By default it is of the last whole day (UTC) of the archive. The file opens in any browser and loads nothing.
    """
    settings, now_ms = load_settings(namespace=namespace, profile=profile), wall_clock_ms()
    since_ms, until_ms = optional_moment_ms(since, now_ms), optional_moment_ms(until, now_ms)
    page = asyncio.run(_page(settings, _span(since_ms, until_ms), signal, now_ms))
    for path in _write(page, out):
        errors.print(f"written: {foreign(str(path))}", highlight=False, soft_wrap=True)


def _span(since_ms: int | None, until_ms: int | None) -> Span | None:
    """None where no time is named."""
    if since_ms is None and until_ms is None:
        return None
    if since_ms is None:
        since_ms = (until_ms or 0) - DAY_MS
    if until_ms is None:
        until_ms = since_ms + DAY_MS
    if not 0 <= since_ms < until_ms:
        raise typer.BadParameter("the time ends before it begins, or begins before 1970; correct --from or --to")
    if until_ms - since_ms > _LONGEST_MS:
        raise typer.BadParameter("the time is longer than 31 days; take a shorter one")
    return Span(since_ms, until_ms)


async def _page(settings: Settings, span: Span | None, signal: str, now_ms: int) -> Page:
    profile = load_profile(settings.profile)
    if signal and signal not in profile.signals:
        raise MoodwireError(f"there is no signal {signal!r}; {suggestion(signal, profile.signals)}")
    signal = signal or alert_config(settings, profile).signals[0]
    async with closing_archive(open_existing_archive(settings)) as archive:
        span = span or await last_whole_day(archive, now_ms)
        brief = await brief_of(Source(archive, settings, profile, signal), span)
    return page_of(brief)


def _write(page: Page, out: Path) -> list[Path]:
    files = {out.with_name(f"{out.stem}-{name}.png"): png for name, png in page.pictures.items()}
    files = {out: page.html.encode()} | files
    try:
        for path, data in files.items():
            path.write_bytes(data)
    except OSError as error:
        raise MoodwireError(
            f"{out} cannot be written ({error.strerror}); name a file in a folder that exists"
        ) from error
    return list(files)
