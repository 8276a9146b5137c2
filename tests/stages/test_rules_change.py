"""Rules that change while `watch` runs: at a stored position, without losing state, and the same after any crash."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts import AlertConfig, AlertEvent
from alerts.rule_file import RulesDocument
from alerts.user_rules import with_rules
from streams.app import Pipeline
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.errors import Retry, TransportError
from streams.namespaces import Kind
from streams.observe.operations import Operations
from streams.records import VERSION, MentionBatch, MentionItem
from streams.settings import Settings
from streams.stages.watch import WatchStage
from streams.stages.watch_rules import RULES_KEY, LiveRules, OftenFired, RulesRow
from streams.text.profile import load_profile
from streams.text.user_rules import load_rules, stamp_of
from tests.engine.positions_harness import Crash, FakeState, Fuse
from tests.running_pipeline import running

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_750_000_000_000 // DAY_MS * DAY_MS
PROFILE = AlertConfig.from_mapping(
    {
        "signals": ["negative"],
        "kinds": {"entity": {"budget_share": 1.0}},
        "warm_up_days": 0.5,
        "false_alarms_per_week": 50,
        "most_probable_level": 0.05,
        "episode": {"hold_minutes": 10, "cool_down_hours": 1, "update_minutes": 20},
    }
)
LISTED = {"name": "listed", "series": ["watchlist/banks"], "labels": {"team": "credit"}}
STORIES = {"name": "stories", "series": ["watchlist/banks"], "detector": "each"}


def document(*rules: dict[str, Any]) -> RulesDocument:
    return msgspec.convert({"rules": list(rules)}, RulesDocument)


class File:
    """A file of rules in memory, and how often it was read."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.now = document(*rules)

    def live(self) -> LiveRules:
        return LiveRules(
            lambda: self.now,
            lambda: id(self.now),
            lambda found, retired: with_rules(PROFILE, found, retired),
            every_seconds=0,
        )


