"""Foreign text on a terminal: shown, never obeyed, whichever command prints it."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from alerts.delivery import Notice, Notification, TerminalChannel
from alerts.delivery.rendering import render_notice
from streams.cli import output, rejects, score
from streams.cli.doctor import _show_findings
from streams.cli.doctor_checks import Finding
from streams.feeds.rejects import RejectRecord
from streams.library.scoring import Scored
from streams.logs import get_logger
from streams.observe.logs import set_up_logs
from streams.records import EntityMention, HeadScore
from streams.stages.classify import Verdict
from streams.stages.reader import ReadItem
from streams.terminal import Terminal, foreign, json_line, visible
from streams.text.profile import load_profile
from tests.stages.finance_items import sentiment

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07\x9b2J \u202eevil\u2066 a\r\nb\x00[red]x[/] [/] \\[b] [link=http://x]y[/link] \ud800 \\"
)
texts = st.one_of(st.text(), st.text(alphabet="[]/\\red \x1b\x9b\x07\n\r\t\u202e\ufeff\U000e0041"), st.just(HOSTILE))


def is_safe(text: str) -> bool:
    """No control but line feeds, nothing unseen."""
    return not any(unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp", "Cs"} for letter in text.replace("\n", ""))


@contextmanager
def screens(*modules: Any) -> Iterator[io.StringIO]:
    """What a command prints on either stream, as a terminal without colours gets it."""
    written = io.StringIO()
    screen = Terminal(file=written, width=10_000, color_system=None, force_terminal=True, legacy_windows=False)
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            for name in ("console", "errors"):
                if hasattr(module, name):
                    patch.setattr(module, name, screen)
        yield written


@settings(max_examples=40)
@given(texts)
@example(HOSTILE)
def test_foreign_text_is_shown_as_it_is_within_our_markup(text: str) -> None:
    with screens(output) as written:
        output.console.print(f"[bold]{foreign(text)}[/].", highlight=False, soft_wrap=True)
    shown = written.getvalue().removesuffix("\n")
    assert is_safe(shown)
    assert "\n" not in shown
    assert shown.rstrip("\\.") == visible(text).rstrip("\\.")


@settings(max_examples=40)
@given(texts)
def test_a_console_lets_nothing_out_even_when_a_command_forgets(text: str) -> None:
    with screens(output) as written:
        console = output.console
        console.print(text, markup=False)
        console.out(text)
        table = Table("x", show_header=False)
        table.add_row(foreign(text))
        console.print(table)
    assert is_safe(written.getvalue())


@settings(max_examples=40)
@given(st.dictionaries(st.text(), st.one_of(texts, st.lists(texts))))
def test_json_for_scripts_is_the_same_document_and_moves_no_cursor(value: dict[str, Any]) -> None:
    encodable = json.loads(json.dumps(value).encode("utf-8", "replace"))
    clean = json.loads(json.dumps(encodable, ensure_ascii=False).encode("utf-8", "replace"))
    line = json_line(clean)
    assert is_safe(line)
    assert "\n" not in line
    assert json.loads(line) == clean


@settings(max_examples=40)
@given(texts, texts, texts)
def test_parked_records_are_listed_without_being_obeyed(reason: str, detail: str, raw: str) -> None:
    import base64

    encoded = base64.b64encode(raw.encode("utf-8", "replace")).decode()
    row = RejectRecord(id=reason, reason=reason, detail=detail, at_ms=0, raw=encoded, size=1, source=detail)
    with screens(rejects) as written:
        rejects.show_rows([row])
    assert is_safe(written.getvalue())
    assert written.getvalue().count("\n") == 3


@settings(max_examples=40)
@given(texts, texts)
def test_a_score_is_shown_without_being_obeyed(title: str, name: str) -> None:
    tone = sentiment("negative", 0.5, 0.5, 0.0)
    item = ReadItem(title, "", name, 0, [], (EntityMention(title, name, 1.0, heads={"entity": tone}),), (name,))
    heads = load_profile("finance").heads
    with screens(score) as written:
        judged = Verdict(item.entities, {}, {"sentiment": tone, "topic": HeadScore(title, 0.5)})
        score._show(Scored(item, judged), heads)
        score._show(Scored(item, Verdict(item.entities, {})), heads)
    assert is_safe(written.getvalue())
    assert written.getvalue().count("\n") == 7


@settings(max_examples=40)
@given(texts)
def test_doctor_shows_what_servers_say_without_obeying(text: str) -> None:
    from streams.cli import doctor

    with screens(doctor) as written:
        _show_findings([Finding(text, text), Finding("broker", "", text)])
    assert is_safe(written.getvalue())


@settings(max_examples=40)
@given(texts)
async def test_what_moodwire_reports_of_itself_is_shown_without_being_obeyed(text: str) -> None:
    notice = Notice(
        id="a",
        revision=1,
        change="opened",
        reason=text,
        subject=text,
        detail=text,
        instance=text,
        since_ms=0,
        updated_ms=0,
    )
    written = io.StringIO()
    await TerminalChannel(Console(file=written, width=10_000)).notify(Notification(notice), 0)
    assert is_safe(written.getvalue())
    assert written.getvalue() == render_notice(notice) + "\n"
    assert written.getvalue().count("\n") == 2


@pytest.mark.parametrize("form", ["text", "json"])
@settings(max_examples=40)
@given(text=texts)
def test_log_lines_stay_on_their_line(form: str, text: str) -> None:
    written = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        set_up_logs(written, {"MOODWIRE_LOG_FORMAT": form})
        text = text.encode("utf-8", "replace").decode()
        get_logger("streams.x").warning("Feed poll failed", error=text, feed=text)
        logging.getLogger("streams.x").warning("Feed %s failed", text)
        for line in written.getvalue().splitlines() if form == "json" else ():
            json.loads(line)
        assert is_safe(written.getvalue())
        assert written.getvalue().count("\n") == 2
        try:
            raise ValueError(text)
        except ValueError:
            logging.getLogger("streams.x").exception("broke")
        assert is_safe(written.getvalue())
    finally:
        root.handlers[:], root.level = before[0], before[1]


def test_only_one_place_makes_consoles_and_takes_text_for_markup() -> None:
    sources = Path(output.__file__).parents[1].rglob("*.py")
    found = {
        path.name
        for path in sources
        if any(word in path.read_text() for word in ("rich.console import", "rich.markup", "rich import print"))
    }
    assert found == {"terminal.py"}
