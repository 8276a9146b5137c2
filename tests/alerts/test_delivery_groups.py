"""A message about several alerts: in every channel's form, its worst alerts first, nothing of the news as markup."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import msgspec
from rich.console import Console

from alerts.delivery import AlertGroup, Delivered, FileChannel, GroupChange, Notification, TerminalChannel
from alerts.delivery.alertmanager import alertmanager_alerts
from alerts.delivery.brief import brief_of
from alerts.delivery.group import worst_first
from alerts.delivery.group_text import render_group
from alerts.records import TopItem
from tests.alerts.delivery_event import NOW_MS, delivery_event


def group(count: int, change: GroupChange = GroupChange.OPENED) -> AlertGroup:
    item = TopItem("1", NOW_MS, 0.9, "Bank [red]fails[/red]\x1b[2J", "Wire", "https://example.org/1")
    state = "resolved" if change is GroupChange.RESOLVED else "firing"
    alerts = [
        msgspec.structs.replace(
            delivery_event(f"a{number}"),
            series=f"entity/{number}",
            top_items=(item,),
            state=state,
            p_value=10.0**-number,
        )
        for number in range(count)
    ]
    return AlertGroup(
        id="f" * 32, revision=2, receiver="terminal", labels={"signal": "negative"},
        alerts=tuple(sorted(alerts, key=worst_first)), change=change, severity="critical",
        opened_ms=NOW_MS, at_ms=NOW_MS, firing=0 if state == "resolved" else count,
        resolved=count if state == "resolved" else 0,
    )  # fmt: skip


def test_the_text_has_the_worst_alerts_and_each_headline_once() -> None:
    lines = render_group(group(12)).splitlines()
    assert lines[0] == "2023-11-14 22:13 UTC  CRITICAL  12 alerts"
    assert "entity/11" in lines[1]
    assert "  and 4 more" in lines
    assert [line for line in lines if "fails" in line] == ["  - 14 Nov 22:13  Bank [red]fails[/red] [2J"]


def test_the_end_has_its_own_heading() -> None:
    assert render_group(group(3, GroupChange.RESOLVED)).startswith("2023-11-14 22:13 UTC  RESOLVED  3 alerts")


def test_two_alerts_on_one_series_show_their_rules() -> None:
    sent = group(3, GroupChange.RESOLVED)
    first, second, other = sent.alerts
    of_one = msgspec.structs.replace(second, series=first.series, rule="companies [red]")
    lines = render_group(msgspec.structs.replace(sent, alerts=(first, of_one, other))).splitlines()
    assert f"{first.series} ({first.rule}): " in lines[1]
    assert any(f"{first.series} (companies [red]): " in line for line in lines)
    assert any(f"{other.series}: " in line for line in lines)
    of_one = msgspec.structs.replace(second, series=first.series)
    assert "(" not in render_group(msgspec.structs.replace(sent, alerts=(first, of_one))).splitlines()[1].split(":")[0]


def test_notes_of_a_series_are_one_line_and_their_headlines_are_read() -> None:
    sent = group(12)
    notes = [
        msgspec.structs.replace(
            event, series="watchlist/mine", state="noted", detector="each", severity="info",
            observed=msgspec.structs.replace(event.observed, hits=1, total=1),
            top_items=(TopItem(str(number), NOW_MS + number, 0.9, f"Story {number}", "Wire", ""),),
        )
        for number, event in enumerate(sent.alerts)
    ]  # fmt: skip
    text = render_group(msgspec.structs.replace(sent, alerts=tuple(notes), severity="info"))
    [line] = [line for line in text.splitlines() if "watchlist/mine" in line]
    assert line.endswith("watchlist/mine: 12 new negative")
    assert [line for line in text.splitlines() if " more" in line] == []
    assert text.count("Story ") == 12


def test_one_alert_reads_as_ever() -> None:
    assert "alerts" not in render_group(group(1))


async def test_terminal_and_file(tmp_path: Path) -> None:
    out = StringIO()
    sent = Notification(group(3))
    assert sent.id == f"{'f' * 32}.2"
    assert await TerminalChannel(Console(file=out, width=80)).notify(sent, NOW_MS) == Delivered()
    assert "3 alerts" in out.getvalue()
    channel = FileChannel(tmp_path / "alerts.ndjson")
    for _ in range(2):
        assert await channel.notify(sent, NOW_MS) == Delivered()
    [line] = (tmp_path / "alerts.ndjson").read_bytes().splitlines()
    assert AlertGroup.from_json(msgspec.json.encode(msgspec.json.decode(line)["group"])) == sent.event


def test_other_programs_get_each_alert() -> None:
    brief = brief_of(group(3))
    assert brief.subject == "CRITICAL  3 alerts: entity/2, entity/1, entity/0"
    assert len(alertmanager_alerts(brief, NOW_MS, 1000)) == 3
