"""`moodwire report`: what a brief of a day says, of a crisis, a calm day and an empty one, and what it lets in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image
from typer.testing import CliRunner

from alerts.delivery import EmailChannel
from alerts.delivery.share_picture import Counted, share_png
from alerts.delivery.smtp import SmtpServer
from alerts.records import Headline
from streams.app import Pipeline
from streams.archive.memory import MemoryArchive
from streams.board.reading.spans import Span
from streams.brief import Brief, Source, brief_of, briefing_of, last_whole_day, page_of
from streams.brief.page import summary_of
from streams.cli import app
from streams.errors import MoodwireError
from streams.records import Scored
from streams.settings import Settings
from streams.stages.watch import stored_alert
from streams.text.profile import load_profile
from streams.wall_clock import DAY_MS, HOUR_MS
from tests.archive_news import CRISIS_MS, END_MS, SERIES, START_MS, crisis_news, watched_events
from tests.board import board_server
from tests.stages.test_watch_hours import all_hours

CRISIS_DAY = Span(CRISIS_MS // DAY_MS * DAY_MS, CRISIS_MS // DAY_MS * DAY_MS + DAY_MS)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\"'{{ 7 * 7 }}"


async def filled(archive: MemoryArchive, items: Sequence[Scored], title: str = "Run on ACME") -> MemoryArchive:
    await archive.write_items(items)
    await archive.record_hours(all_hours(list(items)))
    events = watched_events(list(items))
    lines = {item.id: Headline(title, title, "javascript:alert(1)") for one in events for item in one.top_items}
    await archive.write_alerts([stored_alert(one.with_headlines(lines)) for one in events])
    return archive


def source_of(archive: MemoryArchive) -> Source:
    return Source(archive, Settings(namespace="then"), load_profile("finance"), "negative")


async def crisis_brief(title: str = "Run on ACME") -> Brief:
    return await brief_of(source_of(await filled(MemoryArchive(), crisis_news(), title)), CRISIS_DAY)


async def test_a_crisis_is_told_with_its_sentence_headlines_and_picture() -> None:
    brief = await crisis_brief()
    assert brief.count("opened") == 1
    [alert] = [one for one in brief.alerts if one.did("opened")]
    assert "negative of" in alert.sentence
    assert [line.title for line in alert.headlines] == ["Run on ACME"]
    assert alert.headlines[0].url == ""
    assert any(mover.label == SERIES.partition("/")[2] for mover in brief.movers)
    assert not brief.is_calm
    page = page_of(brief)
    assert {"stream", "alert-1"} <= set(page.pictures)
    for png in page.pictures.values():
        image = Image.open(BytesIO(png))
        image.load()
        assert image.format == "PNG"
    assert alert.sentence in page.html


async def test_a_digest_brings_the_brief_of_the_day_before_it_once_for_all_who_are_sent_one() -> None:
    page = briefing_of(Settings(namespace="then"), await filled(MemoryArchive(), crisis_news()))
    attached, again = await asyncio.gather(page(CRISIS_DAY.until_ms + 5), page(CRISIS_DAY.until_ms + 60_000))
    assert attached is again
    [alert] = [one for one in (await crisis_brief()).alerts if one.did("opened")]
    assert alert.sentence in attached.html
    assert "data:image/png;base64," in attached.html
    end = datetime.fromtimestamp(CRISIS_DAY.until_ms / 1000, UTC)
    assert attached.name == f"brief-{end:%Y-%m-%d}.html"


async def test_a_worker_gives_channels_of_mail_the_briefs_of_its_archive(tmp_path: Path) -> None:
    mail = EmailChannel(SmtpServer("127.0.0.1", 1), "moodwire@example.org", ["desk@example.org"])
    settings = Settings(data_dir=tmp_path, namespace="mail")
    async with Pipeline(settings, ["deliver"], channels=[mail], make_briefing=partial(briefing_of, settings)):
        assert mail.briefing is not None
        assert "No items came in" in (await mail.briefing(CRISIS_DAY.until_ms)).html


async def test_what_came_later_is_not_in_a_brief() -> None:
    brief = await crisis_brief()
    archive = MemoryArchive()
    await filled(archive, [item for item in crisis_news() if item.news.seen_ms < CRISIS_DAY.until_ms])
    then = await brief_of(source_of(archive), CRISIS_DAY)
    assert [(one.id, one.sentence) for one in brief.alerts if one.did("opened")] == [
        (one.id, one.sentence) for one in then.alerts if one.did("opened")
    ]
    assert brief.total == then.total


async def test_an_empty_day_is_said_to_be_empty() -> None:
    brief = await brief_of(source_of(MemoryArchive()), CRISIS_DAY)
    assert summary_of(brief) == ["No items came in this time.", "No alert was open."]
    page = page_of(brief)
    assert page.pictures == {}
    assert "The archive has no item of this time" in page.html


async def test_calm_is_said_plainly() -> None:
    brief = await crisis_brief()
    assert brief.mood is not None
    calm = replace(
        brief, alerts=[], troubles=[], mood=msgspec.structs.replace(brief.mood, share=0.2, low=0.1, high=0.3)
    )
    assert calm.is_calm
    assert summary_of(calm)[:2] == ["Nothing unusual.", "No alert was open."]


async def test_a_gap_is_a_trouble() -> None:
    items = [
        msgspec.structs.replace(
            one, news=msgspec.structs.replace(one.news, id=f"{week}-{hour}-{place}", seen_ms=at_ms + place)
        )
        for week in (0, 1)
        for hour in range(24)
        for place, one in enumerate(crisis_news()[:4])
        if (week, hour) not in {(1, 5), (1, 6)}
        for at_ms in [START_MS + week * 7 * DAY_MS + hour * HOUR_MS]
    ]
    items = [
        msgspec.structs.replace(one, position=msgspec.structs.replace(one.position, offset=place))
        for place, one in enumerate(items)
    ]
    archive = MemoryArchive()
    await archive.write_items(items)
    since_ms = START_MS + 7 * DAY_MS
    brief = await brief_of(source_of(archive), Span(since_ms, since_ms + DAY_MS))
    assert any("05:00 to " in line and "07:00" in line for line in brief.troubles), brief.troubles


async def test_the_last_whole_day() -> None:
    archive = MemoryArchive()
    with pytest.raises(MoodwireError, match="no items yet"):
        await last_whole_day(archive, END_MS)
    await archive.write_items([one for one in crisis_news() if one.news.seen_ms < CRISIS_MS + 2 * HOUR_MS])
    span = await last_whole_day(archive, END_MS)
    assert span == Span(CRISIS_DAY.since_ms - DAY_MS, CRISIS_DAY.since_ms)
    await archive.write_items(crisis_news())
    newest = max(one.news.seen_ms for one in crisis_news())
    whole = newest // DAY_MS * DAY_MS + DAY_MS
    live = await last_whole_day(archive, newest)
    assert live.until_ms == whole - DAY_MS, "a day that is not over is not whole"


async def test_hostile_headlines_are_inert() -> None:
    page = page_of(await crisis_brief(HOSTILE))
    assert "<script" not in page.html
    assert "onerror=alert(1)&gt;" in page.html
    assert "javascript:" not in page.html
    assert "\u202e" not in page.html
    assert "{{ 7 * 7 }}" in page.html


def test_the_command_writes_the_file_and_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path, namespace="then")
    settings.home.mkdir(parents=True)
    asyncio.run(board_server.filled(settings))
    monkeypatch.setenv("MOODWIRE_DATA_DIR", str(tmp_path))
    out = tmp_path / "day.html"
    result = CliRunner().invoke(app, ["report", "-n", "then", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "day-stream.png").read_bytes().startswith(b"\x89PNG")
    missing = CliRunner().invoke(app, ["report", "-n", "then", "--out", str(tmp_path / "no" / "day.html")])
    assert "name a file in a folder that exists" in str(missing.exception)
    turned = CliRunner().invoke(app, ["report", "-n", "then", "--from", "2025-06-02", "--to", "2025-06-01"])
    assert turned.exit_code == 2


async def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    brief = await brief_of(source_of(MemoryArchive()), CRISIS_DAY)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MoodwireError, match=r"install moodwire\[report\]"):
        page_of(brief)


def test_a_share_needs_items_and_a_band_is_one_of_shares() -> None:
    assert Counted(0, 3600, 0, 0, 0, 2).share is None
    assert Counted(0, 3600, 4, 3, 0, 2).band == (0.0, 0.5)
    assert Counted(0, 3600, 4, 3, 0, 2).is_above
    with pytest.raises(ValueError, match="nothing to draw"):
        share_png([], signal="negative")
