"""What people see: readable in 80 columns, plain in a pipe, and never a text that acts as markup or as an escape."""

from __future__ import annotations

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from alerts import AlertEvent, Reason, TopItem
from alerts.delivery import Delivered, Notification, TerminalChannel, render_plain, render_rich
from alerts.records import Expected, Observed, Peak, WindowSpan, alert_id, labels_of
from alerts.wording import Wording, languages, number_text, p_text, time_text

ONSET_MS = 1_678_443_270_000  # 2023-03-10 10:14:30 UTC
HOUR_MS = 3_600_000


def alert(**changes: object) -> AlertEvent:
    items = tuple(
        TopItem(
            f"{at:032x}",
            ONSET_MS - at * HOUR_MS,
            0.9,
            f"Depositors of Northbank queue for a day number {at} and ask where the money has gone",
            "Example Wire",
            f"https://news.example/markets/{at}",
        )
        for at in range(1, 8)
    )
    event = AlertEvent(
        id=alert_id("negative", "volume", "watchlist/northbank", ONSET_MS),
        revision=1,
        signal="negative",
        rule="volume",
        detector="volume",
        series="watchlist/northbank",
        kind="watchlist",
        state="firing",
        change="opened",
        severity="warning",
        onset_ms=ONSET_MS,
        updated_ms=ONSET_MS,
        window=WindowSpan(ONSET_MS - 2 * HOUR_MS, ONSET_MS, 7200),
        observed=Observed(7, 9),
        expected=Expected(0.312, 0.156, (0, 2)),
        p_value=4.2e-5,
        level=1e-3,
        peak=Peak(ONSET_MS, 86_400, 19, 21, 0.5, (0, 3), 2e-9),
        reasons=("7 negative in 2 h",),
        top_items=items,
        labels=labels_of("volume", "negative", "watchlist/northbank", "watchlist", "warning"),
    )
    return msgspec.structs.replace(event, **changes)


async def printed(event: AlertEvent, *, terminal: bool, width: int = 80) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system="truecolor")
    assert await TerminalChannel(console).notify(Notification(event), ONSET_MS) == Delivered()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_an_alert_in_a_pipe_is_plain_lines() -> None:
    text = await printed(alert(), terminal=False)
    lines = text.splitlines()
    assert lines[0] == "2023-03-10 10:14 UTC  WARNING  watchlist/northbank"
    assert lines[1] == "  7 negative in 2 h, expected 0.3 (0 to 2), p 4e-05"
    assert lines[2].startswith("  - 10 Mar 09:14  Depositors of Northbank")
    assert "Example Wire  https://news.example/markets/1" in text
    assert "\x1b" not in text
    assert max(map(len, lines)) <= 80


async def test_an_alert_on_a_terminal_fits_80_columns_with_its_headlines_newest_first() -> None:
    event = alert(severity="critical")
    console = Console(file=io.StringIO(), width=80)
    console.print(render_rich(event))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "CRITICAL  watchlist/northbank" in text
    assert "2023-03-10 10:14 UTC" in text
    assert text.index("number 1") < text.index("number 2") < text.index("number 5")
    assert "number 6" not in text
    assert text.count("Example Wire") == 5
    assert "\x1b[" in await printed(event, terminal=True)


@pytest.mark.parametrize(
    ("change", "severity", "heading"),
    [
        ("opened", "critical", "CRITICAL"),
        ("escalated", "critical", "NOW CRITICAL"),
        ("reopened", "warning", "WARNING AGAIN"),
        ("ongoing", "warning", "STILL WARNING"),
        ("resolved", "warning", "RESOLVED"),
    ],
)
def test_the_heading_says_what_changed(change: str, severity: str, heading: str) -> None:
    text = render_plain(alert(change=change, severity=severity))
    assert text.splitlines()[0].split("  ")[1] == heading
    assert ("Example Wire" in text) == (change in ("opened", "reopened", "escalated"))


def test_the_end_says_how_long_it_lasted() -> None:
    event = alert(change="resolved", state="resolved", updated_ms=ONSET_MS + 5 * HOUR_MS)
    text = " ".join(render_plain(event).split())
    assert "back to normal after 5 h; at its worst 19 negative in 24 h, expected 0.5 (0 to 3), p 2e-09" in text


async def test_texts_from_outside_are_never_markup_escapes_or_links_to_scripts() -> None:
    hostile = TopItem(
        "a" * 32,
        ONSET_MS,
        0.9,
        "[bold red]Sale[/] \x1b[31mred\x1b]8;;http://evil.example\x07 \u202eevil\u2066 \x00nul\nline",
        "[link=http://evil.example]wire",
        "javascript:alert(1)",
    )
    for terminal in (False, True):
        text = await printed(alert(top_items=(hostile,), series="watchlist/[red]\x1b[2J"), terminal=terminal)
        assert "[bold red]Sale[/]" in text
        assert "[link=http://evil.example]wire" in text
        assert "javascript" not in text
        assert not any(char in text for char in "\u202e\u2066\x00\x07")
        assert "\x1b[2J" not in text
        assert "\x1b]8;;http://evil.example" not in text


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_any_title_publisher_and_link_can_be_shown(title: str, publisher: str, url: str) -> None:
    event = alert(top_items=(TopItem("a" * 32, ONSET_MS, 0.9, title, publisher, url),))
    console = Console(file=io.StringIO(), width=80)
    console.print(render_rich(event))
    lines = render_plain(event).split("\n")
    assert all(line.isprintable() for line in lines)


def test_a_label_names_the_series_for_people() -> None:
    assert "Northbank plc" in render_plain(alert(), label=lambda series: "Northbank plc")


def test_an_item_without_a_headline_shows_its_id() -> None:
    assert "f" * 32 in render_plain(alert(top_items=(TopItem("f" * 32, ONSET_MS, 0.9),)))


def test_numbers_read_well() -> None:
    assert [Wording.of().window(seconds) for seconds in (45, 900, 7200, 86_400)] == ["45 s", "15 min", "2 h", "24 h"]
    assert [number_text(value) for value in (0.0, 0.0312, 0.31, 2.345, 17.6)] == ["0", "0.03", "0.3", "2.3", "18"]
    assert [p_text(value) for value in (0.5, 0.012, 4.2e-5, 1e-300)] == ["0.50", "0.01", "4e-05", "< 1e-99"]
    assert time_text(0) == "1970-01-01 00:00 UTC"
    wording = Wording.of("en", {"negative": "gloomy"})
    evidence = wording.evidence(
        "negative", "share", hits=7, total=9, seconds=900, expected=2.0, interval=(0, 4), p_value=1e-4
    )
    assert evidence.startswith("7 of 9 gloomy in 15 min")


@pytest.mark.parametrize("language", languages())
def test_every_reason_has_words_in_every_language(language: str) -> None:
    words = {reason: Wording.of(language).reason(reason) for reason in Reason}
    assert all(" " in text for text in words.values()), "a sentence, not the name of the reason"
    assert len(set(words.values())) == len(Reason)


def test_a_publisher_known_by_its_feed_is_shown_by_its_host() -> None:
    item = TopItem("a" * 32, ONSET_MS, 0.9, "A title", "https://www.wire.example/feeds/top.xml?key=1", "")
    assert render_plain(alert(top_items=(item,))).splitlines()[-1].strip() == "wire.example"
    broken = TopItem("a" * 32, ONSET_MS, 0.9, "A title", "http://[::1", "")
    assert "A title" in render_plain(alert(top_items=(broken,)))
