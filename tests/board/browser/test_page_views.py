"""Each view with data, as a reader sees it."""

from __future__ import annotations

import re

import pytest
from msgspec import structs
from playwright.sync_api import expect

from streams.board.shapes.status import Trouble
from streams.wall_clock import HOUR_MS, MINUTE_MS
from tests.board.browser.conftest import Desks, Opening
from tests.board.browser.desk import Desk
from tests.board.browser.desk_news import ACME, HOSTILE, alert_of, item_of

SERIES = f"series/{ACME.replace('/', '%2F')}"
PHONE = {"width": 390, "height": 844}


def test_now_shows_alerts_multiples_heat_and_movers(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address)
    expect(page.get_by_role("region", name="Now")).to_contain_text("Acme Bank: 23 negative of 31 items")
    expect(page.locator(".multiple")).to_have_count(3)
    expect(page.locator(".heat tbody tr")).to_have_count(3)
    expect(page.locator(".movers li")).to_have_count(1)
    expect(page.locator("#top")).to_contain_text("24\u00a0% negative")
    assert page.title() == "(2) Now · moodwire"


def test_calm_is_proved(desks: Desks, opening: Opening) -> None:
    desk = desks(alerts=0)
    page = opening(desk.address)
    calm = page.get_by_role("region", name="Now")
    expect(calm).to_contain_text("Nothing unusual.")
    expect(calm).to_contain_text("38 of 39 feeds alive")
    expect(calm).to_contain_text(re.compile(r"10 to 10 items from \d\d:00 to \d\d:00 on each of the last 7 days"))


def test_the_heat_map_goes_back_in_time_and_to_now(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}now")
    page.get_by_role("button", name="12 h earlier").click()
    expect(page).to_have_url(re.compile("until="))
    page.get_by_role("button", name="Back to now").click()
    expect(page).to_have_url(f"{desk.address}now")
    page.locator(".heat a.cell[data-heat='2']").first.click()
    expect(page.locator("h1")).to_have_text("Acme Bank")
    expect(page).to_have_url(re.compile("hour="))
    page.get_by_role("link", name="← Now").click()
    expect(page.locator(".heat tbody tr")).to_have_count(3)


def test_what_happened_while_the_reader_was_away(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address)
    expect(page.locator(".movers li")).to_have_count(1)
    expect(page.get_by_role("region", name="While you were away")).to_be_hidden()
    before_ms = desk.now_ms - 90 * MINUTE_MS
    visit = f'{{"live": {{"eventMs": {before_ms}, "wallMs": {before_ms}}}}}'
    page.evaluate("visit => localStorage.setItem('moodwire.visit', visit)", visit)
    desk.alerts += [
        alert_of(20, desk.now_ms, onset_ms=desk.now_ms - HOUR_MS),
        alert_of(21, desk.now_ms, state="escalated", change="escalated"),
        alert_of(22, desk.now_ms, state="resolved", change="resolved"),
    ]
    again = page.context.new_page()
    again.goto(desk.address)
    away = again.get_by_role("region", name="While you were away")
    for said in ("Opened (1)", "Worsened (1)", "Ended (1)"):
        expect(away).to_contain_text(said)
    away.get_by_role("button", name="Seen").click()
    expect(away).to_be_hidden()


def test_what_ended_while_the_reader_was_away_is_named_worst_first(desk: Desk, opening: Opening) -> None:
    page = opening(desk.address)
    expect(page.locator(".movers li")).to_have_count(1)
    before_ms = desk.now_ms - 30 * HOUR_MS
    visit = f'{{"live": {{"eventMs": {before_ms}, "wallMs": {before_ms}}}}}'
    page.evaluate("visit => localStorage.setItem('moodwire.visit', visit)", visit)
    desk.alerts = [
        *(alert_of(n, desk.now_ms, state="resolved", severity="critical", inhibited=True) for n in range(5)),
        alert_of(7, desk.now_ms, state="resolved", severity="warning", sentence="a warning"),
        alert_of(8, desk.now_ms, state="resolved", severity="critical", sentence="the worst"),
    ]
    again = page.context.new_page()
    again.goto(desk.address)
    away = again.get_by_role("region", name="While you were away")
    expect(away.locator(".lines a").first).to_have_text("the worst")
    expect(away.locator(".lines a").nth(1)).to_have_text("a warning")
    expect(away.locator(".lines li").first).to_contain_text(re.compile(r"\d\d:\d\d to .*\d\d:\d\d"))
    expect(away.locator(".lines li").first).not_to_contain_text("since")
    expect(away.locator(".lines li").nth(2)).to_contain_text("held back")
    expect(away.locator(".away")).to_have_text(re.compile(r"^Ended \(7\)"))  # no zero of the empty groups
    away.locator(".lines a").first.click()
    expect(again.locator(".alert-row")).to_have_count(7)


