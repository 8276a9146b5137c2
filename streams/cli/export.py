"""`moodwire export`: items, series or alerts as CSV or Parquet, as they were known at a time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from streams.alert_rules import alert_config
from streams.archive import closing_archive
from streams.cli.moments import MOMENT_HELP, SinceOption, UntilOption, optional_moment_ms
from streams.cli.options import NamespaceOption, ProfileOption
from streams.cli.output import errors, foreign
from streams.errors import MoodwireError
from streams.existing import open_existing_archive
from streams.jobs.export import COLUMNS, Known, Rows, What, exported
from streams.jobs.export_files import Sink, csv_sink, parquet_sink
from streams.settings import Settings, load_settings
from streams.text.profile import load_profile
from streams.wall_clock import wall_clock_ms

__all__ = ["export"]


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    PARQUET = "parquet"


def export(
    what: Annotated[What, typer.Argument(help="What: versions of items, hours of series, or changes of alerts.")],
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    file_format: Annotated[
        Format, typer.Option("--format", help="How: csv, or parquet, which needs --out.")
    ] = Format.CSV,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; by default standard output.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help=f"Only what was known then: {MOMENT_HELP}; by default all.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    series: Annotated[str, typer.Option("--series", "-s", help="Only of this series, such as entity/AAPL.")] = "",
    signal: Annotated[str, typer.Option(help="The signal of the series; by default the first that is watched.")] = "",
) -> None:
    """Export history as it was known at a time: nothing that came later is in it.

    Items have the scores that they were given first, revisions are rows of their own, and hours of series are as they
    were counted when they ended. In CSV a text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    settings, now_ms = load_settings(namespace=namespace, profile=profile), wall_clock_ms()
    if file_format is Format.PARQUET and out is None:
        raise typer.BadParameter("parquet is no text: name its file with --out")
    config = alert_config(settings, load_profile(settings.profile))
    known = Known(
        since_ms=optional_moment_ms(since, now_ms) or 0,
        until_ms=optional_moment_ms(until, now_ms),
        as_of_ms=optional_moment_ms(as_of, now_ms),
        series=series,
        signal=signal or config.signals[0],
    )
    rows = asyncio.run(_written(settings, what, known, partial(_sink, what, file_format, out)))
    if out is not None:
        errors.print(f"{rows} rows written to {foreign(str(out))}", highlight=False, soft_wrap=True)


@contextmanager
def _sink(what: What, file_format: Format, out: Path | None) -> Iterator[Sink]:
    columns = COLUMNS[what]
    if out is None:
        yield csv_sink(sys.stdout, columns)
    elif file_format is Format.PARQUET:
        with parquet_sink(out, columns) as sink:
            yield sink
    else:
        try:
            with out.open("w", encoding="utf-8", newline="") as stream:
                yield csv_sink(stream, columns)
        except OSError as error:
            raise MoodwireError(
                f"{out} cannot be written ({error.strerror}); name a file in a folder that exists"
            ) from error


async def _written(
    settings: Settings, what: What, known: Known, sink: Callable[[], AbstractContextManager[Sink]]
) -> int:
    """Returns how many rows were written; the sink is opened once the archive has answered, so an error leaves none."""
    async with closing_archive(open_existing_archive(settings)) as archive:
        batches = exported(archive, what, known)
        rows: Rows = await anext(batches, [])
        with sink() as opened:
            opened.write(rows)
            count = len(rows)
            async for rows in batches:
                opened.write(rows)
                count += len(rows)
    return count
