"""`moodwire archive …` as a user calls it, on a real Elasticsearch with the embedded broker."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streams.archive import open_elastic
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import ArchiveStats
from streams.archive.schema import connect
from streams.sample import generate
from tests.integration.replays import command, environment

ITEMS = 60


def moodwire(folder: Path, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(folder) | variables,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


async def stats(url: str, prefix: str) -> ArchiveStats:
    archive = open_elastic(url, ElasticOptions(prefix=prefix))
    try:
        return await archive.stats()
    finally:
        await archive.close()


@pytest.mark.integration
async def test_the_archive_s_life(tmp_path: Path, elastic_url: str, elastic_prefix: str) -> None:
    """Set up, filled by a replay, rebuilt under another prefix, pruned."""
    variables = {"MOODWIRE_ARCHIVE_URL": elastic_url, "MOODWIRE_ARCHIVE_REPLICAS": "0"}
    first = variables | {"MOODWIRE_ARCHIVE_PREFIX": elastic_prefix}
    second = variables | {"MOODWIRE_ARCHIVE_PREFIX": f"{elastic_prefix}again-"}
    for _ in range(2):
        templates = said(moodwire(tmp_path, "archive", "setup", "--json", **first))["templates"]
        assert {name.removeprefix(elastic_prefix) for name in templates} >= {"items", "hours", "alerts", "decisions"}
    findings = json.loads(moodwire(tmp_path, "doctor", "--json", **first).stdout)["findings"]
    (archive,) = [finding["found"] for finding in findings if finding["check"] == "archive"]
    assert "Elasticsearch 9." in archive
    assert ", set up, " in archive
    feed = tmp_path / "feed.ndjson"
    feed.write_text("".join(json.dumps(raw) + "\n" for raw, _ in zip(generate(), range(ITEMS), strict=False)))
    replayed = said(moodwire(tmp_path, "replay", feed, "--into", "news", "--json", **first))
    rebuilt = said(moodwire(tmp_path, "archive", "rebuild", "-n", "news", "--json", **second))
    assert rebuilt["items"] == replayed["items"] + replayed["revisions"] > 0
    want = ArchiveStats(replayed["items"], replayed["revisions"], replayed["duplicates"])
    assert await stats(elastic_url, f"{elastic_prefix}news-") == want
    again = await stats(elastic_url, f"{elastic_prefix}again-news-")
    assert (again.items, again.revisions) == (want.items, want.revisions)
    pruned = said(moodwire(tmp_path, "archive", "prune", "--older-than", "0", "-n", "news", "--json", **first))
    assert pruned == {"deleted": want.items + want.revisions}
    assert await stats(elastic_url, f"{elastic_prefix}news-") == ArchiveStats(0, 0, 0)


def test_the_embedded_archive_needs_no_setup_and_is_not_rescored(tmp_path: Path) -> None:
    assert said(moodwire(tmp_path, "archive", "setup", "--json")) == {"templates": [], "objects": 0}
    (tmp_path / "live").mkdir()
    connect(tmp_path / "live" / "archive.db").close()
    assert said(moodwire(tmp_path, "archive", "prune", "--older-than", "1", "--json")) == {"deleted": 0}
    refused = moodwire(tmp_path, "archive", "rescore")
    assert refused.returncode == 1
    assert "MOODWIRE_ARCHIVE_URL" in refused.stderr


def test_doctor_shows_no_password_of_the_archive(tmp_path: Path) -> None:
    url = "http://ann:hush-hush@127.0.0.1:1"
    variables = {"MOODWIRE_ARCHIVE_URL": url, "MOODWIRE_ARCHIVE_API_KEY": "c2VjcmV0", "MOODWIRE_LOG_LEVEL": "DEBUG"}
    done = moodwire(tmp_path, "doctor", **variables)
    assert done.returncode == 1
    assert "http://127.0.0.1:1" in done.stdout
    assert "Elasticsearch" in done.stdout + done.stderr
    for secret in ("hush-hush", "c2VjcmV0", "YW5uOmh1c2gtaHVzaA"):
        assert secret not in done.stdout + done.stderr