def test_where_no_alert_is_open_those_that_ended_are_named(desks: Desks, opening: Opening) -> None:
    desk = desks(alerts=0)
    desk.alerts = [
        alert_of(1, desk.now_ms, state="resolved", series="entity/BOLT"),
        alert_of(2, desk.now_ms, state="resolved", series=ACME),
        alert_of(3, desk.now_ms, state="resolved", updated_ms=desk.now_ms - 8 * 24 * HOUR_MS),
    ]
    page = opening(desk.address)
    calm = page.get_by_role("region", name="Now")
    expect(calm).to_contain_text("2 alerts ended in the last 7 days, the worst first:")
    expect(calm.locator(".lines a")).to_have_text(["Acme Bank", "Bolt Motors"])
    expect(calm.locator(".lines li").first).to_contain_text("30 negative at its worst")
    page.goto(f"{desk.address}alerts")
    expect(page.locator(".list-foot")).to_contain_text("No alert is open.")
    expect(page.locator(".list-foot .lines a")).to_have_text(["Acme Bank", "Bolt Motors"])
    expect(page.get_by_role("navigation", name="Which alerts")).to_contain_text("History3")
    expect(page.get_by_role("region", name="The chosen alert")).to_be_hidden()
    page.get_by_role("link", name="History (3)").click()
    expect(page.locator(".alert-row")).to_have_count(3)
    page.reload()
    expect(page.get_by_role("navigation", name="Which alerts")).to_contain_text("History3")
    expect(page.get_by_role("region", name="The chosen alert")).to_be_visible()


def test_a_series_shows_its_worst_hour_and_the_one_that_is_chosen(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}{SERIES}?range=24h")
    hour = page.get_by_role("region", name="Headlines of an hour")
    expect(hour).to_contain_text("Most unusual")
    expect(hour).to_contain_text("9 negative of 12 items")
    expect(page.locator(".charts canvas")).to_have_count(2)
    page.locator(".charts .u-over").first.click(position={"x": 30, "y": 40})
    expect(page).to_have_url(re.compile("hour="))
    expect(hour).not_to_contain_text("Most unusual")
    page.get_by_text("The numbers as a table").click()
    assert page.locator(".table tbody tr").count() >= 24
    expect(page.locator(".table .data-links a").first).to_have_attribute("href", re.compile(r"points\.csv\?"))


