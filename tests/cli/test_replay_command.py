"""`moodwire replay` as a newcomer meets it: exit codes, hints, interruptions, and what its last lines say."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streams.archive.protocol import ArchiveStats
from streams.cli.replay import _as_json, _remarks
from streams.feeds.replay import ReplayProgress
from streams.jobs.replay import ReplayReport
from tests.cli.test_asking_creates_nothing import called, nowhere
from tests.cli.test_commands import moodwire
from tests.integration.replays import command, environment

__all__ = ["nowhere"]

START_MS, MINUTE_MS = 1_680_000_000_000, 60_000


def item(n: int, **fields: Any) -> dict[str, Any]:
    return {"id": n, "title": f"Mill number {n} opens its doors", "source": "Post",
            "published": START_MS + n * MINUTE_MS} | fields  # fmt: skip


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# -- before anything is made


def test_unknown_fields_are_answered_with_the_map_that_fits_and_the_command(nowhere: Path) -> None:
    file = write(nowhere / "my news.ndjson", *({"head": f"Mill {n} \x1b[31mopens", "when": START_MS} for n in range(9)))
    code, said = called("replay", str(file))
    assert code == 1
    assert "none of the first 9 records can be used: no_title: no text at title, headline" in said
    assert "  title: head\n  published: when\n" in said
    assert f"moodwire replay '{file}' --field-map 'my news.map.yaml'" in said
    assert "\x1b" not in said
    assert [path.name for path in nowhere.iterdir()] == [file.name]
    code, said = called("replay", str(file), "--json")
    told = json.loads(said.splitlines()[-1])
    assert (code, told["finished"], told["field_map"]) == (1, False, "title: head\npublished: when\n")
    assert told["fields"].keys() == {"head", "when"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("news.json", b'[{"title": "a"}]', "one JSON array"),
        ("news.ndjson.gz", b"plain", "not gzip"),
        ("news.bin", bytes(range(256)) * 9, "binary"),
        (".", None, "Is a directory"),
        ("absent.ndjson", None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_played_is_one_clear_error_and_leaves_nothing(
    nowhere: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (nowhere / name).write_bytes(content)
    before = sorted(nowhere.iterdir())
    code, said = called("replay", name, "--into", "x")
    assert code == 1
    assert words in said
    assert sorted(nowhere.iterdir()) == before


# -- whole replays


def test_a_replay_that_archives_nothing_ends_with_1(tmp_path: Path) -> None:
    empty = tmp_path / "empty.ndjson"
    empty.write_bytes(b"")
    done = moodwire(tmp_path, "replay", empty)
    assert done.returncode == 1
    assert "Nothing was archived" in done.stdout
    assert f"Data: {tmp_path / 'replay-empty'}" in done.stdout.replace("\n", "")


def test_an_archive_that_vanished_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    file = write(tmp_path / "news.ndjson", *(item(n) for n in range(5)))
    assert moodwire(tmp_path, "replay", file).returncode == 0
    for lost in (tmp_path / "replay-news").glob("archive.db*"):
        lost.unlink()
    again = moodwire(tmp_path, "replay", file)
    assert again.returncode == 1
    said = again.stderr.replace("\n", " ")
    assert "archive.db is empty, though its broker" in said
    assert "moodwire archive rebuild -n replay-news" in said
    assert moodwire(tmp_path, "archive", "rebuild", "-n", "replay-news").returncode == 0
    assert json.loads(moodwire(tmp_path, "replay", file, "--json").stdout)["items"] == 5


def test_a_broker_that_vanished_is_a_warning_with_the_way_out(tmp_path: Path) -> None:
    """All were duplicates then, and nothing was counted, without a word."""
    file = write(tmp_path / "news.ndjson", *(item(n) for n in range(5)))
    first = moodwire(tmp_path, "replay", file)
    for lost in (tmp_path / "replay-news").glob("broker.db*"):
        lost.unlink()
    again = moodwire(tmp_path, "replay", file)
    assert "moodwire archive rebuild-state -n replay-news" in again.stderr.replace("\n", " ")
    assert moodwire(tmp_path, "archive", "rebuild-state", "-n", "replay-news").returncode == 0
    last = moodwire(tmp_path, "replay", file)
    assert "rebuild-state" not in first.stderr + last.stderr


def test_an_archive_that_was_pruned_of_all_is_none_that_vanished(tmp_path: Path) -> None:
    file = write(tmp_path / "news.ndjson", *(item(n) for n in range(5)))
    assert moodwire(tmp_path, "replay", file).returncode == 0
    assert moodwire(tmp_path, "archive", "prune", "-n", "replay-news", "--older-than", "0").returncode == 0
    again = moodwire(tmp_path, "replay", file)
    assert again.returncode == 1
    assert "the file was played before, and its items are no longer in the archive" in again.stdout.replace("\n", " ")


def test_what_was_not_scored_and_not_dated_is_counted_by_language_and_reason(tmp_path: Path) -> None:
    rows = [item(n) for n in range(3)]
    rows += [item(n, title=f"银行倒闭引发市场恐慌情绪第{n}次") for n in range(3, 5)]
    rows += [item(5, published=None), item(6, title=None)]
    file = write(tmp_path / "mixed.ndjson", *rows)
    done = moodwire(tmp_path, "replay", file)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "7 records = 5 archived (5 items, 0 revisions) + 0 duplicates + 2 rejects" in said
    assert "Rejects by reason: 1 no_date, 1 no_title." in said
    assert "2 items are archived and not scored" in said
    assert "2 zh" in said
    again = moodwire(tmp_path, "replay", file, "--json")
    told = json.loads(again.stdout)
    assert (told["unscored"], told["reject_reasons"], told["finished"]) == (
        {"zh": 2}, {"no_date": 1, "no_title": 1}, True
    )  # fmt: skip
    other = write(tmp_path / "watch.yaml", {"watchlists": [{"name": "mills", "names": ["Mill"]}]})
    refused = moodwire(tmp_path, "replay", file, "--watchlists", other)
    assert refused.returncode == 1
    assert "with another watchlist file" in refused.stderr.replace("\n", " ")


def items(archive: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{archive}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM versions").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_replay_says_so_and_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    file = write(tmp_path / "long.ndjson", *(item(n) for n in range(3_000)))
    arguments = ("replay", file, "--into", "long", "--json", "--speed", "1000")  # three minutes, if nobody stops it
    process = subprocess.Popen(
        command(*arguments), env=environment(tmp_path, threads=1), stdout=subprocess.PIPE, text=True
    )
    while not items(tmp_path / "long" / "archive.db") and process.poll() is None:
        time.sleep(0.05)  # another process: there is no event to wait for
    process.send_signal(number)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    told = json.loads(printed)
    assert told["finished"] is False
    assert 0 < told["items"] <= told["lines"] < 3_000
    done = moodwire(tmp_path, "replay", file, "--into", "long", "--json", MOODWIRE_TERMINAL="false")
    told = json.loads(done.stdout)
    assert (done.returncode, told["finished"], told["items"]) == (0, True, 3_000)


def test_a_pipe_is_read_once_like_standard_input(tmp_path: Path) -> None:
    file = write(tmp_path / "news.ndjson", *(item(n) for n in range(5)))
    reading, writing = os.pipe()
    os.write(writing, file.read_bytes())
    os.close(writing)
    done = subprocess.run(
        command("replay", f"/dev/fd/{reading}", "--into", "piped", "--json"),
        env=environment(tmp_path), pass_fds=[reading], capture_output=True, text=True, check=False,
    )  # fmt: skip
    os.close(reading)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["items"] == 5


def test_records_that_are_retried_with_the_right_map_are_counted_at_their_own_dates(tmp_path: Path) -> None:
    usual = [item(n) for n in range(3)]
    other = [
        {"head": f"Mill number {n} closes", "source": "Post", "when": START_MS + n * MINUTE_MS} for n in range(3, 9)
    ]
    file = write(tmp_path / "mixed.ndjson", *usual, *other)
    (tmp_path / "map.yaml").write_text("title: head\npublished: when\n")
    played = moodwire(tmp_path, "replay", file)
    assert "Most records could not be used: `moodwire rejects retry -n replay-mixed --field-map FILE`" in played.stdout
    retry = ("rejects", "retry", "-n", "replay-mixed")
    assert "6 still cannot be read with the default places" in moodwire(tmp_path, *retry).stdout
    assert "6 records sent again" in moodwire(tmp_path, *retry, "--field-map", tmp_path / "map.yaml").stdout
    told = json.loads(moodwire(tmp_path, "replay", file, "--json").stdout)
    assert (told["items"], told["rejects"]) == (9, 0)
    with closing(sqlite3.connect(tmp_path / "replay-mixed" / "archive.db")) as db:
        seen = sorted(row[0] for row in db.execute("SELECT seen_ms FROM versions"))
    assert seen == [START_MS + n * MINUTE_MS for n in range(9)]


def test_torn_rows_keep_their_reason_and_no_field_map_is_advised(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows = [f"Mill number {n} closes,Post,2024-05-01T0{n}:00:00Z" for n in range(2)]
    file.write_text("\n".join(["title,source,published", *rows, *("ragged,row" for _ in range(3))]) + "\n")
    played = moodwire(tmp_path, "replay", file)
    assert "bad_csv" in played.stdout
    assert "--field-map" not in played.stdout
    retried = moodwire(tmp_path, "rejects", "retry", "-n", "replay-rows").stdout
    assert "3 cannot be sent again, whatever the field map, and stay: 3 bad_csv." in retried


def test_notifications_that_wait_are_named_with_the_command_that_sends_them(nowhere: Path) -> None:
    progress = ReplayProgress("f", 1, 9, 9, 1, 0, 0, 0, 0, 0, complete=True)
    report = ReplayReport("crisis", progress, ArchiveStats(1, 0, 0), {}, 2, {}, unsent={"webhook x.example": 2})
    (remark,) = _remarks(report)
    sends = "`moodwire run --replay -n crisis --stage deliver` sends them."
    assert remark == f"2 notifications wait for webhook x.example; {sends}"
    assert _as_json(report)["notifications_waiting"] == {"webhook x.example": 2}
