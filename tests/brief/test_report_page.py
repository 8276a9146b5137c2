"""A brief in a real Chromium, apart from other tests: while it runs, its event loop is that of the main thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from streams.brief import Brief, page_of
from tests.board.browser.conftest import Opening, chromium, desks, opening
from tests.brief.test_report_command import HOSTILE, crisis_brief

__all__ = ["chromium", "desks", "opening"]


def test_the_file_opens_without_a_request_or_an_error(tmp_path: Path, opening: Opening) -> None:
    file = tmp_path / "brief.html"
    file.write_text(page_of(_run(crisis_brief(HOSTILE))).html, encoding="utf-8")
    page = opening("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert page.locator("script, object, iframe, svg").count() == 0
    widths = page.evaluate("[...document.images].map(one => one.naturalWidth)")
    assert widths
    assert all(widths)
    assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "720px"


def _run(making: Coroutine[None, None, Brief]) -> Brief:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, making).result()