def test_bars_lie_in_their_hours_and_a_click_chooses_the_one_below_it(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}{SERIES}?range=24h")
    over = page.locator(".charts .u-over")
    expect(over).to_have_count(2)
    box = over.last.bounding_box()
    assert box is not None
    start_ms = -(-(desk.now_ms + 1) // HOUR_MS) * HOUR_MS - 24 * HOUR_MS
    for part in (0.1, 0.9):  # of the third hour
        over.last.click(position={"x": box["width"] * (2 + part) / 24, "y": 40})
        expect(page).to_have_url(re.compile(f"hour={start_ms + 2 * HOUR_MS}"))


def test_the_volume_has_an_axis_and_a_bar_fills_the_hour(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}{SERIES}?range=24h")
    expect(page.locator(".charts canvas")).to_have_count(2)
    ink = page.evaluate(
        """() => {
            const canvas = document.querySelectorAll('.charts canvas')[1];
            const over = document.querySelectorAll('.charts .u-over')[1].getBoundingClientRect();
            const left = Math.round(over.left - canvas.getBoundingClientRect().left);
            const low = Math.round(over.top - canvas.getBoundingClientRect().top + over.height) - 2;
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            const inked = (x, y) => data[4 * (y * canvas.width + x) + 3] > 0;
            const rows = [...Array(canvas.height).keys()];
            const axis = rows.filter((y) => [...Array(left - 2).keys()].some((x) => inked(x, y))).length;
            return { axis, middle: inked(Math.round(left + (over.width / 24) * 5.5), low) };
        }"""
    )
    assert ink["axis"] > 10
    assert ink["middle"]


def test_long_stretches_without_items_are_named(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}series")
    spans = page.evaluate(
        """async () => {
            const { emptySpans } = await import('/page/chart.js');
            const points = [0, 0, 0, 1, 0, 1, 1, 0, 0, 0].map((total, n) => ({ start_ms: n * 10, total }));
            return emptySpans({ points, bucket_ms: 10 });
        }"""
    )
    assert spans == [[0, 30], [70, 100]]


def test_an_hour_says_which_of_its_items_are_repeats_that_are_not_counted(desk: Desk, opening: Opening) -> None:
    hour_ms = desk.now_ms // HOUR_MS * HOUR_MS - 2 * HOUR_MS
    first = item_of(2, hour_ms + MINUTE_MS)
    desk.items = [
        *(
            structs.replace(item_of(2 * n, hour_ms + n * MINUTE_MS), repeat_of_ms=first.seen_ms)
            for n in range(13, 1, -1)
        ),
        first,
    ]
    desk.items = [structs.replace(one, story=structs.replace(one.story, id=one.title)) for one in desk.items]
    page = opening(f"{desk.address}{SERIES}?range=24h&hour={hour_ms}")
    hour = page.get_by_role("region", name="Headlines of an hour")
    expect(hour).to_contain_text("of 10 items")
    expect(hour).to_contain_text("and 12 repeats, which are not counted")
    expect(hour.locator(".stories li[data-uncounted='true']")).to_have_count(12)
    expect(hour.locator(".stories li").first).to_contain_text(re.compile(r"repeat of \d\d:\d\d, not counted"))
    desk.items = desk.items[-10:]  # as many as the hour has: they are counted
    page.reload()
    expect(hour.locator(".stories li").first).to_contain_text("repeat of")
    expect(hour).not_to_contain_text("not counted")


def test_a_series_is_found_by_its_name(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}series")
    expect(page.locator("tbody tr")).to_have_count(7)
    page.get_by_label("Find a series").fill("BOLT")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{desk.address}series?q=BOLT")
    page.get_by_label("Find a series").press("Enter")  # the only one that fits
    expect(page.locator("h1")).to_have_text("Bolt Motors")
    page.get_by_role("link", name="← Series").click()
    expect(page).to_have_url(f"{desk.address}series?q=BOLT")
    page.get_by_label("Find a series").fill("nobody")
    expect(page.locator(".empty")).to_contain_text("No series is called “nobody”")


def test_a_search_of_one_kind_offers_every_kind(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}series?q=BOLT&kind=source")
    expect(page.locator(".empty")).to_contain_text("No series of the kind Sources is called “BOLT”")
    page.get_by_role("link", name="Look in every kind").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_series_leads_back_to_the_alert_that_one_came_from(desk: Desk, opening: Opening) -> None:
    alert = f"{desk.address}alerts/{desk.alerts[0].id}"
    page = opening(alert)
    page.locator(".detail .series-link").first.click()
    expect(page.locator(".charts canvas")).to_have_count(2)
    page.get_by_role("link", name="← The alert").click()
    expect(page).to_have_url(alert)
    expect(page.locator(".lead")).to_be_visible()


def test_a_name_without_items_is_no_series_with_none(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}series")
    expect(page.locator("tbody tr")).to_have_count(7)
    nothing = '{"name": "entity/NONE", "kind": "entity", "label": "", "signal": "negative", "bucket_ms": 3600000'
    body = nothing + ', "points": [], "alerts": []}'
    page.route("**/points?*", lambda route: route.fulfill(body=body, content_type="application/json"))
    page.goto(f"{desk.address}series/entity%2FNONE")
    expect(page.get_by_role("region", name="Chart")).to_contain_text("No items of entity/NONE in this time.")
    expect(page.locator("main")).not_to_contain_text("0 of 0")
    expect(page.get_by_role("region", name="Headlines of an hour")).to_be_hidden()
    expect(page.get_by_role("link", name="Find a series")).to_be_visible()


def test_on_a_phone_dates_are_on_one_line_and_the_header_is_low(desk: Desk, opening: Opening) -> None:
    desk.items = [item_of(n, desk.now_ms - 400 * 24 * HOUR_MS - n, copies=2) for n in range(3)]
    page = opening(f"{desk.address}feed", viewport=PHONE)
    expect(page.locator(".item")).to_have_count(3)
    heights = page.locator(".item-head time").evaluate_all("all => all.map((each) => each.getClientRects()[0].height)")
    assert max(heights) < 30
    assert page.locator("#top").evaluate("top => top.offsetHeight") < 130


def test_an_alert_says_why_and_who_was_notified(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts")
    expect(page.locator(".alert-row")).to_have_count(2)
    page.locator(".alert-row a").first.click()
    detail = page.get_by_role("region", name="The chosen alert")
    for said in ("critical", "1 in 250 billion", "Run on Acme Bank", "Opened", "desk mail", "Ask the bank."):
        expect(detail).to_contain_text(said)
    detail.get_by_text("Every rule and window").click()
    expect(detail).to_contain_text("usual 0 to 4, 1 in 1,000 by chance: an alert opens")
    page.get_by_role("link", name="History").click()
    expect(page.locator(".empty").first).to_contain_text("No alert has ended yet.")


def test_a_thousand_alerts_stay_usable(desks: Desks, opening: Opening) -> None:
    desk = desks(alerts=1_000)
    page = opening(f"{desk.address}alerts")
    expect(page.locator(".alert-row")).to_have_count(100)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".alert-row")).to_have_count(200)
    page.keyboard.press("j")
    expect(page.get_by_role("region", name="The chosen alert")).to_contain_text("Why")


