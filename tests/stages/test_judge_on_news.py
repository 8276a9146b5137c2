"""Twenty subscribers of different wishes, on the sample feed and on news of a bank run: each is sent what a plain
function over all alerts and decisions says, however the log is cut and wherever the judge is restarted.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from alerts import AlertConfig, AlertEvent
from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.judge import Decided, Decision, Event, Judge, Policy, Route, Seal
from alerts.judge.decisions import Acknowledge, Maintenance, Silence, Subscribe
from alerts.judge.policy import Escalation, Inhibition
from alerts.matchers import parse_matchers
from streams.sample import write_sample
from streams.text.profile import load_profile
from tests.alerts.judge.judge_oracle import Oracle, Sent
from tests.alerts.judge.wishes import WISHES
from tests.stages.in_process import play_file
from tests.stages.keyword_classifier import KeywordClassifier


def policy() -> Policy:
    return Policy(
        root=Route(
            key="",
            receiver="desk",
            routes=(
                Route(
                    key="critical",
                    receiver="pager",
                    matchers=parse_matchers("severity=critical"),
                    escalations=(Escalation(30 * MINUTE_MS, "boss"),),
                    repeat_interval_ms=4 * HOUR_MS,
                    goes_on=True,
                ),
                Route(key="all", receiver="desk", group_by=("signal",), group_wait_ms=2 * MINUTE_MS),
            ),
        ),
        receivers=frozenset({"desk", "pager", "boss", "mail"}),
        inhibitions=(Inhibition(parse_matchers("kind=everything"), parse_matchers("kind=source"), ("signal",)),),
    )


def decided(events: Sequence[AlertEvent], start_ms: int) -> dict[int, list[Decision]]:
    """By time: all subscribe; every fifth alert is acknowledged, some are silenced, each week has maintenance."""
    found: dict[int, list[Decision]] = {}

    def add(at_ms: int, decision: Decision) -> None:
        found.setdefault(at_ms, []).append(decision)

    for number, wish in enumerate(WISHES):
        name = f"p{number}"
        more: dict[str, Any] = {"id": f"w{number}", "by": name, "at_ms": start_ms}
        add(start_ms, Subscribe(name=name, channel="mail", **more, **wish))
    opened = [event for event in events if event.change == "opened"]
    for number, event in enumerate(opened):
        at_ms = event.updated_ms + 7 * MINUTE_MS
        more = {"id": f"d{number}", "by": "ann", "at_ms": at_ms}
        if number % 5 == 0:
            add(at_ms, Acknowledge(target=event.id, until_ms=at_ms + 3 * HOUR_MS, **more))
        elif number % 9 == 0:
            matchers = (f'series="{event.series}"',)
            ends = at_ms + 6 * HOUR_MS
            add(at_ms, Silence(matchers=matchers, ends_ms=ends, until_worse=number % 2 == 0, **more))
    for number, at_ms in enumerate(range(start_ms + 30 * HOUR_MS, events[-1].updated_ms, 168 * HOUR_MS)):
        ends = at_ms + 2 * HOUR_MS
        add(at_ms, Maintenance(id=f"m{number}", by="ann", at_ms=at_ms, starts_ms=at_ms + HOUR_MS, ends_ms=ends))
    return found


def expected(events: Sequence[AlertEvent], decisions: dict[int, list[Decision]], times: range) -> list[Sent]:
    oracle = Oracle(policy(), times.start, times.step)
    at_tick: dict[int, list[AlertEvent]] = {}
    for event in events:
        at_tick.setdefault(event.updated_ms, []).append(event)
    for at_ms in times:
        oracle.minute(at_tick.get(at_ms, []), decisions.get(at_ms, []), at_ms)
    return oracle.sent


def judged(events: Sequence[AlertEvent], decisions: dict[int, list[Decision]], times: range) -> list[Sent]:
    """Three partitions, of which one seals late; a new judge now and then."""
    rows: dict[str, bytes] = {}
    judge, sent = Judge(policy(), rows), []
    for position, entry in enumerate(log(events, decisions, times)):
        for plan in judge.apply(entry, position).plans:
            names = frozenset(event.id for event in plan.group.alerts)
            minute = (plan.group.at_ms - times.start) / MINUTE_MS
            sent.append((plan.receiver, minute, plan.group.change.value, names))
        for key, row in judge.take_rows().items():
            rows.pop(key, None) if row is None else rows.update({key: row})
        if position % 97 == 0:
            judge = Judge(policy(), rows)
    return sent


def log(
    events: Sequence[AlertEvent], decisions: dict[int, list[Decision]], times: range
) -> Iterator[Event | Seal | Decided]:
    waiting = sorted(events, key=lambda event: event.updated_ms)
    for at_ms in times:
        due = at_ms in decisions or at_ms % HOUR_MS == 0 or at_ms == times[-1]
        while due and waiting and waiting[0].updated_ms <= at_ms:
            event = waiting.pop(0)
            yield Event(event, hash_of(event.series), event.updated_ms)
        if due:
            yield from (Seal(partition, 3, at_ms) for partition in (2, 0, 1))
        yield from map(Decided, decisions.get(at_ms, []))


def hash_of(series: str) -> int:
    return sum(series.encode()) % 3


async def check(path: Path, watchlists: Path) -> tuple[int, int]:
    """How many alerts there were, and how many messages."""
    profile = load_profile("finance")
    config = AlertConfig.of(profile.rules)
    events = (await play_file(path, profile, config, {"en": KeywordClassifier()}, watchlists=watchlists)).events
    assert MINUTE_MS % config.hop_ms == 0
    start = events[0].updated_ms // MINUTE_MS * MINUTE_MS - HOUR_MS
    times = range(start, events[-1].updated_ms + 30 * HOUR_MS, config.hop_ms)
    decisions = decided(events, start)
    found, wanted = judged(events, decisions, times), expected(events, decisions, times)
    assert sorted(map(plain, found)) == sorted(map(plain, wanted))
    return len({event.id for event in events}), len(found)


def plain(sent: Sent) -> tuple[float, str, str, list[str]]:
    receiver, minute, change, names = sent
    return minute, receiver, change, sorted(names)


async def test_the_sample_feed(tmp_path: Path) -> None:
    feed = tmp_path / "sample.ndjson"
    write_sample(feed)
    alerts, messages = await check(feed, Path(str(resources.files("streams.sample") / "watchlists.yaml")))
    assert alerts > 3
    assert messages > 20


async def test_the_weeks_of_a_bank_run(tmp_path: Path, shared_data: Path) -> None:
    march, watchlists = tmp_path / "march.ndjson", tmp_path / "watchlists.yaml"
    watchlists.write_text("watchlists: [{name: svb, names: [Silicon Valley Bank, SVB], tickers: [SIVB]}]")
    with gzip.open(shared_data / "streams" / "rss_svb_2023-02_2023-04.ndjson.gz") as lines:
        march.write_bytes(b"".join(line for line in lines if b'"2023-03-0' in line[:30] or b'"2023-03-1' in line[:30]))
    alerts, messages = await check(march, watchlists)
    assert alerts > 3
    assert messages > 100
