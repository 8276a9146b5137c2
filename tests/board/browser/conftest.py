"""A real Chromium, and pages that must leave no error behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.board.browser.desk import Desk
from tests.system_needs import find_chromium, in_ci

# Chromium of a container's root needs no sandbox of its own; the rest keeps it off the network.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

expect.set_options(timeout=15_000)  # of a machine that has other things to do

Opening = Callable[..., Page]
Desks = Callable[..., Desk]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for a module: while it runs, its event loop is that of the main thread."""
    path = find_chromium()
    if path is None:
        (pytest.fail if in_ci() else pytest.skip)("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def desks() -> Iterator[Desks]:
    """Makes boards that outlive the pages: one that ends first is a refused connection on their consoles."""
    with ExitStack() as served:
        yield lambda **wishes: served.enter_context(Desk(**wishes))


@pytest.fixture
def desk(desks: Desks) -> Desk:
    return desks()


@pytest.fixture
def opening(chromium: Browser, desks: Desks) -> Iterator[Opening]:
    """Opens a page of its own context; at the end none of them had an error, or broke the content policy."""
    said: list[str] = []
    contexts: list[BrowserContext] = []

    def noted(line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            said.append(line.text)

    def opened(address: str, *, expect_errors: bool = False, **options: object) -> Page:
        context = chromium.new_context(timezone_id="UTC", **options)  # type: ignore[arg-type]  # of new_context
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: said.append(str(error)))
        if not expect_errors:
            page.on("console", noted)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