class Sent:
    """An outbox that keeps the alert events."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self.events: list[AlertEvent] = []

    async def send(self, sends: Sequence[Send]) -> None:
        for one in sends:
            self._fuse.burn()
            if one.key is not None and one.value is not None and b'"rule"' in one.value:
                self.events.append(AlertEvent.from_json(one.value))


def log_of(days: int = 4) -> list[Record]:
    """A mention of either series an hour, then on the third day at noon one a minute for an hour."""
    times = [hour * HOUR_MS for hour in range(days * 24)]
    times += [2 * DAY_MS + 12 * HOUR_MS + minute * MINUTE_MS for minute in range(60)]
    records = []
    for offset, at in enumerate(sorted(times)):
        hit = (
            {"negative": 0.9} if offset % 6 == 0 or 2 * DAY_MS + 12 * HOUR_MS <= at < 2 * DAY_MS + 13 * HOUR_MS else {}
        )
        item = MentionItem(offset, f"{offset:032x}", START_MS + at, offset + 1, hit, ("entity/A", "watchlist/banks"))
        batch = MentionBatch(VERSION, "e", 0, 1, START_MS + at, (item,))
        records.append(Record(offset, None, msgspec.json.encode(batch), START_MS + at))
    return records


RECORDS = log_of()
CHANGES = {30: (LISTED, STORIES), len(RECORDS) // 2 + 10: (STORIES,)}
"""From which record on the file has which rules."""


@dataclass
class NotingState(FakeState):
    """Rows, and which rules were taken behind which own offset, in order."""

    taken: list[tuple[int, RulesDocument]] = field(default_factory=list)

    async def put(self, partition: int, rows: Mapping[str, bytes | None]) -> None:
        await super().put(partition, rows)
        if (row := rows.get(RULES_KEY)) is not None:
            found = RulesRow.restored(row)
            self.taken.append((found.own_offset, found.document))


@dataclass
class Played:
    """What came of a run through all records."""

    state: NotingState
    events: list[AlertEvent] = field(default_factory=list)


def wanted(position: int) -> RulesDocument:
    return document(*next((rules for at, rules in reversed(CHANGES.items()) if position >= at), ()))


async def played(rng: random.Random | None = None, plan: Sequence[tuple[int, RulesDocument]] | None = None) -> Played:
    """Plays all records, ten a run. With `rng` the worker dies now and then, and the file changes before it is back.

    With a `plan` the rules are taken as it says, each behind its own offset.
    """
    fuse, file = Fuse(), File()
    state, sent = NotingState(fuse), Sent(fuse)
    found = Played(state, sent.events)
    stage: WatchStage | None = None
    position = failed = 0
    while position < len(RECORDS):
        if plan is None:
            file.now = wanted(position + 20 * failed if position else 0)
        if stage is None:
            stage = WatchStage(PROFILE, MemoryArchive(), sent, state, "alerts", rules=file.live())
        for _, file.now in [taken for taken in plan or () if taken[0] == position - 1]:
            await stage._take_rules(0, await stage.partition(0))
        run = Run("mentions", 0, 1, "e", RECORDS[position : position + 10], len(RECORDS))
        fuse.left = None
        if rng is not None and rng.random() < 0.4:
            fuse.set(rng)
        try:
            await stage.handle(run)
        except Crash:
            state.restore()
            stage, failed = None, failed + 1
            continue
        except (Retry, TransportError):  # the run is done again by the same worker
            failed += 1
            continue
        position, failed = position + 10, 0
    return found


def unique(events: Sequence[AlertEvent]) -> list[AlertEvent]:
    return list({(event.id, event.revision): event for event in events}.values())


async def test_rules_are_taken_at_the_end_of_a_run_and_written_down() -> None:
    found = await played()
    events, row = found.events, RulesRow.restored(found.state.rows[0, RULES_KEY])
    assert row.document == wanted(len(RECORDS))
    assert [rule.name for rule in row.retired] == ["listed"]
    assert 0 < row.own_offset < len(RECORDS)
    by_rule = {event.rule for event in events}
    assert by_rule >= {"volume", "listed", "stories"}
    noted = [item.id for event in events if event.rule == "stories" for item in event.top_items]
    assert len(noted) == len(set(noted))
    assert min(int(name, 16) for name in noted) >= 30
    listed = [event for event in events if event.rule == "listed"]
    assert listed[-1].change == "resolved"
    assert listed[-1].labels["team"] == "credit"


async def test_a_partition_that_was_read_to_its_end_takes_them_before_the_next_run() -> None:
    file, state, sent = File(), FakeState(Fuse()), Sent(Fuse())
    stage = WatchStage(PROFILE, MemoryArchive(), sent, state, "alerts", rules=file.live())
    await stage.handle(Run("mentions", 0, 1, "e", RECORDS[:50], len(RECORDS)))
    file.now = document(STORIES)
    await stage.idle(0, 0)
    await stage.handle(Run("mentions", 0, 1, "e", RECORDS[50:60], len(RECORDS)))
    assert RulesRow.restored(state.rows[0, RULES_KEY]).own_offset == 49
    assert [event.rule for event in sent.events if event.rule == "stories"]


async def test_another_worker_takes_them_before_its_first_run() -> None:
    """The whole of what it is given may be one run: of a replay, or of what came while no worker ran."""
    file, state, sent = File(), FakeState(Fuse()), Sent(Fuse())
    for records, rules in ((RECORDS[:50], ()), (RECORDS[50:], (STORIES,))):
        file.now = document(*rules)
        stage = WatchStage(PROFILE, MemoryArchive(), sent, state, "alerts", rules=file.live())
        await stage.handle(Run("mentions", 0, 1, "e", records, len(RECORDS)))
    assert RulesRow.restored(state.rows[0, RULES_KEY]).own_offset == 49
    noted = [item.id for event in sent.events if event.rule == "stories" for item in event.top_items]
    assert min(int(name, 16) for name in noted) == 54


@pytest.mark.parametrize("landed", range(8))
async def test_a_run_that_was_begun_is_finished_by_its_rules_however_it_is_cut_the_next_time(landed: int) -> None:
    fuse, file = Fuse(), File(STORIES)
    state, sent = FakeState(fuse), Sent(fuse)

    def worker() -> WatchStage:
        return WatchStage(PROFILE, MemoryArchive(), sent, state, "alerts", rules=file.live())

    await worker().handle(Run("mentions", 0, 1, "e", RECORDS[:50], len(RECORDS)))
    fuse.left = landed
    with pytest.raises(Crash):
        await worker().handle(Run("mentions", 0, 1, "e", RECORDS[50:80], len(RECORDS)))
    state.restore()
    fuse.left, file.now = None, document(LISTED)
    for first in (50, 60, 70):
        await worker().handle(Run("mentions", 0, 1, "e", RECORDS[first : first + 10], len(RECORDS)))
    row = RulesRow.restored(state.rows[0, RULES_KEY])
    assert (row.own_offset, row.document) == (79 if landed else 49, document(LISTED))


async def test_an_open_alert_of_a_rule_that_stays_goes_on() -> None:
    volume = [event for event in (await played()).events if event.rule == "volume" and event.series == "entity/A"]
    changed_ms = START_MS + 2 * DAY_MS + 12 * HOUR_MS + 20 * MINUTE_MS
    across = [event for event in volume if event.onset_ms <= changed_ms]
    assert {event.id for event in across if event.updated_ms > changed_ms} == {across[-1].id}
    for name in {event.id for event in volume}:
        revisions = [event.revision for event in volume if event.id == name]
        assert revisions == list(range(1, len(revisions) + 1))


NARROWED = {**LISTED, "series": ["watchlist/others"]}


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize(
    ("after", "rule", "series"),
    [
        (RulesDocument(rules=document(NARROWED).rules), "listed", "watchlist/banks"),
        (RulesDocument(profile_rules=False, rules=document(LISTED).rules), "volume", "entity/A"),
        (RulesDocument(), "listed", "watchlist/banks"),
    ],
    ids=["other series", "without the profile's rules", "no rules"],
)
async def test_an_alert_whose_series_leaves_the_rules_ends_once(
    after: RulesDocument, rule: str, series: str, restarts: bool
) -> None:
    file, state, sent = File(LISTED), FakeState(Fuse()), Sent(Fuse())
    stage = WatchStage(PROFILE, MemoryArchive(), sent, state, "alerts", rules=file.live())
    half = next(at for at, one in enumerate(RECORDS) if one.timestamp_ms > START_MS + 2.5 * DAY_MS + 30 * MINUTE_MS)
    for position in range(0, len(RECORDS), 10):
        if position == half // 10 * 10:
            assert [one.state for one in sent.events if (one.rule, one.series) == (rule, series)][-1] != "resolved"
            file.now = after
            if restarts:
                stage = WatchStage(PROFILE, MemoryArchive(), sent, state, "alerts", rules=file.live())
        await stage.handle(Run("mentions", 0, 1, "e", RECORDS[position : position + 10], len(RECORDS)))
    last = [one.id for one in sent.events if (one.rule, one.series) == (rule, series)][-1]
    own = [one for one in sent.events if one.id == last]  # one before it may have ended by itself
    assert [one.change for one in own].count("resolved") == 1
    assert own[-1].change == "resolved"
    assert own[-1].reasons == ("the rule no longer watches this series",)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_dies_and_when_the_alerts_are_the_same(seed: int) -> None:
    """They are those of a worker that never dies and takes the same rules at the same places."""
    stormy = await played(random.Random(seed))
    calm = await played(plan=stormy.state.taken)
    assert calm.state.taken == stormy.state.taken
    assert sorted(unique(stormy.events), key=repr) == sorted(calm.events, key=repr)
    assert len(set(map(repr, stormy.events))) == len(unique(stormy.events))
    assert stormy.state.rows == calm.state.rows


async def test_a_kind_that_is_watched_later_has_its_warm_up_then() -> None:
    state = (await played()).state
    stage = WatchStage(PROFILE, MemoryArchive(), Sent(Fuse()), state, "alerts", rules=File(STORIES).live())
    stream = (await stage.partition(0))._streams["negative"]
    assert stream.start_of("entity") == START_MS
    assert stream.start_of("watchlist") > START_MS + DAY_MS


async def test_a_file_with_a_mistake_changes_nothing_and_is_reported(tmp_path: Path) -> None:
    path, profile, found = tmp_path / "rules.yaml", load_profile("finance"), []
    path.write_text("rules: [{name: a, series: [entity/A]}]\n")
    live = LiveRules(
        lambda: load_rules(path, profile),
        lambda: stamp_of(path),
        lambda document, retired: with_rules(PROFILE, document, retired),
        every_seconds=0,
        on_trouble=lambda subject, problem: found.append(problem),
    )
    right = await live.current()
    path.write_text("rules: [{name: a, series: [entty/A]}]\n# more\n")
    assert await live.current() == right
    assert "did you mean 'entity'?" in (found[-1] or "")
    path.unlink()
    assert await live.current() == right
    path.write_text("rules: [{name: b, series: [entity/B]}]\n# and more\n")
    assert [rule.name for rule in (await live.current()).rules] == ["b"]
    assert found[-1] is None


async def test_the_file_is_looked_at_by_time_where_no_run_comes(tmp_path: Path) -> None:
    """For a stage that waits for its first mention, in a namespace of either kind."""
    path = tmp_path / "rules.yaml"
    path.write_text("rules: []\n")
    for kind in Kind:
        settings = Settings(
            data_dir=tmp_path / kind, rules=path, control_seconds=0.1, http_port=0, terminal=False, watchlists=None
        )
        operations = Operations(settings, ())
        pipeline = Pipeline(
            settings, ("watch",), channels=(), archive=MemoryArchive(), operations=operations, kind=kind
        )
        async with asyncio.timeout(30), operations, pipeline, running(pipeline):
            assert operations.troubles.active == []
            path.write_text("rules: [{name: a, series: [entty/A]}]\n")
            while not (found := operations.troubles.active):  # noqa: ASYNC110  # a trouble tells no one
                await asyncio.sleep(0.02)
            assert [one.reason for one in found] == ["rules"]
            assert "did you mean 'entity'?" in found[0].detail
            path.write_text("rules: []\n# right again\n")
            while operations.troubles.active:  # noqa: ASYNC110  # a trouble tells no one
                await asyncio.sleep(0.02)


async def test_a_rule_that_fires_too_often_is_reported_until_it_is_quiet() -> None:
    said: dict[str, str | None] = {}
    often = OftenFired(said.__setitem__)
    config = with_rules(PROFILE, document({**STORIES, "often_per_day": 2}))
    event = next(event for event in (await played()).events if event.rule == "stories")
    for number in range(3):
        now_ms = START_MS + number * HOUR_MS
        often.note([msgspec.structs.replace(event, updated_ms=now_ms)], config, now_ms)
    assert "rule 'stories' opened 3 alerts within a day" in (said["stories"] or "")
    often.note([], config, START_MS + 26 * HOUR_MS)
    assert said["stories"] is None
