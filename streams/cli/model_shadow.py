"""The report of `moodwire model shadow --report`."""

from __future__ import annotations

import asyncio

from rich.table import Table

from models import OnnxClassifier
from models.artifact import Artifact
from streams.archive.protocol import Query
from streams.cli.output import console, foreign, print_json
from streams.existing import open_existing_archive
from streams.lifecycle.shadow_report import ShadowReport, shadow_report
from streams.records import Scored
from streams.settings import Settings
from streams.text.profile import load_profile

__all__ = ["show_shadow"]

_SHOWN = 10


def show_shadow(settings: Settings, artifact: Artifact, language: str, last: int, *, json: bool) -> None:
    """Score the newest archived items of the language with the version, and show where it differs."""
    items = asyncio.run(_newest(settings, language, last))
    with (
        console.status(f"scoring {len(items):,} items"),
        OnnxClassifier.load(artifact.path, threads=settings.threads) as classifier,
    ):
        found = shadow_report(load_profile(settings.profile), {language: classifier}, items)
    if json:
        print_json(found)
    else:
        _show(artifact, found)


async def _newest(settings: Settings, language: str, last: int) -> list[Scored]:
    archive = open_existing_archive(settings)
    try:
        return [hit.item for hit in await archive.search(Query(language=language, limit=last))]
    finally:
        await archive.close()


def _show(artifact: Artifact, found: ShadowReport) -> None:
    share = 100 / max(1, found.items)
    console.print(
        f"[bold]{foreign(f'{artifact.name} {artifact.version}')}[/] on {found.items:,} archived items: "
        f"another sentiment for {found.sentiment_differs:,} ({share * found.sentiment_differs:.1f} %), "
        f"another topic for {found.topic_differs:,} ({share * found.topic_differs:.1f} %); "
        f"negative {100 * found.negative_after:.1f} % "
        f"after {100 * found.negative_before:.1f} %",
        highlight=False,
        soft_wrap=True,
    )
    if not found.examples:
        return
    table = Table("before", "after", "tone", "title", title="where it differs most", title_justify="left")
    for one in found.examples[:_SHOWN]:
        table.add_row(foreign(one.before), foreign(one.after), f"{one.change:+.2f}", foreign(one.title))
    console.print(table)
