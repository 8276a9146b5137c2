"""Running `moodwire replay` as a user does, killing it, and reading what it left."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from streams.archive import open_archive
from streams.archive.protocol import ArchiveStats, Query
from streams.jobs.retry import read_rejects
from streams.sample import write_sample
from streams.settings import Settings
from streams.stages.watch_rows import SeriesRow
from streams.transport.broker import open_broker

__all__ = [
    "START_LINES",
    "Outcome",
    "archived",
    "command",
    "environment",
    "moodwire",
    "outcome",
    "replay",
    "replay_killed",
    "shuffled",
]

START_LINES = 3_000
"""Of the sample feed: the first alerts are in them."""


def sample_lines(folder: Path, count: int) -> list[bytes]:
    """The first lines of the sample feed, which is written into the folder."""
    write_sample(folder / "sample.ndjson")
    with (folder / "sample.ndjson").open("rb") as whole:
        return list(islice(whole, count))


@dataclass(frozen=True)
class Outcome:
    """What a replay leaves: items by id without their position and story, series rows, alerts by id and revision."""

    stats: ArchiveStats
    rejects: int
    items: Mapping[str, Any]
    rows: Mapping[str, bytes]
    alerts: Mapping[tuple[str, int], Any]


def command(*arguments: str | Path) -> list[str]:
    return [str(Path(sys.executable).with_name("moodwire")), *map(str, arguments)]


def environment(folder: Path, **more: object) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("MOODWIRE_")} | {
        f"MOODWIRE_{key.upper()}": str(value) for key, value in {"data_dir": folder, **more}.items()
    }


def moodwire(folder: Path, *arguments: str | Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """A command to its end; `settings` go into the environment."""
    return subprocess.run(
        command(*arguments), env=environment(folder, **settings), capture_output=True, text=True, check=False
    )


def replay(
    folder: Path, file: Path, namespace: str, *options: str | Path, check: bool = True, **settings: object
) -> dict[str, Any]:
    """One replay to its end; what `--json` says. `settings` go into the environment."""
    done = moodwire(folder, "replay", file, "--into", namespace, "--json", *options, **settings)
    assert not check or done.returncode == 0, done.stderr[-4000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    return report | {"exit": done.returncode, "stderr": done.stderr}


def replay_killed(
    folder: Path, file: Path, namespace: str, kills: Sequence[float], *options: str | Path, **settings: object
) -> int:
    """Start the replay and kill it with SIGKILL once it has scored a share of the items; then let it end.

    `kills` are shares of the file's items, ascending; returns how often it was killed while it worked.
    """
    begun = Settings(data_dir=folder, namespace=namespace)
    total = sum(1 for line in file.read_bytes().splitlines() if line.strip())
    killed = 0
    for share in kills:
        process = subprocess.Popen(
            command("replay", file, "--into", namespace, "--json", *options),
            env=environment(folder, **settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and archived(begun) < share * total:
            time.sleep(0.02)  # another process: there is no event to wait for
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    replay(folder, file, namespace, *options, check=True, **settings)
    return killed


def archived(settings: Settings) -> int:
    """How many items the archive holds by now; 0 while nobody has made it."""
    made = bool(settings.archive_url) or (settings.home / "archive.db").exists()
    return _stats(settings).items if made else 0


def _stats(settings: Settings) -> ArchiveStats:
    async def read() -> ArchiveStats:
        archive = open_archive(settings.archive, settings.elastic)
        try:
            return await archive.stats()
        finally:
            await archive.close()

    return asyncio.run(read())


def outcome(folder: Path, namespace: str, **given: Any) -> Outcome:
    settings = Settings(data_dir=folder, namespace=namespace, **given)
    items, alerts = asyncio.run(_archive(settings))
    with open_broker(settings.broker, settings.kafka) as broker:
        rejects = len(read_rejects(broker, settings.topics))
        [topic] = broker.names(settings.topics.group("watch"))
        rows = {(record.key or b"").decode(): record.value or b"" for record in broker.scan(topic)}
    kept = {key.partition("|")[2]: row for key, row in rows.items() if row and "|s/" in key}
    series = {key: msgspec.msgpack.decode(SeriesRow.of(row).state) for key, row in kept.items()}
    return Outcome(_stats(settings), rejects, items, series, alerts)


async def _archive(settings: Settings) -> tuple[dict[str, Any], dict[tuple[str, int], Any]]:
    archive = open_archive(settings.archive, settings.elastic)
    try:
        items: dict[str, Any] = {}
        query = Query(limit=5_000)
        while hits := await archive.search(query):
            for hit in hits:
                item = msgspec.to_builtins(hit.item)
                for changing in ("position", "story", "scored_ms"):
                    del item[changing]
                items[hit.item.news.id] = item
            query = Query(limit=5_000, before=(hits[-1].item.news.seen_ms, hits[-1].item.news.id))
        present = await archive.alerts(limit=10_000)
        states = [state for alert in present for state in await archive.alert_history(alert.id)]
        return items, {(state.id, state.revision): json.loads(state.body) for state in states}
    finally:
        await archive.close()


def shuffled(lines: Sequence[bytes], seed: int, within_ms: int, repeat_share: float) -> list[bytes]:
    """The lines with a share of them repeated, each moved by up to `within_ms`."""
    rng = random.Random(seed)
    repeated = [*lines, *rng.sample(list(lines), int(len(lines) * repeat_share))]
    return sorted(repeated, key=lambda line: _published_ms(line) + rng.uniform(0, within_ms))


def _published_ms(line: bytes) -> float:
    published: str = json.loads(line)["published"]
    return time.mktime(time.strptime(published, "%Y-%m-%dT%H:%M:%SZ")) * 1000
