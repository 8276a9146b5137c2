"""Alerts on the board: which are open, acknowledged, silenced or over, and what is told of each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from alerts import AlertEvent, Wording
from alerts.judge.entries import ViewKind
from alerts.judge.rows import AlertRow, MuteRow
from streams.archive.memory import MemoryArchive
from streams.archive.protocol import StoredDecision, StoredNotification, StoredView
from streams.board.reading.alert_shapes import (
    alert_fields,
    inhibitor_of,
    last_days,
    notified_of,
    sentence_of,
    timeline_of,
    verdicts_of,
)
from streams.board.reading.alerts import find_alerts, headlines_at_height, known_alerts
from streams.board.reading.labels import Labels
from streams.board.reading.silences import about_of, silences_of
from streams.board.shapes.alerts import Alert, AlertFilter, AlertsQuery, Inhibitor
from streams.stages.watch import stored_alert
from streams.wall_clock import HOUR_MS, MINUTE_MS
from tests.archive_news import CONFIG, CRISIS_MS, SERIES, crisis_news, watched_events
from tests.stages.test_watch_hours import all_hours

LABELS = Labels(frozenset({"entity"}), {"ACME": "Acme"})
NOW_MS = CRISIS_MS + HOUR_MS


@pytest.fixture(scope="module")
def events() -> list[AlertEvent]:
    """The changes of the crisis' alert, the opening first."""
    return watched_events(crisis_news())


def opened(events: list[AlertEvent], number: int, **changes: Any) -> AlertEvent:
    """An open alert of its own."""
    event = events[0]
    return msgspec.structs.replace(event, id=f"{number:032x}", onset_ms=event.onset_ms + number, **changes)


async def archive_of(*known: AlertEvent) -> MemoryArchive:
    archive = MemoryArchive()
    await archive.write_alerts([stored_alert(one) for one in known])
    return archive


def view(event: AlertEvent, version: int = 3, **fields: Any) -> StoredView:
    row = AlertRow(event=event, labels=event.labels, changed_ms=event.updated_ms, seen_version=version, **fields)
    return StoredView(ViewKind.ALERT, event.id, version, 7, msgspec.json.encode(row))


def mute(name: str, matcher: str, starts_ms: int, ends_ms: int) -> StoredView:
    row = MuteRow(id=name, by="ann", at_ms=starts_ms, matchers=(matcher,), starts_ms=starts_ms, ends_ms=ends_ms)
    return StoredView(ViewKind.SILENCE, name, 1, 7, msgspec.json.encode(row))


async def listed(archive: MemoryArchive, state: AlertFilter, **query: Any) -> list[str]:
    found, after = [], None
    while True:
        asked = AlertsQuery(state=state, **query)
        page, after = await find_alerts(archive, asked, NOW_MS, after)
        found += [one.event.id[-1] for one in page]
        if after is None:
            return found


async def test_each_alert_is_in_the_list_of_its_state(events: list[AlertEvent]) -> None:
    plain, taken, quiet = (opened(events, number) for number in (1, 2, 3))
    quiet = msgspec.structs.replace(quiet, series="entity/QUIET", labels={**quiet.labels, "series": "entity/QUIET"})
    over = opened(events, 4, state="resolved", change="resolved", revision=9)
    archive = await archive_of(plain, taken, quiet, over)
    await archive.record_views(
        [
            view(plain),
            view(taken, acknowledged_by="ann", acknowledged_until_ms=NOW_MS + 5),
            view(quiet),
            mute("s1", "series=entity/QUIET", NOW_MS - 1, NOW_MS + 1),
            mute("s2", "series=entity/QUIET", NOW_MS + 1, NOW_MS + 2),
            mute("s3", f"series={SERIES}", 0, NOW_MS),
        ]
    )
    assert await listed(archive, AlertFilter.OPEN) == ["1"]
    assert await listed(archive, AlertFilter.ACKNOWLEDGED) == ["2"]
    assert await listed(archive, AlertFilter.SILENCED) == ["3"]
    assert await listed(archive, AlertFilter.HISTORY) == ["4"]
    [known] = await known_alerts(archive, [stored_alert(taken)], NOW_MS)
    assert (known.version, known.row.acknowledged_by) == (3, "ann")
    [silenced] = await known_alerts(archive, [stored_alert(quiet)], NOW_MS)
    assert silenced.silences == ("s1",)


