"""What changes while one looks, in one tab and in eight; how fast and how accessible the page is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from streams.wall_clock import wall_clock_ms
from tests.board.browser.conftest import Desks, Opening
from tests.board.browser.desk import Desk
from tests.board.browser.desk_news import alert_of, item_of

PAGE = Path(__file__).resolve().parents[3] / "streams" / "board" / "page"


def test_a_new_alert_appears_by_itself(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts")
    expect(page.locator(".alert-row")).to_have_count(2)
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    desk.alerts.insert(0, alert_of(9, desk.now_ms))
    desk.say("alert", {"id": desk.alerts[0].id, "version": 1})
    expect(page.locator(".alert-row")).to_have_count(3)
    expect(page).to_have_title("(3) Alerts · moodwire")


def test_the_feed_holds_back_what_is_new(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}feed")
    expect(page.locator(".item")).to_have_count(40)
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    first = page.locator(".item h3").first.inner_text()
    for number in range(500, 512):
        desk.say("item", item_of(number, wall_clock_ms()))
    fresh = page.get_by_role("button", name="12 new")
    expect(fresh).to_be_visible()
    assert page.locator(".item h3").first.inner_text() == first
    fresh.click()
    expect(page.locator(".item h3").first).to_contain_text("headline 511")
    came = [item_of(number, wall_clock_ms()) for number in range(600, 1_150)]
    desk.items = [*reversed(came), *desk.items]
    desk.say_all("item", came)
    page.get_by_role("button", name="550 new").click()  # more than a page keeps: asked for
    expect(page.locator(".item h3").first).to_contain_text("headline 1149")
    expect(page.locator(".item")).to_have_count(40)


@pytest.mark.parametrize("path", ["now", "alerts", "series/entity%2FACME"])
def test_a_storm_of_a_thousand_alerts_makes_few_reloads(desks: Desks, opening: Opening, path: str) -> None:
    desk = desks(alerts=0)
    page = opening(f"{desk.address}{path}")
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    expect(page.locator(".empty, .movers, .charts canvas").first).to_be_visible()
    desk.asked.clear()
    desk.alerts = [alert_of(number, desk.now_ms) for number in range(1_000)]
    desk.say_all("alert", [{"id": one.id, "version": 1, "series": one.series} for one in desk.alerts])
    expect(page).to_have_title(re.compile(r"^\(1,?000\)"))
    if path == "alerts":
        expect(page.locator(".alert-row")).to_have_count(100)
    elif path == "now":
        expect(page.get_by_role("region", name="Now")).to_contain_text("995 more open alerts")
    assert max(count for asked, count in desk.asked.items() if asked.startswith("/v1/")) <= 15


def test_eight_tabs_share_one_stream(desk: Desk, opening: Opening) -> None:
    pages = [opening(f"{desk.address}alerts")]
    for _ in range(7):
        page = pages[0].context.new_page()
        page.goto(f"{desk.address}alerts")
        pages.append(page)
    for page in pages:
        page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    assert desk.streams == 1
    desk.alerts.insert(0, alert_of(9, desk.now_ms))
    desk.say("alert", {"id": desk.alerts[0].id, "version": 1})
    for page in pages:
        expect(page.locator(".alert-row")).to_have_count(3)
    assert desk.asked["/v1/stream"] == 1


def test_a_lost_connection_is_shown_and_comes_back(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts", expect_errors=True)
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    desk.fails["/v1/stream"] = 503
    desk.drop()
    expect(page.locator("html")).to_have_attribute("data-age", "lost")
    desk.fails.clear()
    expect(page.locator("html")).to_have_attribute("data-age", "fresh", timeout=20_000)


def test_without_a_connection_a_decision_is_said_not_to_be_kept(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts/{desk.alerts[0].id}", expect_errors=True)
    expect(page.locator(".lead")).to_be_visible()
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    page.route("**/v1/**", lambda route: route.abort())
    page.keyboard.press("u")
    toast = page.locator(".toast.failed")
    expect(toast).to_contain_text("Not kept: the board does not answer. Press again when it is back.")
    assert desk.did == []
    page.unroute("**/v1/**")
    desk.say("status", desk.status())
    expect(toast).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator(".toast", has_text="Kept: useful")).to_be_visible()


@pytest.mark.parametrize(("path", "shown"), [("now", ".multiple, .movers li"), ("feed", ".item, .facet")])
def test_a_lost_connection_is_said_once_and_its_view_loads_when_it_is_back(
    desk: Desk, opening: Opening, path: str, shown: str
) -> None:
    page = opening(f"{desk.address}series", expect_errors=True)
    expect(page.locator("tbody tr")).to_have_count(7)
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("link", name=path.title(), exact=True).click()
    expect(page.locator(".problem")).to_have_count(1)
    page.unroute("**/v1/**")
    desk.say("status", desk.status())
    expect(page.locator(shown).first).to_be_visible()
    expect(page.locator(".problem")).to_have_count(0)
    page.route("**/v1/**", lambda route: route.abort())
    desk.say("resync", {})
    page.wait_for_timeout(700)  # longer than a reload waits
    expect(page.locator(shown).first).to_be_visible()  # what was shown stays
    expect(page.locator(".problem")).to_have_count(0)


def test_the_view_that_one_comes_to_has_no_frame_around_it(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address)
    expect(page.locator(".movers li")).to_have_count(1)
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.locator("main")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.getElementById('main')).outlineStyle") == "none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["now", "series", "series/entity%2FACME", "alerts/CHOSEN", "feed"])
def test_axe_finds_nothing_serious(desk: Desk, opening: Opening, path: str, scheme: str) -> None:
    page = opening(desk.address + path.replace("CHOSEN", desk.alerts[0].id), color_scheme=scheme)
    expect(page.locator("h1").first).to_be_attached()
    expect(page.locator("main .multiple, main tbody tr, main .stories, main .lead, main .item").first).to_be_attached()
    found = Axe().run(page).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []


def test_the_page_is_small_and_asks_nobody_else(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address)
    expect(page.locator(".movers li")).to_have_count(1)
    hosts = page.evaluate(
        "[...new Set(performance.getEntriesByType('resource').map(({name}) => new URL(name).origin))]"
    )
    assert hosts == [desk.address.rstrip("/")]
    assert sum(path.stat().st_size for path in PAGE.rglob("*") if path.is_file()) < 1_000_000


def test_no_line_of_script_is_longer_than_a_reader_sees() -> None:
    long = [f"{path.name}:{number}" for path in sorted(PAGE.glob("*.js"))
            for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > 140]  # fmt: skip
    assert long == []


def test_without_a_shared_worker_a_tab_hears_the_stream_itself(desk: Desk, opening: Opening) -> None:
    page = opening("about:blank", expect_errors=True)
    page.add_init_script("delete window.SharedWorker")
    page.goto(f"{desk.address}alerts")
    page.wait_for_function("() => document.documentElement.dataset.stream === 'open'")
    assert page.evaluate("typeof SharedWorker") == "undefined"
    desk.alerts.insert(0, alert_of(9, desk.now_ms))
    desk.say("alert", {"id": desk.alerts[0].id, "version": 1})
    expect(page.locator(".alert-row")).to_have_count(3)
    desk.fails["/v1/stream"] = 503  # to an EventSource the end: the page opens another
    desk.drop()
    expect(page.locator("html")).to_have_attribute("data-age", "lost")
    desk.fails.clear()
    expect(page.locator("html")).to_have_attribute("data-age", "fresh", timeout=20_000)
