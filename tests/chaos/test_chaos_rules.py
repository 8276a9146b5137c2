"""The file of rules changes while workers run, and one of them is killed: every partition of mentions takes the change
at one stored place, keeps what it counted, and ends the alerts whose series no rule looks at any longer.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from alerts import AlertEvent
from alerts.rule_file import RulesDocument
from streams.alert_rules import alert_config
from streams.stages.watch_partition import WatchPartition
from streams.stages.watch_rules import RULES_KEY, RulesRow
from streams.text.profile import load_profile
from streams.transport.tables import Rows
from tests.chaos.conftest import MakeWorld
from tests.chaos.test_chaos_people import archived, without_items
from tests.chaos.workers import wait_until
from tests.chaos.world import PARTITIONS, World

BEFORE = {"rules": [{"name": "house", "series": ["entity/*"], "labels": {"team": "a"}}]}
AFTER = {"rules": [{"name": "house", "series": ["source/*"], "labels": {"team": "b"}}]}
CHANGED_AT = 0.9
"""Of the feed: the first of its bursts is over, and its alerts are open."""


def write(path: Path, document: object) -> None:
    """As an editor does: the file is there at any time, with the rules of before or of now."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.yaml.encode(document))
    fresh.replace(path)


def rules_row(world: World, partition: int) -> RulesRow | None:
    """Which rules the partition has, as its rows say."""
    rows = Rows()
    for record in world.broker.read(world.changelog(), partition):
        rows.take(record.key or b"", record.value, record.headers)
    found = [row for key, row in rows.values.items() if key.decode().partition("|")[2] == RULES_KEY]
    return RulesRow.restored(bytes(found[0])) if found else None


def judged_again(world: World) -> list[AlertEvent]:
    """What one reader of the mentions says that never dies, and takes the rules where the rows say."""
    profile, first = load_profile("finance"), msgspec.convert(BEFORE, RulesDocument)
    events: list[AlertEvent] = []
    for number in range(PARTITIONS):
        row = rules_row(world, number)
        assert row is not None
        assert row.document == msgspec.convert(AFTER, RulesDocument)
        watch = WatchPartition(alert_config(world.settings, profile, first), reports_hours=True)
        for record in world.broker.read(world.settings.topics.mentions, number):
            events += watch.apply(record)
            if record.offset == row.own_offset:
                watch.adopt(alert_config(world.settings, profile, row.document, row.retired))
    return events


def test_rules_change_under_workers_that_die(
    make_world: MakeWorld, kafka_url: str, elastic_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "rules.yaml"
    write(path, BEFORE)
    world = make_world(kafka_url, elastic_url, RULES=str(path))
    feed = world.feed()
    before, after = feed.cut(CHANGED_AT)
    world.publish(before)
    killed = world.start("killed", CONTROL_SECONDS="0.2")
    world.catch_up()
    assert [event for event in archived(world) if event.rule == "house"], "nothing would end"
    write(path, AFTER)
    with world.publishing([*after, *feed.end], within_seconds=20):
        wait_until(
            lambda: any(row_is_new(world, number) for number in range(PARTITIONS)), "a partition takes the rules"
        )
        killed.kill()
        world.start("next", CONTROL_SECONDS="0.2")
    world.drain()
    events = archived(world)
    assert sorted(map(without_items, events), key=repr) == sorted(map(without_items, judged_again(world)), key=repr)
    _check_ends(events)


def row_is_new(world: World, partition: int) -> bool:
    row = rules_row(world, partition)
    return row is not None and row.document == msgspec.convert(AFTER, RulesDocument)


def _check_ends(events: list[AlertEvent]) -> None:
    """Alerts of the rule on companies have ended with its words; those of the profile on them go on."""
    last = {event.id: event for event in events}
    house = [event for event in last.values() if event.rule == "house" and event.kind == "entity"]
    assert house
    assert {event.state for event in house} == {"resolved"}
    assert any("rule" in reason for event in house for reason in event.reasons)
    assert any(
        event.rule == "volume" and event.kind == "entity" and event.state != "resolved" for event in last.values()
    )
