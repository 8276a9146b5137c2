"""What a reader does: decide about alerts, correct labels, go by keyboard alone, choose zone and colours."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.board.browser.conftest import Desks, Opening
from tests.board.browser.desk import Desk


def chosen(desk: Desk, opening: Opening) -> Page:
    """A page with the first alert chosen."""
    page = opening(f"{desk.address}alerts/{desk.alerts[0].id}")
    expect(page.locator(".lead")).to_be_visible()
    return page


def test_acknowledge_by_key_and_take_it_back(desk: Desk, opening: Opening) -> None:
    page = chosen(desk, opening)
    page.keyboard.press("a")
    page.get_by_label("Note (others see it)").fill("I look")
    page.keyboard.press("Enter")
    expect(page.locator(".held")).to_contain_text("Acknowledged by you")
    expect(page.locator(".alert-row")).to_have_count(1)
    assert desk.did == [("acknowledge", {"until_ms": None, "for_seconds": 14_400, "note": "I look"})]
    page.get_by_role("button", name="Stop acknowledging").click()
    expect(page.locator(".held")).to_have_count(0)
    assert desk.did[1:] == [("acknowledge", {})]


def test_a_silence_shows_what_it_hits_before_it_is_made(desk: Desk, opening: Opening) -> None:
    desk.warnings = ["no alert has the label 'team'; did you mean <b>term</b>?"]
    page = chosen(desk, opening)
    page.keyboard.press("s")
    expect(page.locator(".hits")).to_contain_text("Hits 1 alert now")
    page.get_by_label("series is").uncheck()
    expect(page.locator(".hits")).to_contain_text("Hits 2 alerts now and all later ones of 2 series")
    page.get_by_label("signal is").uncheck()
    expect(page.locator(".hits")).to_contain_text("Choose at least one")
    page.get_by_label("series is").check()
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    expect(page.locator(".alert-row")).to_have_count(1)
    warned = page.locator(".toast", has_text="Silenced")
    expect(warned.locator(".warned")).to_have_text(desk.warnings)  # stays until it is closed, and is no markup
    warned.get_by_role("button", name="Close").click()
    expect(page.locator(".toast")).to_have_count(0)
    assert desk.did == [("silence", {"matchers": ['series="entity/ACME"'], "for_seconds": 14_400, "comment": ""})]


def test_a_silence_is_listed_and_ended(desk: Desk, opening: Opening) -> None:
    page = chosen(desk, opening)
    page.keyboard.press("s")
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    page.get_by_role("link", name="Silenced").click()
    expect(page.locator(".list-foot")).to_contain_text("Acme Bank, negative silenced from")
    expect(page.locator(".alert-row")).to_have_count(1)
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.locator(".alert-row")).to_have_count(0)
    expect(page.locator(".list-foot")).to_contain_text("No alert is silenced.")
    assert desk.did[-1] == ("end", {"If-Match": '"1"'})


def test_what_is_looked_after_is_not_called_calm(desks: Desks, opening: Opening) -> None:
    desk = desks(alerts=1)
    page = chosen(desk, opening)
    page.keyboard.press("a")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".held")).to_contain_text("Acknowledged by you")
    page.goto(desk.address)
    now = page.get_by_role("region", name="Now")
    expect(now).to_contain_text("No alert waits for anybody.")
    expect(now).to_contain_text("Acme Bank")
    expect(now).not_to_contain_text("Nothing unusual")


def test_no_answer_yet_is_no_good_news(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address, expect_errors=True)
    page.route("**/v1/alerts?*", lambda route: route.abort())
    page.get_by_role("link", name=re.compile("^Alerts")).click()
    foot = page.locator(".list-foot")
    expect(foot.get_by_role("button", name="Try again")).to_be_visible()
    expect(foot).not_to_contain_text("No alert is open")
    page.unroute("**/v1/alerts?*")
    foot.get_by_role("button", name="Try again").click()
    expect(page.locator(".alert-row")).to_have_count(2)


@pytest.mark.parametrize(
    ("key", "verdict"), [("u", "useful"), ("n", "noise"), ("w", "wrong_company"), ("o", "old_news")]
)
def test_one_key_says_what_an_alert_was_worth(desk: Desk, opening: Opening, key: str, verdict: str) -> None:
    page = chosen(desk, opening)
    page.keyboard.press(key)
    expect(page.locator(".toast")).to_contain_text("Kept")
    assert desk.did == [("verdict", {"verdict": verdict})]


def test_an_alert_that_has_moved_is_shown_again(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts/{desk.alerts[0].id}", expect_errors=True)
    expect(page.locator(".lead")).to_be_visible()
    desk._replace(desk.alerts[0], sentence="Acme Bank: it is worse now")
    page.keyboard.press("u")
    expect(page.locator(".toast.failed")).to_contain_text("has changed")
    expect(page.locator(".lead")).to_contain_text("it is worse now")
    page.keyboard.press("u")
    expect(page.locator(".toast", has_text="Kept")).to_be_visible()


def test_assign_remembers_the_name(desk: Desk, opening: Opening) -> None:
    page = chosen(desk, opening)
    page.keyboard.press("m")
    page.get_by_label("To (empty: to no one)").fill("Ann")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Assigned to Ann")
    assert desk.did == [("assign", {"to": "Ann"})]


def test_correct_a_label_in_place(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}feed")
    page.locator(".item").first.get_by_role("button", name="Correct the label…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Now: neutral")
    should = page.get_by_label("Should be")
    expect(should.locator("option")).to_have_text(["Choose …", "negative", "neutral", "positive"])
    page.get_by_label("What").select_option("topic")
    expect(dialog).to_contain_text("Now: Earnings")
    expect(page.locator("#labels option")).to_have_count(2)  # those of series: the model says which there are
    expect(should).to_have_attribute("list", "labels")
    page.get_by_label("What").select_option("sentiment")
    page.get_by_label("About").select_option(label="Bolt Motors")
    expect(page.get_by_label("What")).to_be_disabled()
    should.select_option("negative")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".toast")).to_contain_text("Thank you")
    assert desk.did == [("feedback", {"head": "sentiment", "label": "negative", "entity": "BOLT", "note": ""})]


def test_the_keyboard_alone_reaches_everything(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address)
    expect(page.locator(".movers li")).to_have_count(1)
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.locator(".alert-row")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".alert-row a[aria-current]")).to_have_attribute("href", f"/alerts/{desk.alerts[1].id}")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{desk.address}alerts")
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.locator(".item")).to_have_count(40)
    page.keyboard.press("j")
    expect(page.locator(".item").first).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("gsa?")
    expect(page.get_by_label("Search the items")).to_have_value("gsa?")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_keyboard_walks_over_the_hours_of_a_series(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}series/entity%2FACME?range=24h")
    expect(page.locator(".stories, .hour .empty").first).to_be_visible()
    page.keyboard.press("c")
    charts = page.get_by_role("slider")
    expect(charts).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(charts).to_have_attribute("aria-valuenow", str(int(charts.get_attribute("aria-valuemax") or 0) - 1))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("hour="))


def test_help_lists_the_keys_and_switches_them_off(desk: Desk, opening: Opening) -> None:
    page = chosen(desk, opening)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog")
    for said in ("Go to Feed", "Acknowledge", "It was: old news", "UTC or local time"):
        expect(keys).to_contain_text(said)
    keys.get_by_label("Single keys work").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert desk.did == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_press_changes_the_colours(desk: Desk, opening: Opening, scheme: str) -> None:
    page = opening(desk.address, color_scheme=scheme)
    expect(page.locator(".movers li")).to_have_count(1)
    expect(page.get_by_role("button", name="Colours: auto")).to_be_visible()
    page.keyboard.press("d")
    expect(page.locator("html")).to_have_attribute("data-theme", {"light": "dark", "dark": "light"}[scheme])


def test_zone_and_colours_are_kept(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address, color_scheme="dark")
    expect(page.locator(".movers li")).to_have_count(1)
    dark = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="UTC")).to_be_visible()
    page.keyboard.press("d")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.get_by_role("button", name="UTC")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") != dark