def test_the_feed_is_searched_and_narrowed(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}feed")
    expect(page.locator(".item")).to_have_count(40)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".item")).to_have_count(80)
    page.get_by_role("button", name="negative").first.click()
    expect(page).to_have_url(re.compile("label=sentiment%3Anegative"))
    expect(page.locator(".item").first).to_contain_text("Acme Bank")
    page.get_by_label("Search the items").fill("headline 10")
    expect(page.locator(".item")).to_have_count(4)
    expect(page.locator(".data-links a").first).to_have_attribute("href", re.compile(r"items\.csv\?q=headline"))


def test_headlines_of_an_enemy_do_nothing(desk: Desk, opening: Opening) -> None:
    desk.items = [
        item_of(n, desk.now_ms - n * MINUTE_MS, title=title, url="javascript:window.harmed = 1")
        for n, title in enumerate(HOSTILE)
    ]
    page = opening(f"{desk.address}feed")
    expect(page.locator(".item")).to_have_count(3)
    assert page.locator(".item h3").all_inner_texts() == list(HOSTILE)
    assert page.locator(".item h3 a").count() == 0
    assert page.locator(".item h3 bdi").count() == 3
    page.goto(f"{desk.address}alerts/{desk.alerts[0].id}")
    expect(page.locator(".headlines li")).to_have_count(2)
    assert page.locator(".headlines a").count() == 1
    assert page.evaluate("window.harmed") is None


def test_errors_say_what_failed_and_try_again(desk: Desk, opening: Opening) -> None:
    desk.fails["/v1/items"] = 503
    page = opening(f"{desk.address}feed", expect_errors=True)
    problem = page.locator(".problem").first
    expect(problem).to_contain_text("The archive is away")
    desk.fails.clear()
    page.locator(".list-foot").get_by_role("button", name="Try again").click()
    expect(page.locator(".item")).to_have_count(40)


def test_an_unknown_series_and_an_unknown_view_say_so(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}series/entity%2FNONE", expect_errors=True)
    expect(page.locator(".problem")).to_contain_text("no series is called entity/NONE")