@pytest.mark.parametrize("state", ["firing", "resolved"])
async def test_lists_go_on_page_by_page(events: list[AlertEvent], state: str) -> None:
    archive = await archive_of(*(opened(events, number, state=state) for number in range(7)))
    shown = AlertFilter.OPEN if state == "firing" else AlertFilter.HISTORY
    for limit in (1, 3, 7, 50):
        assert await listed(archive, shown, limit=limit) == ["6", "5", "4", "3", "2", "1", "0"]
    assert await listed(archive, shown, severity="nothing") == []
    assert await listed(archive, shown, series="entity/BOLT") == []


async def test_an_alert_that_the_judge_has_not_seen_has_no_version(events: list[AlertEvent]) -> None:
    archive = await archive_of(events[0])
    [known] = await known_alerts(archive, await archive.alerts(), NOW_MS)
    assert known.version == 0
    assert known.event.top_items == events[0].top_items


async def test_an_update_keeps_its_headlines(events: list[AlertEvent]) -> None:
    later = msgspec.structs.replace(events[0], revision=2, change="ongoing", top_items=())
    archive = await archive_of(events[0], later)
    await archive.record_views([view(events[0])])
    [known] = await known_alerts(archive, await archive.alerts(), NOW_MS)
    assert known.event.revision == 2
    assert known.event.top_items == events[0].top_items


async def test_what_is_told_of_an_alert(events: list[AlertEvent]) -> None:
    archive = await archive_of(events[0])
    await archive.record_hours(all_hours(crisis_news()))
    known = await known_alerts(archive, await archive.alerts(), NOW_MS)
    days = await last_days(archive, known, NOW_MS)
    shown = Alert(**alert_fields(known[0], LABELS, CONFIG.wording, days[events[0].id]))
    assert shown.sentence.startswith("Acme: ")
    assert " items in " in shown.sentence
    assert len(shown.last_day) == 24
    assert shown.last_day[-1].start_ms == CRISIS_MS
    assert shown.last_day[-1].hits == 14
    assert shown.last_day[-1].high is not None
    assert shown.headlines
    assert msgspec.json.decode(msgspec.json.encode(shown))["observed"]["hits"] == events[0].observed.hits


