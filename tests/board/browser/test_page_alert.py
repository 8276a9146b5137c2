"""One alert: its hours, what people said of it, why it fired, who was not notified, and silences about it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from streams.board.shapes.alerts import Hour
from streams.wall_clock import HOUR_MS, MINUTE_MS
from tests.board.browser.conftest import Desks, Opening
from tests.board.browser.desk import Desk
from tests.board.browser.desk_news import alert_of

FULL_MS = 1_747_404_000_000  # 16 May 2025, 14:00 UTC
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
