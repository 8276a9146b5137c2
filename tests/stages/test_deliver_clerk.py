"""What a worker of `deliver` writes into `alerts`: decisions once and in order, and a clock when no tick comes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from alerts.judge import Judge, Outcome, Policy
from alerts.judge.decisions import Note, Unwatch, Watch
from streams.alert_log import (
    Clock,
    Forwarded,
    Seal,
    clock_of,
    clock_send,
    decision_send,
    forwarded_of,
    forwarded_send,
    seal_send,
)
from streams.engine.runs import Record, Run
from streams.errors import Retry, TransportError
from streams.serving.control import Watched
from streams.stages.deliver import DeliverStage
from streams.stages.deliver_clerk import Clerk, Timekeeper
from streams.stages.deliver_rows import DECISION_PREFIX, decoded_decision
from streams.wall_clock import MINUTE_MS
from tests.alerts.delivery_event import NOW_MS
from tests.engine.positions_harness import Crash, FakeOutbox, Fuse
from tests.stages.deliver_harness import EPOCH, HOUR_MS, FakeReceiver, World
from tests.stages.judge_harness import ChainedJudge, Changelog, stage_of

SCHEDULES = 60


class Control:
    """The topic `control`: decisions among records of other kinds, some of them garbage."""

    def __init__(self) -> None:
        self.epoch = "c1"
        self.records: list[Record] = []

    def decide(self, name: str) -> None:
        send = decision_send("control", Note(id=name, by="ann", at_ms=NOW_MS, target="a", text="x"))
        self._append(send.key, send.value)

    def other(self) -> None:
        self._append(b"model/en", b"{}")
        self._append(b"decision/garbage", b"{")
        self._append(b"decision/gone", None)

    def _append(self, key: bytes | None, value: bytes | None) -> None:
        self.records.append(Record(len(self.records), key, value, 0))

    async def read(self, after: int) -> tuple[str, Sequence[Record]]:
        return self.epoch, [record for record in self.records if record.offset > after]


def answered(rows: dict[str, bytes]) -> list[str]:
    """The decisions that were judged, in order."""
    found = [decoded_decision(row) for key, row in rows.items() if key.startswith(DECISION_PREFIX)]
    return [row.answer.decision for row in sorted(found, key=lambda row: row.place)]


@pytest.mark.parametrize("seed", range(SCHEDULES))
async def test_decisions_are_judged_once_and_in_order_whoever_forwards_them(seed: int) -> None:
    """Workers die and are refused between any two effects, and one that was replaced goes on forwarding."""
    rng = random.Random(seed)
    control, fuse, log = Control(), Fuse(), Changelog()
    outbox = FakeOutbox(fuse)
    committed, names, old = 0, list[str](), list[Clerk]()
    stage = stage_of(log.worker(fuse), ChainedJudge)
    clerk = Clerk(stage.book, outbox, "alerts", "control", control.read)
    for turn in range(40):
        if turn < 25 and rng.random() < 0.6:
            control.other()
            control.decide(f"d{turn}")
            names += ["garbage", f"d{turn}"]
        fuse.left = None
        if turn < 35 and rng.random() < 0.5:
            fuse.set(rng, 8)
        try:
            await stage.idle(0, NOW_MS)
            for one in (*old, clerk):
                await one.turn()
            alerts = [send for send in outbox.sent if send.topic == "alerts"]
            sent = [Record(offset, s.key, s.value, 0, s.headers) for offset, s in enumerate(alerts)]
            if sent[committed:]:
                await stage.handle(Run("alerts", 0, 1, EPOCH, sent[committed:], len(sent)))
                committed = len(sent)
        except Crash:
            fuse.left = None
            old = [clerk] if rng.random() < 0.3 else []
            stage = stage_of(log.worker(fuse), ChainedJudge)
            clerk = Clerk(stage.book, outbox, "alerts", "control", control.read)
        except (Retry, TransportError):
            continue
    assert names
    rows = {key: row for key, (_, row) in log.rows.items() if row is not None}
    assert answered(rows) == names


GARBAGE: list[tuple[bytes, bytes, dict[str, Any]]] = [
    (b"decision/x", b"{", {"id": "x", "by": "unknown", "at_ms": NOW_MS}),
    (b"decision/x", b"\xff", {"id": "x", "by": "unknown"}),
    (b"decision/x", b'{"kind":"dance","id":"x","by":"ann","at_ms":5}', {"by": "ann", "at_ms": 5, "wanted": "dance"}),
    (
        b"decision/x",
        msgspec.json.encode(Note(id="x", by="ann", at_ms=5, target="a", text="x" * 3_000)),
        {
            "by": "ann",
            "target": "a",
            "wanted": "note",
            "problem": "it cannot be read: text: is too long",
        },
    ),
    (
        b"decision/x",
        msgspec.json.encode(Watch(id="x", by="ann", at_ms=5, name="w", body={"names": ["x" * 600_000]})),
        {"target": "w", "problem": "it cannot be read: the decision has 600,"},
    ),
]


@pytest.mark.parametrize(("key", "value", "wanted"), GARBAGE)
async def test_a_decision_that_cannot_be_read_is_answered_and_in_the_trail(
    key: bytes, value: bytes, wanted: dict[str, Any]
) -> None:
    control, outbox, log = Control(), FakeOutbox(Fuse()), Changelog()
    stage = stage_of(log.worker(Fuse()), partial(Judge, Policy.default(["file"])), clock=lambda: NOW_MS)
    clerk = Clerk(stage.book, outbox, "alerts", "control", control.read)
    await stage.idle(0, NOW_MS)
    control.records = [Record(0, key, value, NOW_MS), Record(1, b"decision/" + b"y" * 200, b"{", NOW_MS)]
    await clerk.turn()
    sent = [Record(offset, one.key, one.value, NOW_MS, one.headers) for offset, one in enumerate(outbox.sent)]
    await stage.handle(Run("alerts", 0, 1, EPOCH, sent, len(sent)))
    [row] = [decoded_decision(one) for name, (_, one) in log.rows.items() if one and name.startswith(DECISION_PREFIX)]
    assert (row.answer.decision, row.answer.outcome) == ("x", Outcome.WRONG)
    await stage.copier.turn()
    [kept] = await stage.copier._archive.decisions()
    assert (kept.id, kept.kind, kept.outcome, kept.detail) == ("x", "unreadable", "wrong", row.answer.detail)
    body = msgspec.json.decode(kept.body)
    for name, value in wanted.items():
        assert str(body[name]).startswith(str(value))


async def test_a_topic_that_was_made_again_is_forwarded_from_its_start() -> None:
    control, outbox, world = Control(), FakeOutbox(Fuse()), World([FakeReceiver("file")])
    clerk = Clerk(world.worker().book, outbox, "alerts", "control", control.read)
    await clerk.turn()
    assert outbox.sent == [], "nothing is forwarded before the partition is here"
    await world.worker().idle(0, NOW_MS)
    control.decide("a")
    await clerk.turn()
    control.epoch, control.records = "c2", []
    control.decide("b")
    await clerk.turn()
    await clerk.turn()
    found = [forwarded_of(send.headers) for send in outbox.sent]
    assert [(one.epoch, one.offset, msgspec.json.decode(one.decision)["id"]) for one in found if one] == [
        ("c1", 0, "a"),
        ("c2", 0, "b"),
    ]


def test_a_partition_that_keeps_others_waiting_is_left_behind_after_a_while() -> None:
    keeper = Timekeeper(60_000)
    asked = [keeper.clock(NOW_MS + seconds * 1000, 5, (1,), None) for seconds in range(0, 130, 10)]
    assert [number for number, clock in enumerate(asked) if clock] == [6, 12]
    assert asked[6] == Clock(at_ms=0, without=(1,))
    assert keeper.clock(NOW_MS + HOUR_MS, 5, (2,), None) is None, "another one has its own time"
    assert keeper.clock(NOW_MS + 2 * HOUR_MS, 5, (), None) is None


def test_time_goes_on_for_what_is_due_when_no_tick_comes() -> None:
    keeper = Timekeeper(60_000)
    tick_ms, due_ms = NOW_MS - HOUR_MS, NOW_MS - HOUR_MS + 90_000
    asked = [keeper.clock(NOW_MS + seconds * 1000, tick_ms, (), due_ms) for seconds in range(0, 100, 10)]
    assert [clock for clock in asked if clock] == [Clock(at_ms=due_ms)], "by the wall clock's pace, not by its time"
    assert keeper.clock(NOW_MS + 95_000, due_ms, (), None) is None
    ticking = [keeper.clock(NOW_MS + s * 1000, due_ms + s * 1000, (), due_ms - 1) for s in range(100, 300, 30)]
    assert not any(ticking), "ticks that come are enough"


async def test_the_clock_is_written_for_the_judge() -> None:
    class Overdue(ChainedJudge):
        now_ms = NOW_MS
        next_timer_ms = NOW_MS + 1

    control, outbox, wall_ms = Control(), FakeOutbox(Fuse()), [NOW_MS]
    stage = stage_of(Changelog().worker(Fuse()), Overdue, clock=lambda: wall_ms[0])
    clerk = Clerk(stage.book, outbox, "alerts", "control", control.read, timekeeper=Timekeeper(1_000))
    await stage.idle(0, NOW_MS)
    await clerk.turn()
    wall_ms[0] += 2_000
    await clerk.turn()
    assert [clock_of(send.headers) for send in outbox.sent] == [Clock(at_ms=NOW_MS + 2_000)]


def clerk_of(stage: DeliverStage, heard: list[tuple[int, bool]]) -> Clerk:
    """One that notes down what it hears of partitions."""
    return Clerk(
        stage.book,
        FakeOutbox(Fuse()),
        "alerts",
        "control",
        Control().read,
        on_away=lambda partition, away: heard.append((partition, away)),
    )


async def test_a_partition_that_is_away_is_a_trouble_until_it_is_back_also_after_a_restart() -> None:
    heard: list[tuple[int, bool]] = []
    log, make = Changelog(), partial(Judge, Policy.default(["file"]))
    sends = [
        *(seal_send("alerts", Seal(partition=number, partitions=2, tick_ms=NOW_MS)) for number in range(2)),
        clock_send("alerts", Clock(at_ms=0, without=(1,))),
        seal_send("alerts", Seal(partition=1, partitions=2, tick_ms=NOW_MS + MINUTE_MS)),
    ]
    records = [Record(at, send.key, None, 5, send.headers) for at, send in enumerate(sends)]
    for first, last, said in ((0, 3, [(1, True)]), (3, 3, [(1, True)]), (3, 4, [(1, True), (1, False)])):
        heard.clear()
        stage = stage_of(log.worker(Fuse()), make)
        clerk = clerk_of(stage, heard)
        await stage.idle(0, NOW_MS)
        await clerk.turn()
        if last > first:
            await stage.handle(Run("alerts", 0, 1, EPOCH, records[first:last], 4))
        await clerk.turn()
        assert heard == said


async def test_who_gives_the_log_up_speaks_of_no_partition() -> None:
    heard: list[tuple[int, bool]] = []
    log = Changelog()
    stage = stage_of(log.worker(Fuse()), partial(Judge, Policy.default(["file"])))
    clerk = clerk_of(stage, heard)
    sends = [
        seal_send("alerts", Seal(partition=0, partitions=2, tick_ms=NOW_MS)),
        clock_send("alerts", Clock(at_ms=0, without=(1,))),
    ]
    records = [Record(at, send.key, None, 5, send.headers) for at, send in enumerate(sends)]
    await stage.handle(Run("alerts", 0, 1, EPOCH, records, 2))
    await clerk.turn()
    stage.forget(0)
    await clerk.turn()
    assert heard == [(1, True), (1, False)]


async def test_an_accepted_watchlist_is_told_to_those_who_count_and_again_after_a_death() -> None:
    def decisions() -> list[Record]:
        asked: list[Watch | Unwatch] = [
            Watch(id="1", by="ann", at_ms=NOW_MS, name="banks", body={"name": "banks", "names": ["ACME"]}),
            Unwatch(id="2", by="bob", at_ms=NOW_MS, name="banks"),
        ]
        sends = [
            forwarded_send("alerts", Forwarded(epoch="c1", offset=at, decision=msgspec.Raw(msgspec.json.encode(one))))
            for at, one in enumerate(asked)
        ]
        return [Record(at, send.key, None, 5, send.headers) for at, send in enumerate(sends)]

    control, log, told = Control(), Changelog(), list[list[Watched | None]]()
    make = partial(Judge, Policy.default(["file"]))
    for first, last in ((0, 1), (1, 2), (2, 2)):
        outbox, stage = FakeOutbox(Fuse()), stage_of(log.worker(Fuse()), make)
        clerk = Clerk(stage.book, outbox, "alerts", "control", control.read)
        await stage.idle(0, NOW_MS)
        records = decisions()[first:last]
        if records:
            await stage.handle(Run("alerts", 0, 1, EPOCH, records, 2))
        await clerk.turn()
        await clerk.turn()
        told.append([msgspec.json.decode(send.value or b"", type=Watched) for send in outbox.sent])
    assert [[(one.name, one.body is None, one.change) for one in turn if one] for turn in told] == [
        [("banks", False, 1)],
        [("banks", True, 2)],
        [("banks", True, 2)],
    ]


async def test_an_answer_stays_for_who_asked_after_the_archive_has_it() -> None:
    log, wall_ms = Changelog(), [NOW_MS]
    stage = stage_of(log.worker(Fuse()), ChainedJudge, clock=lambda: wall_ms[0])
    send = decision_send("control", Note(id="d", by="ann", at_ms=NOW_MS, target="a", text="x"))
    forwarded = forwarded_send("alerts", Forwarded(epoch="c1", offset=0, decision=msgspec.Raw(send.value or b"")))
    await stage.handle(Run("alerts", 0, 1, EPOCH, [Record(0, forwarded.key, None, NOW_MS, forwarded.headers)], 1))
    assert stage.copier.behind
    for wait_ms, left in ((0, ["d"]), (9 * MINUTE_MS, ["d"]), (2 * MINUTE_MS, [])):
        wall_ms[0] += wait_ms
        while await stage.copier.turn() == 0:
            pass
        assert answered({key: row for key, (_, row) in log.rows.items() if row is not None}) == left
    assert [(one.id, one.by, one.target) for one in await stage.copier._archive.decisions()] == [("d", "ann", "a")]
    assert not stage.copier.behind