async def test_the_last_day_of_an_open_alert_has_the_hour_that_is_not_over(events: list[AlertEvent]) -> None:
    archive = await archive_of(events[0])
    await archive.write_items(crisis_news())
    known = await known_alerts(archive, await archive.alerts(), NOW_MS)
    days = await last_days(archive, known, CRISIS_MS + HOUR_MS // 2)
    assert days[events[0].id][-1].hits == 28  # copies too


async def test_the_last_day_of_one_that_is_over_has_the_hours_up_to_its_worst(events: list[AlertEvent]) -> None:
    worst_ms = CRISIS_MS + 53 * MINUTE_MS
    over = msgspec.structs.replace(
        events[0],
        state="resolved",
        change="resolved",
        revision=9,
        updated_ms=CRISIS_MS + 40 * HOUR_MS,
        peak=msgspec.structs.replace(events[0].peak, at_ms=worst_ms),
    )
    archive = await archive_of(over)
    await archive.record_hours(all_hours(crisis_news()))
    known = await known_alerts(archive, await archive.alerts(), NOW_MS)
    [hours] = (await last_days(archive, known, CRISIS_MS + 90 * HOUR_MS)).values()
    assert [hour.start_ms for hour in hours] == [CRISIS_MS + n * HOUR_MS for n in range(-24, 1)]
    assert hours[-1].hits == 14


def test_the_sentence_of_one_that_is_over_is_about_its_worst(events: list[AlertEvent]) -> None:
    worst = msgspec.structs.replace(events[0].peak, hits=23, total=31, seconds=7_200, interval=(0, 2), at_ms=5)
    over = msgspec.structs.replace(events[0], state="resolved", peak=worst)
    wording = Wording.of("en", {"negative": "negative"})
    assert sentence_of(over, LABELS, wording) == "Acme: 23 negative of 31 items in 2 h, usual 0 to 2"
    quiet = msgspec.structs.replace(over, peak=msgspec.structs.replace(over.peak, interval=(0, 0)))
    assert sentence_of(quiet, LABELS, wording).endswith("in 2 h, usually none")


def decided(place: int, kind: str, body: str, outcome: str = "accepted", detail: str = "", by: str = "ann") -> Any:
    at_ms = CRISIS_MS + place
    return StoredDecision(place, f"d{place}", kind, by, "a", at_ms, at_ms, outcome, 2, detail, body.encode())


def test_the_timeline_has_changes_and_decisions_in_order(events: list[AlertEvent]) -> None:
    at_ms = events[0].updated_ms + 1
    note = StoredDecision(
        1, "d", "note", "ann", events[0].id, at_ms, at_ms, "accepted", 2, "entity/ACME", b'{"text":"calling them"}'
    )
    entries = timeline_of([stored_alert(one) for one in events], [note], CONFIG.wording)
    assert [one.at_ms for one in entries] == sorted(one.at_ms for one in entries)
    assert entries[0].kind == "opened"
    assert entries[0].text == sentence_of(events[0], LABELS, CONFIG.wording).removeprefix("Acme: ")
    assert (entries[1].kind, entries[1].by, entries[1].text) == ("note", "ann", "calling them")


def test_the_timeline_has_what_was_followed_in_words() -> None:
    decisions = [
        decided(4, "verdict", '{"label":"noise"}', "moved", "it has version 4 now, not 3"),
        decided(3, "verdict", '{"label":"wrong_company"}', detail="wrong_company"),
        decided(2, "assign", '{"to":"bob"}'),
        decided(1, "acknowledge", '{"until_ms":5}', "over", "none of them fires"),
        decided(5, "verdict", '{"label":"wrong_company"}', detail="wrong_company"),
        decided(6, "verdict", '{"label":"useful"}', by="bob"),
        decided(7, "assign", '{"to":""}'),
    ]
    entries = timeline_of([], decisions, CONFIG.wording)
    assert [(one.kind, one.by, one.text) for one in entries] == [
        ("assign", "ann", "to bob"),
        ("verdict", "ann", "wrong company"),
        ("verdict", "bob", "useful"),
        ("assign", "ann", "to no one"),
    ]
    assert verdicts_of(decisions) == {"ann": "wrong_company", "bob": "useful"}


def test_notifications_say_how_far_they_came() -> None:
    rows = [StoredNotification(f"n{at}", "a", 1, "ops", "failed", 3, 1, at, "refused", 2) for at in (5, 9)]
    assert [(one.at_ms, one.status, one.problem) for one in notified_of(rows)] == [
        (9, "failed", "refused"),
        (5, "failed", "refused"),
    ]


async def test_an_alert_that_is_over_has_the_headlines_of_its_height(events: list[AlertEvent]) -> None:
    def change(revision: int, title: str, **changes: Any) -> AlertEvent:
        item = msgspec.structs.replace(events[0].top_items[0], title=title)
        at_ms = CRISIS_MS + revision * HOUR_MS
        peak = msgspec.structs.replace(events[0].peak, at_ms=CRISIS_MS + 2 * HOUR_MS + 1)
        return msgspec.structs.replace(
            events[0], revision=revision, updated_ms=at_ms, peak=peak, top_items=(item,), **changes
        )

    over = change(4, "All is calm", state="resolved", change="resolved")
    known = [change(1, "It begins"), change(2, "A run on the bank"), change(3, "It ends"), over]
    archive = await archive_of(*known)
    history = await archive.alert_history(over.id)
    assert [one.title for one in headlines_at_height(over, history).top_items] == ["A run on the bank"]
    assert headlines_at_height(known[2], history) == known[2]
    assert headlines_at_height(over, history[3:]) == over


async def test_an_alert_names_the_one_that_holds_it_back(events: list[AlertEvent]) -> None:
    over = opened(events, 1, series="entity/OTHER", severity="critical")
    under = opened(events, 2)
    archive = await archive_of(over, under)
    await archive.record_views([view(under, hidden_by=f"inhibited/{over.id}")])
    [known] = await known_alerts(archive, [stored_alert(under)], NOW_MS)
    assert await inhibitor_of(archive, known, LABELS) == Inhibitor(id=over.id, label="OTHER", severity="critical")
    [free] = await known_alerts(archive, [stored_alert(over)], NOW_MS)
    assert await inhibitor_of(archive, free, LABELS) is None


def test_silences_are_told_in_words_also_of_an_alert_that_is_over(events: list[AlertEvent]) -> None:
    over = opened(events, 4, state="resolved")
    row = AlertRow(event=over, labels={"series": SERIES, "signal": "negative"}, changed_ms=NOW_MS)
    mutes = [
        MuteRow(id=name, by="ann", at_ms=1, matchers=matchers, starts_ms=NOW_MS - 1, ends_ms=ends_ms)
        for name, matchers, ends_ms in (
            ("s1", (f'series="{SERIES}"', 'signal="negative"'), NOW_MS + 1),
            ("s2", ('series="entity/BOLT"',), NOW_MS + 1),
            ("s3", (f'series="{SERIES}"',), NOW_MS),
        )
    ]
    assert [(one.id, one.about) for one in silences_of(row, mutes, LABELS, NOW_MS)] == [("s1", "Acme, negative")]
    assert about_of((), LABELS) == "every alert"
    assert about_of(('severity!="critical"', 'series=~"entity/.*"'), LABELS) == (
        "series like entity/.*, severity not critical"
    )
