"""One alert: its hours, what people said of it, why it fired, who was not notified, and silences about it."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from streams.board.shapes.alerts import Headline, Hour, Inhibitor
from streams.wall_clock import HOUR_MS, MINUTE_MS
from tests.board.browser.conftest import Desks, Opening
from tests.board.browser.desk import Desk
from tests.board.browser.desk_news import alert_of

FULL_MS = 1_747_404_000_000  # 16 May 2025, 14:00 UTC
LABELS = {"series": "entity/ACME", "signal": "negative", "severity": "critical"}
WORST_MS = FULL_MS + 53 * MINUTE_MS


def ended(desk: Desk, **changes: Any) -> str:
    """Adds an alert that was at its worst at 14:53, and returns its address."""
    day = [Hour(start_ms=FULL_MS + n * HOUR_MS, hits=2, low=0.0, high=1.0) for n in range(-24, 1)]
    peak = {"at_ms": WORST_MS, "seconds": 86_400, "hits": 47, "total": 52, "expected": 0.2, "interval": [0, 2]}
    fields: dict[str, Any] = {
        "state": "resolved", "change": "resolved", "last_day": day, "peak": {**peak, "p_value": 1e-99},
        "onset_ms": FULL_MS - 19 * HOUR_MS, "updated_ms": FULL_MS + 50 * HOUR_MS,
    }  # fmt: skip
    alert = alert_of(40, desk.now_ms, **(fields | changes))
    desk.alerts.append(alert)
    return f"{desk.address}alerts/{alert.id}?state=history"


def test_the_day_of_an_alert_names_its_hours_and_its_numbers(desks: Desks, opening: Opening) -> None:
    page = opening(ended(desks(alerts=0)))
    day = page.locator(".day")
    expect(day.locator(".day-axis")).to_contain_text("15 May 2025, 14:00")
    expect(day.locator(".day-axis")).to_contain_text("16 May 2025, 15:00")
    expect(day.locator(".day-axis")).to_contain_text("tallest bar: 2")
    expect(day.locator(".day-mark")).to_have_text(["opened", "worst"])
    said = "50 negative in 25 whole hours up to its worst"
    expect(day).to_contain_text(f"47 negative in the 24 h up to 16 May 2025, 14:53; {said}")
    expect(day.get_by_role("img")).to_have_attribute("aria-label", said)
    expect(page.locator(".alert-row").get_by_role("img")).to_have_attribute("aria-label", said)


def test_the_day_of_an_open_alert_ends_now(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts/{desk.alerts[0].id}")
    expect(page.locator(".day")).to_contain_text("whole hours up to now")
    expect(page.locator(".day-mark").first).to_have_text("opened")


def test_an_action_right_after_another_is_no_conflict(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts/{desk.alerts[0].id}")
    expect(page.locator(".lead")).to_be_visible()
    stale = page.request.get(f"{desk.address}v1/alerts/{desk.alerts[0].id}").body()
    page.route(f"**/v1/alerts/{desk.alerts[0].id}", lambda route: route.fulfill(body=stale))  # the archive is behind
    for key in "unn":
        page.keyboard.press(key)
    expect(page.locator(".toast")).to_have_text(["Kept: useful", "Kept: noise", "You have said so already: noise"])
    page.keyboard.press("o")  # of the version that the reader's own action made
    expect(page.locator(".toast", has_text="Kept: old news")).to_be_visible()
    expect(page.get_by_role("button", name="old news")).to_have_attribute("aria-pressed", "true")
    assert [said["verdict"] for _, said in desk.did] == ["useful", "noise", "old_news"]


def test_the_verdict_given_last_is_pressed_also_after_a_reload(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts/{desk.alerts[0].id}")
    noise, useful = (page.get_by_role("button", name=name) for name in ("noise", "useful"))
    expect(noise).to_have_attribute("aria-pressed", "false")
    noise.click()
    expect(noise).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_role("group", name="What was it worth?")).to_contain_text("You said: noise")
    expect(noise).to_have_attribute("aria-pressed", "true")
    expect(useful).to_have_attribute("aria-pressed", "false")


def test_why_begins_with_the_look_that_it_fired_at(desks: Desks, opening: Opening) -> None:
    desk = desks(alerts=0)
    address = ended(desk)
    first = Headline(id="2" * 32, title="A bad start", publisher="Wire one", url="", seen_ms=FULL_MS)
    desk.views[desk.alerts[0].id] = {"opening_headlines": [first]}
    page = opening(address)
    rows = page.locator(".detail tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_have_text("When it fired, 15 May 2025, 19:004 of 580\u00a0%0 to 12 h1 in 1,400")
    expect(rows.nth(1)).to_contain_text("At its worst, 16 May 2025, 14:53")
    detail = page.locator(".detail")
    expect(detail).to_contain_text("Headlines when it firedA bad start")
    expect(detail.locator("thead")).not_to_contain_text("Expected")
    page.get_by_text("Every rule and window, counted again").click()
    expect(page.locator(".explain")).to_contain_text("As of 15 May 2025, 19:00, when it fired:")
    expect(page.locator(".findings li")).to_have_text(
        ["share over 2 h: 23 negative of 31 items, usual 0 to 4, 1 in 1,000 by chance: an alert opens"]
    )
    page.get_by_role("button", name="noise").click()
    expect(page.get_by_role("button", name="noise")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".findings li")).to_be_visible()  # also once it is drawn again


def test_a_silence_of_an_alert_that_ended_is_seen_and_ended_on_its_page(desks: Desks, opening: Opening) -> None:
    desk = desks(alerts=0)
    address = ended(desk, labels={"alertname": "volume", "kind": "entity", "name": "ACME", **LABELS})
    page = opening(address)
    expect(page.locator(".lead")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_have_text("It has ended: there is nothing to acknowledge")
    page.keyboard.press("s")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox")).to_have_count(3)  # series, signal, severity
    expect(dialog.locator(".hits")).to_have_text("No open alert matches; 1 past alert would have.")
    dialog.get_by_label("For").select_option("1 hour")
    ends = page.evaluate("ms => new Date(ms).toISOString().slice(11, 16)", desk.now_ms + HOUR_MS)
    expect(dialog).to_contain_text(f", {ends}")
    dialog.get_by_role("button", name="Silence").click()
    banner = page.locator(".silenced")
    expect(banner).to_have_text(re.compile(f"Silenced until .*, {ends}: Acme Bank, negative, by youEnd"))
    banner.get_by_role("button", name="End").click()
    expect(banner).to_have_count(0)
    assert desk.did[-1] == ("end", {"If-Match": '"1"'})


def test_an_alert_that_is_held_back_names_the_one_above_it(desk: Desk, opening: Opening) -> None:
    one, other = desk.alerts
    by = Inhibitor(id=other.id, label=other.label, severity=other.severity)
    desk.views[one.id] = {"inhibited_by": by, "notified": []}
    page = opening(f"{desk.address}alerts/{one.id}")
    expect(page.locator(".detail")).to_contain_text(f"Not notified: held back by {other.label} (warning).")
    page.locator(".empty").get_by_role("link", name=other.label).click()
    expect(page.locator(".lead")).to_contain_text(other.label)
