"""`moodwire backup FOLDER` and `moodwire restore FOLDER`: the embedded broker and archive, as of one moment."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from streams.archive.elastic.address import is_elastic
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json
from streams.errors import SettingsError
from streams.jobs.backup import ARCHIVE, BROKER, back_up, check_backup
from streams.jobs.backup import restore as restore_files
from streams.private_files import private_home
from streams.settings import Settings, load_settings
from streams.transport.sqlite.broker import broker_path
from streams.transport.sqlite.lock import GroupLock

FolderArgument = Annotated[Path, typer.Argument(help="Folder of the backup.", file_okay=False)]


def backup(folder: FolderArgument, namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    settings = load_settings(namespace=namespace)
    _report(settings, back_up(_embedded(settings), folder), "copied as of one moment", json=json)


def restore(folder: FolderArgument, namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    settings = load_settings(namespace=namespace)
    files = _embedded(settings)
    check_backup(folder, files)
    private_home(settings.home)
    with ExitStack() as held:
        if BROKER in files:
            for stage in settings.topics.sources:
                lock = GroupLock(files[BROKER], settings.topics.group(stage))
                lock.acquire()
                held.callback(lock.release)
        _report(settings, restore_files(folder, files, settings.topics.name("")), "restored", json=json)


def _embedded(settings: Settings) -> dict[str, Path]:
    """Which files there are to copy, and where."""
    files = {}
    if not settings.on_kafka:
        files[BROKER] = broker_path(settings.broker)
    if not is_elastic(settings.archive):
        files[ARCHIVE] = Path(settings.archive.partition("://")[2]).resolve()
    if not files:
        raise SettingsError(
            'neither broker nor archive is embedded: for Kafka and Elasticsearch see "Back up" in deploy/runbook.md'
        )
    return files


def _report(settings: Settings, places: list[Path], done: str, *, json: bool) -> None:
    if json:
        print_json({"namespace": settings.namespace, "files": [str(place) for place in places]})
        return
    for place in places:
        console.print(f"{foreign(place)}  {place.stat().st_size:,} bytes", highlight=False, soft_wrap=True)
    console.print(f"Namespace [bold]{settings.namespace}[/]: {done}.", highlight=False)