def test_old_data_look_old_and_troubles_are_named(desk: Desk, opening: Opening) -> None:
    desk.newest_ms = desk.now_ms - HOUR_MS
    desk.troubles = [Trouble(reason="lag", subject="stage score", detail="is behind", since_ms=desk.now_ms)]
    page = opening(desk.address)
    expect(page.locator("html")).to_have_attribute("data-age", "stale")
    expect(page.locator("#top")).to_contain_text("no item for 1 h")
    page.get_by_text("1 trouble").click()
    expect(page.locator(".popover")).to_contain_text("stage score: is behind")


def test_a_token_opens_the_page_and_is_in_no_address(desks: Desks, opening: Opening) -> None:
    desk = desks(token="right")
    page = opening(desk.address, expect_errors=True)
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".field-problem")).to_contain_text("not known")
    page.get_by_label("Token").fill("right")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".movers li")).to_have_count(1)
    assert "right" not in page.url


@pytest.mark.parametrize("path", ["now", SERIES, "alerts", "feed"])
def test_nothing_is_wider_than_a_phone(desk: Desk, opening: Opening, path: str) -> None:
    page = opening(f"{desk.address}{path}", viewport=PHONE)
    expect(page.locator("h1").first).to_be_attached()
    expect(page.locator(".movers, .stories, .alert-row, .item").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_on_a_phone_an_alert_takes_the_place_of_the_list(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}alerts", viewport=PHONE)
    page.locator(".alert-row a").first.click()
    expect(page.locator(".lead")).to_be_visible()
    expect(page.locator(".alert-list")).to_be_hidden()
    page.get_by_role("link", name="← All alerts").click()
    expect(page.locator(".alert-list")).to_be_visible()


def test_the_page_says_what_is_usual_why_there_is_no_band_and_what_moved(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}series")
    said = page.evaluate(
        """async () => {
            const { bandNote, rolling } = await import('/page/chart.js');
            const { isMover } = await import('/page/view-now.js');
            const { length, moment, usual } = await import('/page/format.js');
            const { status } = await import('/page/store.js');
            const yearly = (kind) => (status.set({ ...status.get(), kind }), /20\\d\\d/.test(moment(Date.now())));
            const point = (high) => ({ start_ms: 0, hits: 1, total: 2, low: high === null ? null : 0, high });
            const note = (...highs) => bandNote({ signal: 'negative', points: highs.map(point) });
            return {
                notes: [note(null, null), note(null, 0), note(0, 3)],
                quiet: rolling([point(1), point(null), point(null)], 3).at(-1).high,
                moved: [[1, 9], [3, 1.9], [3, 2]].map(([hits, surprise]) => isMover({ hits, surprise })),
                usual: [usual(0, 0), usual(3, 43)],
                years: [yearly('live'), yearly('replay')],
                lengths: [1, 69, 48, 168, 170].map((hours) => length(hours * 3_600_000)),
            };
        }"""
    )
    assert said == {
        "notes": [
            "No band: there is not enough history of this series yet to say what is usual.",
            "The band lies on zero: an hour of this series usually has no negative item.",
            "",
        ],
        "quiet": 0.5,
        "moved": [False, False, True],
        "usual": ["usually none", "usual 3 to 43"],
        "years": [False, True],
        "lengths": ["1 h", "69 h", "2 d", "7 d", "7 d"],
    }


def test_companies_are_called_by_their_names_in_the_feed(desk: Desk, opening: Opening) -> None:
    page = opening(f"{desk.address}feed?series=entity%2FACME")
    companies = page.get_by_role("region", name="Companies")
    expect(companies.get_by_role("button").first).to_contain_text("Acme Bank")
    expect(page.locator(".chip")).to_contain_text("Acme Bank")
    companies.get_by_role("button").first.click()  # chosen: it is taken back
    expect(page.locator(".chip")).to_have_count(0)


def test_a_snippet_that_repeats_the_title_is_left_out(desk: Desk, opening: Opening) -> None:
    desk.items = [structs.replace(desk.items[0], title="Run on Acme", snippet="«Run» on Acme")]
    page = opening(f"{desk.address}feed?q=run")
    expect(page.locator(".item h3 mark")).to_have_text("Run")
    expect(page.locator(".snippet")).to_have_count(0)
