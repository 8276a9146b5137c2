"""`moodwire export`: rows as they were known at a time, as CSV and Parquet."""

from __future__ import annotations

import asyncio
import csv
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from streams.archive.memory import MemoryArchive
from streams.cells import cell
from streams.cli import app
from streams.errors import MoodwireError
from streams.jobs.export import COLUMNS, Known, Rows, What, exported
from streams.jobs.export_files import csv_sink, parquet_sink
from streams.records import Scored
from streams.settings import Settings
from streams.stages.watch import stored_alert
from streams.wall_clock import DAY_MS, HOUR_MS
from tests.archive_news import CRISIS_MS, END_MS, SERIES, START_MS, crisis_news, watched_events
from tests.board import board_server
from tests.stages.test_watch_hours import all_hours


async def filled(archive: MemoryArchive, items: list[Scored]) -> MemoryArchive:
    await archive.write_items(items)
    await archive.record_hours(all_hours(items))
    await archive.write_alerts([stored_alert(event) for event in watched_events(items)])
    return archive


async def rows_of(archive: MemoryArchive, what: What, known: Known) -> Rows:
    return [row for batch in [rows async for rows in exported(archive, what, known)] for row in batch]


async def test_nothing_that_came_later_is_in_a_row() -> None:
    """What is exported of a time is what the archive held then, had nothing come since."""
    news = sorted(crisis_news(), key=lambda item: item.news.seen_ms)
    revised = msgspec.structs.replace(
        news[0],
        news=msgspec.structs.replace(news[0].news, content="later", seen_ms=END_MS - 1),
        position=msgspec.structs.replace(news[0].position, offset=10**6),
    )
    whole = await filled(MemoryArchive(), news)
    await whole.write_items([revised])
    as_of_ms = CRISIS_MS + 12 * HOUR_MS
    then = await filled(MemoryArchive(), [item for item in news if item.news.seen_ms <= as_of_ms])
    for what in What:
        known = Known(as_of_ms=as_of_ms, signal="negative")
        found = await rows_of(whole, what, known)
        assert found
        ended = as_of_ms if what is What.SERIES else as_of_ms + 1
        expected = [row for row in await rows_of(then, what, known) if row.get("start_ms", 0) < ended]
        assert found == expected, what
        assert [list(row) for row in found[:1]] == [[column.name for column in COLUMNS[what]]]


async def test_revisions_are_rows_of_their_own() -> None:
    [item, *_] = crisis_news()
    revised = msgspec.structs.replace(
        item,
        news=msgspec.structs.replace(item.news, content="b", seen_ms=item.news.seen_ms + 5),
        position=msgspec.structs.replace(item.position, offset=item.position.offset + 2),
    )
    archive = MemoryArchive()
    await archive.write_items([item, revised])
    rows = await rows_of(archive, What.ITEMS, Known())
    assert [(row["content"], row["counts"]) for row in rows] == [("a", "yes"), ("b", "revision")]


async def test_a_span_and_a_series_restrict() -> None:
    archive = await filled(MemoryArchive(), crisis_news())
    known = Known(since_ms=CRISIS_MS, until_ms=CRISIS_MS + HOUR_MS, series=SERIES, signal="negative")
    [hour] = await rows_of(archive, What.SERIES, known)
    assert (hour["series"], hour["start_ms"], hour["hits"]) == (SERIES, CRISIS_MS, 14)
    items = await rows_of(archive, What.ITEMS, known)
    assert len(items) >= 28
    assert all(SERIES in str(row["series"]).split("; ") for row in items)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1"])
def test_texts_that_a_spreadsheet_would_run_are_escaped(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell(-1.5) == -1.5
    assert cell(None) == ""


async def test_parquet_has_types_and_timestamps(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    archive = await filled(MemoryArchive(), crisis_news())
    for what in What:
        path = tmp_path / f"{what}.parquet"
        rows = await rows_of(archive, what, Known(signal="negative"))
        with parquet_sink(path, COLUMNS[what]) as sink:
            sink.write(rows[:10])
            sink.write([])
            sink.write(rows[10:])
        table = parquet.read_table(path)
        assert table.num_rows == len(rows)
        times = [field for field in table.schema if str(field.type) == "timestamp[ms, tz=UTC]"]
        assert times
    assert str(parquet.read_schema(tmp_path / "series.parquet").field("hits").type) == "int64"


def test_without_pyarrow_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MoodwireError, match=r"install moodwire\[parquet\]"), parquet_sink(tmp_path / "x", []):
        pass


def test_csv_has_a_header_and_a_line_a_row() -> None:
    stream = io.StringIO()
    sink = csv_sink(stream, COLUMNS[What.SERIES])
    sink.write([dict.fromkeys([column.name for column in COLUMNS[What.SERIES]], "=x")])
    header, row = csv.reader(io.StringIO(stream.getvalue()))
    assert header[0] == "series"
    assert set(row) == {"'=x"}


def test_the_command_writes_what_was_known_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path, namespace="then")
    settings.home.mkdir(parents=True)
    asyncio.run(board_server.filled(settings))
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    out = tmp_path / "items.csv"
    as_of = datetime.fromtimestamp((START_MS + 2 * DAY_MS) / 1000, UTC).strftime("%Y-%m-%d")
    result = CliRunner().invoke(app, ["export", "items", "-n", "then", "--as-of", as_of, "--out", str(out)])
    assert result.exit_code == 0, result.output
    times = [int(row["seen_ms"]) for row in csv.DictReader(out.read_text(encoding="utf-8").splitlines())]
    assert len(times) == len([one for one in crisis_news() if one.news.seen_ms <= START_MS + 2 * DAY_MS])
    assert max(times) <= START_MS + 2 * DAY_MS
    refused = CliRunner().invoke(app, ["export", "items", "-n", "then", "--format", "parquet"])
    assert refused.exit_code == 2
    gone = tmp_path / "none.csv"
    for where in ([], ["--out", str(gone)]):
        unknown = CliRunner().invoke(app, ["export", "items", "-n", "nowhere", *where])
        assert (unknown.exit_code, unknown.stdout, gone.exists()) == (1, "", False)
        assert "there is no namespace 'nowhere'" in str(unknown.exception)
