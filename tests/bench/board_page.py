"""The page in a real Chromium: when it paints first, and when what it shows is whole, in ms, the median of five."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from tests.board.browser.conftest import FLAGS
from tests.system_needs import find_chromium

__all__ = ["page_figures"]

ROUNDS: Final = 5
_PAINTED: Final = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_WHOLE: Final = "performance.now()"
_CHOSEN: Final = "(document.querySelector('.alert-row a[aria-current]')?.href ?? '')"
_SHOWN: Final[Mapping[str, str]] = {
    "now": ".now-alerts li >> nth=4",
    "alerts": ".alert-row >> nth=99",
    "feed": ".item >> nth=39",
    "series/all": ".charts canvas >> nth=1",
}
"""What a view shows last, by its path."""


async def page_figures(address: str) -> dict[str, float]:
    """Returns the figures of the board at `address`, which has open alerts; none without a Chromium."""
    path = find_chromium()
    if path is None:
        return {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        figures: dict[str, float] = {}
        for view, last in _SHOWN.items():
            opened = [await _opened(browser, f"{address}{view}", last) for _ in range(ROUNDS)]
            painted, whole = zip(*opened, strict=True)
            figures |= {f"page /{view}: first paint ms": statistics.median(painted)}
            figures |= {f"page /{view}: whole ms": statistics.median(whole)}
        figures["page: next of 1,000 alerts ms"] = await _in_page(browser, f"{address}alerts", _next_alert)
        await browser.close()
        return figures


async def _opened(browser: Browser, address: str, last: str) -> tuple[float, float]:
    """When a page that has nothing in its cache painted first, and when `last` was there."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(address)
    await page.locator(last).wait_for()
    whole = float(await page.evaluate(_WHOLE))
    painted = float(await page.evaluate(_PAINTED))
    await context.close()
    return painted, whole


async def _in_page(browser: Browser, address: str, act: Callable[[Page], Awaitable[float]]) -> float:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(address)
    await page.locator(".alert-row").first.wait_for()
    found = statistics.median([await act(page) for _ in range(ROUNDS)])
    await context.close()
    return found


async def _next_alert(page: Page) -> float:
    """From the key until the next alert is shown beside the list."""
    begun, before = float(await page.evaluate(_WHOLE)), await page.evaluate(_CHOSEN)
    await page.keyboard.press("j")
    await page.wait_for_function(f"was => {_CHOSEN} !== was && document.querySelector('.detail .lead')", arg=before)
    return float(await page.evaluate(_WHOLE)) - begun
