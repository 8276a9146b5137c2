"""The Atom feed, read by feedparser."""

from __future__ import annotations

import stat
from pathlib import Path

import feedparser
import msgspec
import pytest

from alerts.delivery import AtomChannel, Delivered, Notification, RetryLater
from alerts.records import TopItem
from tests.alerts.delivery_event import NOW_MS, delivery_event

HOSTILE = "<b>Bänk</b> & \x00\x1b[31m \ud83d ]]> halts"
EVENT = msgspec.structs.replace(
    delivery_event("a1"), top_items=(TopItem("i1", NOW_MS, 0.9, HOSTILE, "wire", "https://news.example/a?b=1&c=2"),)
)


async def test_a_feed_reader_reads_the_newest_first_with_links_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "feeds" / "alerts.atom"
    channel = AtomChannel(path, title="Desk & friends")
    over = msgspec.structs.replace(EVENT, revision=2, change="resolved", state="resolved", updated_ms=NOW_MS + 60_000)
    for event in (EVENT, over):
        assert await channel.notify(Notification(event), NOW_MS + 90_000) == Delivered()
    found = feedparser.parse(path.read_bytes())
    assert not found.bozo
    assert found.feed.title == "Desk & friends"
    ended, opened = found.entries
    assert (ended.id, opened.id) == ("urn:moodwire:notification:a1.2", "urn:moodwire:notification:a1.1")
    assert opened.title.startswith("WARNING: entity/a, 3 negative")
    assert opened.published == "2023-11-14T22:13:20.000Z"
    assert "<b>Bänk</b> & " in opened.content[0].value or "&lt;b&gt;Bänk" in opened.content[0].value
    assert opened.links[0].href == "https://news.example/a?b=1&c=2"
    assert {"term": "negative", "scheme": None, "label": "signal"} in opened.tags
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in path.parent.iterdir()] == ["alerts.atom"]


async def test_a_repetition_changes_nothing_and_old_entries_leave(tmp_path: Path) -> None:
    path = tmp_path / "alerts.atom"
    for number in range(5):
        event = msgspec.structs.replace(EVENT, revision=number)
        for attempt in (1, 2):  # by another process, which has the file alone
            channel = AtomChannel(path, entries=3)
            assert await channel.notify(Notification(event, attempt), NOW_MS + number) == Delivered()
    entries = feedparser.parse(path.read_bytes()).entries
    assert [entry.id.rpartition(".")[2] for entry in entries] == ["4", "3", "2"]


@pytest.mark.parametrize("written", ["", "not XML", "<feed/>", '<feed xmlns="http://www.w3.org/2005/Atom"/>'])
async def test_a_file_of_others_is_left_alone(written: str, tmp_path: Path) -> None:
    path = tmp_path / "alerts.atom"
    path.write_text(written)
    answer = await AtomChannel(path).notify(Notification(EVENT), NOW_MS)
    assert isinstance(answer, RetryLater)
    assert "move it away or name another" in answer.problem
    assert path.read_text() == written
