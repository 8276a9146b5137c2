"""`moodwire archive setup|prune|rescore|rebuild|rebuild-state`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from streams.archive import closing_archive, open_archive, open_elastic
from streams.archive.elastic.address import is_elastic
from streams.archive.elastic.dashboards import ChartedSignal, Charts
from streams.archive.protocol import Archive
from streams.classifiers import classifiers_of
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, foreign, print_json, progress_bar
from streams.errors import Retry, SettingsError
from streams.existing import open_existing, open_existing_archive
from streams.lifecycle.decisions import check_profile_of, control_of
from streams.settings import Settings, load_settings
from streams.text.profile import Profile, load_profile
from streams.topics import topic_specs
from streams.transport.broker import open_broker
from streams.wall_clock import DAY_MS, wall_clock_ms

app = typer.Typer(no_args_is_help=True, add_completion=False)

ATTEMPTS = 5
T = TypeVar("T")


@app.command("setup")
def setup(
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    kibana: Annotated[
        str | None, typer.Option(help="Address of Kibana, into which the profile's dashboards are imported.")
    ] = None,
    dashboards: Annotated[
        Path | None, typer.Option(help="Folder with the dashboards' NDJSON files.", exists=True, file_okay=False)
    ] = None,
    ilm: Annotated[bool, typer.Option("--ilm", help="Let Elasticsearch merge and delete days by itself.")] = False,
    json: JsonOption = False,
) -> None:
    """Write the index templates, and with --kibana import the dashboards. No document is changed; may be repeated."""
    settings = load_settings(namespace=namespace, profile=profile)
    if not is_elastic(settings.archive):
        _done({"templates": [], "objects": 0}, "The embedded archive needs no set-up.", json=json)
        return
    templates = asyncio.run(_templates(settings, lifecycle=ilm))
    objects = _import_dashboards(settings, kibana, dashboards) if kibana else 0
    told = f"{len(templates)} index templates of {settings.archive} are up to date"
    _done(
        {"templates": templates, "objects": objects},
        f"{told}; {objects} objects imported into Kibana." if kibana else f"{told}.",
        json=json,
    )


async def _templates(settings: Settings, *, lifecycle: bool) -> list[str]:
    async with closing_archive(open_elastic(settings.archive, settings.elastic)) as archive:
        return await _patiently(lambda: archive.setup(lifecycle=lifecycle))


def _import_dashboards(settings: Settings, kibana: str, folder: Path | None) -> int:
    from streams.archive.elastic.kibana import dashboard_files, import_dashboards

    charts = charts_of(load_profile(settings.profile))
    return import_dashboards(kibana, dashboard_files(folder), settings.elastic, charts)


def charts_of(profile: Profile) -> Charts:
    """Returns what dashboards show of a profile: all of its signals, and its first kind of series made of labels."""
    signals = tuple(
        ChartedSignal(name, profile.wording.signal(name), one.head, one.labels[0])
        for name, one in profile.signals.items()
    )
    kinds = [(name, kind.head) for name, kind in profile.series.items() if kind.head is not None]
    return Charts(signals, *(kinds[0] if kinds else ()))


@app.command("prune")
def prune(
    older_than: Annotated[float, typer.Option("--older-than", help="Days since an item was first seen.", min=0)],
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Delete old items with their revisions and duplicates: whole days at once, the rest one by one."""
    settings = load_settings(namespace=namespace)
    before_ms = wall_clock_ms() - int(older_than * DAY_MS)
    deleted = asyncio.run(_with_archive(open_existing_archive(settings), lambda archive: archive.prune(before_ms)))
    day = datetime.fromtimestamp(max(before_ms, 0) / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    _done({"deleted": deleted}, f"{deleted:,} versions of items seen before {day} UTC deleted.", json=json)


@app.command("rescore")
def rescore(
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    days: Annotated[
        float | None, typer.Option(help="Only items seen in so many last days; by default all.", min=0)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Score archived items with the current model. Dashboards show the new scores; the old ones are kept.

    It raises no alert. If it is interrupted, run the same command again to resume.
    """
    settings = load_settings(namespace=namespace, profile=profile)
    if not is_elastic(settings.archive):
        raise SettingsError("only an archive on Elasticsearch can be scored again: set MOODWIRE_ARCHIVE_URL to it")
    since_ms = 0 if days is None else wall_clock_ms() - int(days * DAY_MS)
    done = asyncio.run(_rescore(settings, since_ms, quiet=json))
    _done({"rescored": done}, f"{done:,} items were given new scores.", json=json)


async def _rescore(settings: Settings, since_ms: int, *, quiet: bool) -> int:
    from streams.alert_rules import profile_of
    from streams.jobs.rescore import rescore as rescore_archive

    profile = profile_of(settings)
    check_profile_of(settings, profile)
    classifiers = classifiers_of(settings, profile, control_of(settings))
    with ExitStack() as stack:
        for classifier in classifiers.values():
            stack.callback(classifier.close)
        async with closing_archive(open_elastic(settings.archive, settings.elastic)) as archive:
            bar = stack.enter_context(progress_bar(quiet=quiet))
            task = bar.add_task("scoring again", total=None)

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            return await _patiently(
                lambda: rescore_archive(archive.rescorer(), profile, classifiers, since_ms=since_ms, on_progress=show)
            )


@app.command("rebuild")
def rebuild(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    """Write all items that the topics still hold into the archive, after a loss or for a new archive."""
    from streams.jobs.rebuild import rebuild as rebuild_archive

    settings = load_settings(namespace=namespace)
    with open_existing(settings) as broker, progress_bar(quiet=json) as bar:
        task = bar.add_task("records", total=None)
        items, states = asyncio.run(
            _with_archive(
                open_archive(settings.archive, settings.elastic),
                lambda archive: rebuild_archive(
                    broker, settings.topics, archive, on_progress=lambda done: bar.update(task, completed=done)
                ),
            )
        )
    _done(
        {"items": items, "alert_states": states},
        f"{items:,} items and {states:,} states of alerts are in {settings.archive}.",
        json=json,
    )


@app.command("rebuild-state")
def rebuild_state(namespace: NamespaceOption = None, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """Count the whole archive again, after the state of `watch` is lost or a signal is added: sends all mentions anew.

    Refused while `score` or `watch` runs. If it is interrupted, run it again from the start.
    """
    from streams.alert_rules import profile_of
    from streams.jobs.rebuild_state import rebuild_state as rebuild_watch

    settings = load_settings(namespace=namespace, profile=profile)
    archive = open_existing_archive(settings)  # the broker may be new: it was lost
    with closing(open_broker(settings.broker, settings.kafka)) as broker, progress_bar(quiet=json) as bar:
        task = bar.add_task("items", total=None)
        items = asyncio.run(
            _with_archive(
                archive,
                lambda archive: rebuild_watch(
                    broker,
                    settings.topics,
                    topic_specs(settings),
                    archive,
                    profile_of(settings),
                    on_progress=lambda done: bar.update(task, completed=done),
                ),
            )
        )
    _done({"items": items}, f"{items:,} items wait for watch: start it, and it counts them.", json=json)


async def _with_archive(archive: Archive, job: Callable[[Archive], Awaitable[T]]) -> T:
    async with closing_archive(archive):
        return await _patiently(lambda: job(archive))


async def _patiently(job: Callable[[], Awaitable[T]]) -> T:
    """Retries the job while the server is busy, then raises its error. Every job here can be repeated."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await job()
        except Retry as error:
            if attempt == ATTEMPTS:
                raise
            await asyncio.sleep(error.retry_after_seconds)
    raise AssertionError("unreachable")  # pragma: no cover  # the last attempt raises


def _done(figures: dict[str, object], text: str, *, json: bool) -> None:
    if json:
        print_json(figures)
    else:
        console.print(foreign(text), highlight=False, soft_wrap=True)
