"""`deliver`: every channel at its own pace, whatever the others and the archive do."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
import pytest

from alerts import AlertEvent
from alerts.delivery import Delivered, Delivery, GiveUp, Notification, Rate, RetryLater
from alerts.records import EARLIEST_MS, LATEST_MS
from streams.engine.runs import Record, Run
from streams.errors import LeaseLost, Reject, Retry
from streams.stages.deliver import DeliverStage
from streams.stages.deliver_desk import KEPT_EVENTS
from streams.stages.deliver_journal import JOURNAL_KEY
from streams.stages.deliver_judging import Resend
from streams.stages.deliver_rows import EVENT_PREFIX, PLAN_PREFIX
from streams.topics import RESEND_HEADER
from tests.alerts.delivery_event import NOW_MS, delivery_event
from tests.engine.positions_harness import FakeState, Fuse
from tests.stages.deliver_harness import HOUR_MS, FakeReceiver, PassingJudge, SlowReceiver, Wall, World, down


def later(event: AlertEvent, minutes: int, change: str = "opened") -> AlertEvent:
    return msgspec.structs.replace(event, updated_ms=NOW_MS + minutes * 60_000, change=change)


def alerts(count: int, first: int = 0) -> list[AlertEvent]:
    return [later(delivery_event(f"a{number}"), number) for number in range(first, first + count)]


def asked(receiver: str, notification: str, request: str, body: bytes | None = None, offset: int = 500) -> Run:
    header = msgspec.json.encode(Resend(request=request, receiver=receiver, notification=notification, by="me"))
    return Run("alerts", 0, 1, "e1", [Record(offset, None, body, 0, ((RESEND_HEADER, header),))], offset + 1)


async def test_a_dead_channel_delays_no_other_and_loses_nothing_for_days() -> None:
    dead, works = FakeReceiver("webhook", answer=down), FakeReceiver("file")
    world = World([dead, works])
    for hour in range(70):
        await world.plan(*alerts(2, 2 * hour), first=2 * hour)
        for _ in range(60):
            await world.send()
            world.wall.now_ms += 60_000
        if hour % 10 == 0:
            world.stage = None  # and it survives restarts
    assert len(works.taken) == 140
    assert len(dead.attempts) <= 70 + 14, "one notification probes a receiver that is down"
    assert {name for name, _, _ in dead.attempts} == {"a0.1"}
    dead.answer = lambda notification, now_ms: Delivered()
    world.wall.now_ms += HOUR_MS * 3 // 2
    await world.send(rounds=1_000)
    assert dead.taken == works.taken


async def test_after_its_deadline_a_notification_has_failed_and_says_why() -> None:
    dead = FakeReceiver("webhook", answer=down)
    world = World([dead], deadline_ms=10 * HOUR_MS)
    await world.plan(*alerts(5))
    for _ in range(13):
        await world.send()
        world.wall.now_ms += HOUR_MS
    assert world.statuses("webhook") == {"failed": 5}
    await world.copy()
    (problem,) = {one.problem for one in await world.archive.notifications(state="failed")}
    assert problem == "not delivered within 10 h: no connection"


async def test_what_waited_past_its_deadline_while_no_worker_ran_is_tried_once_more() -> None:
    receiver = FakeReceiver("webhook", answer=down)
    world = World([receiver], deadline_ms=10 * HOUR_MS)
    await world.plan(*alerts(3))
    await world.send()
    world.stage, world.wall.now_ms = None, NOW_MS + 100 * HOUR_MS
    receiver.answer = lambda notification, now_ms: Delivered()
    await world.send()
    assert receiver.taken == ["a0.1", "a1.1", "a2.1"]


async def test_a_refused_notification_holds_back_its_own_alert_alone() -> None:
    def fussy(notification: Notification, now_ms: int) -> Delivery:
        refused = notification.id == "a0.1" and now_ms < NOW_MS + HOUR_MS
        return RetryLater(5, "answered 413", down=False) if refused else Delivered()

    receiver = FakeReceiver("webhook", answer=fussy)
    world = World([receiver])
    opened, escalated = alerts(1)[0], later(delivery_event("a0", 2), 1, "escalated")
    await world.plan(opened, escalated, *alerts(2, 1))
    await world.send()
    assert receiver.taken == ["a1.1", "a2.1"]
    world.wall.now_ms += 2 * HOUR_MS
    await world.send()
    assert receiver.taken == ["a1.1", "a2.1", "a0.1", "a0.2"]


async def test_a_receiver_is_sent_so_many_in_so_long_also_across_a_restart_and_delays_no_other() -> None:
    slow, other = FakeReceiver("slow"), FakeReceiver("other")
    world = World([slow, other], rates={"slow": Rate(2, HOUR_MS)})
    await world.plan(*alerts(5))
    await world.send()
    assert (len(slow.taken), len(other.taken)) == (2, 5)
    assert not world.worker().senders.busy("slow")
    world.wall.now_ms += HOUR_MS - 1
    world.stage = None
    await world.send()
    assert len(slow.taken) == 2
    wait = await world.worker().senders.turn("slow")
    assert wait == 0.001
    world.wall.now_ms += 1
    await world.send()
    assert slow.taken == ["a0.1", "a1.1", "a2.1", "a3.1"]
    world.wall.now_ms += HOUR_MS
    await world.send()
    assert slow.taken == other.taken


async def test_a_receiver_that_says_no_for_good_is_asked_once() -> None:
    receiver = FakeReceiver("webhook", answer=lambda notification, now_ms: GiveUp("410: the receiver wants no more"))
    world = World([receiver])
    await world.plan(*alerts(2))
    await world.send()
    assert [attempt for _, attempt, _ in receiver.attempts] == [1, 1]
    assert world.statuses("webhook") == {"failed": 2}


async def test_a_channel_that_raises_costs_a_notification_and_not_the_stage() -> None:
    def broken(notification: Notification, now_ms: int) -> Delivery:
        if notification.id == "a0.1":
            raise UnicodeEncodeError("ascii", "é", 0, 1, "no")
        return Delivered()

    receiver = FakeReceiver("webhook", answer=broken)
    world = World([receiver], deadline_ms=HOUR_MS)
    await world.plan(*alerts(2))
    for _ in range(100):
        await world.send()
        world.wall.now_ms += 60_000
    assert receiver.taken == ["a1.1"]
    assert world.statuses("webhook") == {"sent": 1, "failed": 1}


async def test_alerts_go_out_while_the_archive_is_away_and_its_copy_is_complete_in_the_end() -> None:
    receiver = FakeReceiver("file")
    world = World([receiver])
    world.archive.away = True
    for number in range(30):
        await world.plan(*alerts(10, 10 * number), first=10 * number)
        await world.send()
        await world.copy()
        if number % 7 == 0:
            world.stage = None
    assert len(receiver.taken) == 300
    assert await world.copied("file") == {}
    world.archive.away = False
    await world.copy()
    assert await world.copied("file") == {"sent": 300}


async def test_a_restart_copies_only_what_the_archive_lacks() -> None:
    world = World([FakeReceiver("file")])
    await world.plan(*alerts(10))
    await world.send()
    await world.copy()
    world.stage = None
    await world.plan(*alerts(1, 10), first=10)
    assert len(world.worker().book.desks[0].dirty) == 1


async def test_a_worker_that_may_have_lost_its_partitions_sends_nothing() -> None:
    receiver, state = FakeReceiver("webhook"), FakeState(Fuse())
    owned = False

    async def check_lease() -> None:
        if not owned:
            raise LeaseLost("another worker has it")

    world = World([receiver])
    world.stage = DeliverStage(
        world.archive, [receiver], state, partial(PassingJudge, ["webhook"]), check_lease=check_lease, clock=world.wall
    )
    await world.plan(*alerts(2))
    await world.send()
    assert receiver.attempts == []
    owned = True
    await world.send()
    assert len(receiver.taken) == 2
    world.stage.forget(0)
    assert world.stage.receivers()[0].waiting == 0


async def test_what_a_removed_receiver_waited_for_is_dropped_and_a_new_one_gets_new_alerts_only() -> None:
    old, file = FakeReceiver("webhook old", answer=down), FakeReceiver("file")
    world = World([old, file])
    await world.plan(*alerts(3))
    await world.send()
    new = FakeReceiver("webhook new")
    world.stage, world.receivers = None, [new, file]
    await world.plan(*alerts(1, 3), first=3)
    await world.send()
    await world.copy()
    assert new.taken == ["a3.1"]
    assert await world.copied("webhook old") == {"dropped": 3}
    assert {one.problem for one in await world.archive.notifications(channel="webhook old")} == {
        "the receiver is no longer in the settings"
    }


async def test_what_waits_goes_to_a_corrected_address_at_once_and_what_was_sent_stays_sent() -> None:
    wrong, file = FakeReceiver("webhook", endpoint="wrong"), FakeReceiver("file")
    world = World([wrong, file])
    await world.plan(*alerts(1))
    await world.send()
    wrong.dies()
    await world.plan(*alerts(2, 1), first=1)
    for _ in range(10):
        world.wall.now_ms += HOUR_MS
        await world.send()
    assert world.worker().receivers()[0].problem == "no connection"
    world.stage = None
    await world.send()
    tried = len(wrong.attempts)
    world.stage = None
    await world.send()
    assert len(wrong.attempts) == tried, "a restart at the same address ends no back-off"

    right = FakeReceiver("webhook", endpoint="right")
    world.stage, world.receivers = None, [right, file]
    await world.send()
    assert [(name, attempt) for name, attempt, _ in right.attempts] == [("a1.1", 1), ("a2.1", 1)]
    world.stage = None
    await world.send()
    await world.copy()
    assert (wrong.taken, right.taken) == (["a0.1"], ["a1.1", "a2.1"])
    assert file.taken == ["a0.1", "a1.1", "a2.1"]
    assert await world.copied("webhook") == {"sent": 3}


async def test_the_log_counts_the_notifications_that_go_to_another_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "streams.stages.deliver_book")
    world = World([FakeReceiver("webhook", answer=down, endpoint="wrong")])
    await world.plan(*alerts(3))
    await world.send()  # one probes, two wait behind it and were never attempted
    world.stage, world.receivers = None, [FakeReceiver("webhook", answer=down, endpoint="right")]
    await world.send()
    lines: list[Any] = [record.msg for record in caplog.records]
    counted = [line["notifications"] for line in lines if "redirected" in line["event"]]
    assert counted == [1]


async def test_a_back_off_begins_anew_at_a_corrected_address_and_the_deadline_does_not() -> None:
    world = World([FakeReceiver("webhook", answer=down, endpoint="wrong")], deadline_ms=10 * HOUR_MS)
    await world.plan(*alerts(1))
    for _ in range(5):
        await world.send()
        world.wall.now_ms += HOUR_MS
    right = FakeReceiver("webhook", answer=down, endpoint="right")
    world.stage, world.receivers = None, [right]
    for _ in range(3):
        await world.send()
        world.wall.now_ms += 60_000
    assert [attempt for _, attempt, _ in right.attempts] == [1, 2, 3]
    for _ in range(6):
        world.wall.now_ms += HOUR_MS
        await world.send()
    assert world.statuses("webhook") == {"failed": 1}


async def test_what_failed_at_a_wrong_address_is_sent_again_to_the_corrected_one_when_somebody_asks() -> None:
    gone = FakeReceiver("webhook", answer=lambda *_: GiveUp("410: the receiver wants no more"), endpoint="wrong")
    world = World([gone])
    await world.plan(*alerts(2))
    await world.send()
    right = FakeReceiver("webhook", endpoint="right")
    world.stage, world.receivers = None, [right]
    await world.send()
    assert right.taken == []
    await world.worker().handle(asked("webhook", "a0.1", "r1"))
    await world.send()
    assert right.taken == ["a0.1"]
    assert world.statuses("webhook") == {"sent": 1, "failed": 1}


def test_channels_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="names of their own: webhook, webhook"):
        World([FakeReceiver("webhook"), FakeReceiver("webhook")]).worker()


async def test_a_worker_that_takes_over_writes_what_waits_again_so_that_late_rows_are_stale() -> None:
    world = World([FakeReceiver("webhook", answer=down), FakeReceiver("file")])
    await world.plan(*alerts(3))
    await world.send()
    before = dict(world.state.rows)
    world.stage, world.wall.now_ms = None, NOW_MS + HOUR_MS
    await world.worker().idle(0, world.wall())
    changed = {key for (_, key), row in world.state.rows.items() if before[0, key] != row}
    assert changed == {*(f"{PLAN_PREFIX}a{number}.1/webhook" for number in range(3)), JOURNAL_KEY}


async def test_a_notification_is_sent_again_when_somebody_asks_and_once_for_each_request() -> None:
    receiver = FakeReceiver("webhook")
    world = World([receiver])
    await world.plan(*alerts(2))
    await world.send()
    for offset in (500, 500, 501):  # the same record is done again after a crash
        await world.worker().handle(asked("webhook", "a1.1", f"request {offset}", offset=offset))
        await world.send()
        world.stage = None if offset == 500 else world.stage
    assert receiver.taken == ["a0.1", "a1.1", "a1.1", "a1.1"]
    plan = world.worker().book.desks[0].deliveries.get("webhook", "a1.1")
    assert plan is not None
    assert (plan.request, plan.status.value) == ("request 501", "sent")


async def test_one_that_failed_is_sent_at_once_when_asked_for_and_what_is_unknown_changes_nothing() -> None:
    receiver = FakeReceiver("webhook", answer=down)
    world = World([receiver], deadline_ms=10 * HOUR_MS)
    await world.plan(*alerts(2))
    for _ in range(13):
        await world.send()
        world.wall.now_ms += HOUR_MS
    receiver.answer = lambda notification, now_ms: Delivered()
    await world.worker().handle(asked("webhook", "zz.1", "r1"))
    await world.worker().handle(asked("webhook gone", "a0.1", "r2", offset=501))
    await world.worker().handle(asked("webhook", "a1.1", "r3", offset=502))
    await world.send()
    assert receiver.taken == ["a1.1"]
    assert world.statuses("webhook") == {"failed": 1, "sent": 1}


async def test_a_request_makes_one_attempt_at_once_whatever_the_back_off_of_the_receiver() -> None:
    receiver = FakeReceiver("webhook", answer=lambda notification, now_ms: RetryLater(3_600, "answered 500"))
    world = World([receiver])
    await world.plan(*alerts(10))
    await world.send()
    assert [name for name, _, _ in receiver.attempts] == ["a0.1"]
    world.wall.now_ms += 60_000
    await world.worker().handle(asked("webhook", "a5.1", "r1"))
    await world.send()
    assert [name for name, _, _ in receiver.attempts] == ["a0.1"] * 2, "one attempt for a request"
    receiver.answer = lambda notification, now_ms: Delivered()
    await world.send()
    assert len(receiver.attempts) == 2, "and the back-off goes on"
    await world.worker().handle(asked("webhook", "a5.1", "r1"))  # the same record is done again after a crash
    await world.send()
    assert len(receiver.attempts) == 2
    await world.worker().handle(asked("webhook", "a5.1", "r2", offset=501))
    await world.send()
    assert receiver.taken == [f"a{number}.1" for number in range(10)]


async def test_a_request_during_an_attempt_that_fails_makes_another_at_once() -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    class Recovering(FakeReceiver):
        async def notify(self, notification: Notification, now_ms: int) -> Delivery:
            if not begun.is_set():
                begun.set()
                await goes_on.wait()
                return RetryLater(3_600, "answered 500")
            return await super().notify(notification, now_ms)

    receiver = Recovering("webhook")
    world = World([receiver])
    await world.plan(*alerts(2))
    sending = asyncio.ensure_future(world.send())
    await begun.wait()
    await world.worker().handle(asked("webhook", "a1.1", "r1"))
    goes_on.set()
    await sending
    assert receiver.taken == ["a0.1", "a1.1"]


async def test_a_request_for_the_notification_in_flight_is_answered_by_that_attempt() -> None:
    receiver = SlowReceiver("webhook")
    begun, goes_on = receiver.begun, receiver.goes_on
    world = World([receiver])
    await world.plan(*alerts(1))
    sending = asyncio.ensure_future(world.send())
    await begun.wait()
    await world.worker().handle(asked("webhook", "a0.1", "r1"))
    goes_on.set()
    await sending
    plan = world.worker().book.desks[0].deliveries.get("webhook", "a0.1")
    assert plan is not None
    assert (plan.status.value, plan.request, receiver.taken) == ("sent", "r1", ["a0.1"])


async def test_one_that_is_known_no_longer_is_sent_from_the_event_in_the_request() -> None:
    receiver = FakeReceiver("webhook")
    world = World([receiver])
    await world.worker().handle(asked("webhook", "a9.1", "r1", alerts(1, 9)[0].to_json()))
    await world.send()
    assert receiver.taken == ["a9.1"]


async def test_settled_notifications_are_forgotten_and_those_still_known_never_planned_again() -> None:
    receiver = FakeReceiver("file")
    world = World([receiver])
    count = KEPT_EVENTS + 300
    for first in range(0, count, 100):
        await world.plan(*alerts(100, first), first=first)
        await world.send(rounds=1_000)
        await world.copy()
        world.wall.now_ms += 61_000
    for _ in range(2):  # first the events, then the notifications
        world.wall.now_ms += 48 * HOUR_MS
        await world.copy()
    keys = [key for _, key in world.state.rows]
    assert sum(key.startswith(EVENT_PREFIX) for key in keys) == 0
    assert sum(key.startswith(PLAN_PREFIX) for key in keys) == KEPT_EVENTS
    world.stage = None
    await world.plan(*alerts(KEPT_EVENTS, 300), first=10_000)  # `watch` sends them again
    await world.send(rounds=10_000)
    assert len(receiver.taken) == count


async def settle_and_prune(world: World) -> None:
    """Everything is sent and copied, then the events and the notifications that need not be kept are deleted."""
    await world.send(rounds=10_000)
    for _ in range(2):
        world.wall.now_ms += 48 * HOUR_MS
        await world.copy()


@pytest.mark.parametrize("claimed_ms", [LATEST_MS, NOW_MS + 24 * HOUR_MS, EARLIEST_MS])
async def test_a_time_that_a_record_claims_silences_no_later_alert(claimed_ms: int) -> None:
    receiver = FakeReceiver("file")
    world = World([receiver])
    far = msgspec.structs.replace(delivery_event("far"), updated_ms=claimed_ms)
    await world.plan(far, *alerts(KEPT_EVENTS + 100))
    await settle_and_prune(world)
    assert world.worker().book.desks[0].deliveries.get("file", "far.1") is None
    await world.plan(*[delivery_event(f"late{number}") for number in range(20)], first=10_000)
    await world.send()
    assert receiver.taken[-20:] == [f"late{number}.1" for number in range(20)]


@pytest.mark.parametrize("claimed_ms", [2**62, LATEST_MS + 1, EARLIEST_MS - 1, -(2**62)])
@pytest.mark.parametrize("field", ["updated_ms", "onset_ms"])
async def test_an_event_with_a_time_that_no_calendar_has_is_refused(field: str, claimed_ms: int) -> None:
    event = msgspec.structs.replace(delivery_event("far"), **{field: claimed_ms})
    with pytest.raises(Reject) as refused:
        await World([FakeReceiver("file")]).plan(event)
    assert refused.value.reason == "bad_alert"


@pytest.mark.parametrize("off_ms", [24 * HOUR_MS, -24 * HOUR_MS])
async def test_a_clock_that_was_wrong_by_a_day_silences_no_alert(off_ms: int) -> None:
    receiver = FakeReceiver("file")
    world = World([receiver], wall=Wall(NOW_MS + off_ms))
    await world.plan(*alerts(KEPT_EVENTS + 100))
    await settle_and_prune(world)
    world.stage, world.wall.now_ms = None, NOW_MS
    await world.plan(*[delivery_event(f"late{number}") for number in range(20)], first=10_000)
    await world.send()
    assert receiver.taken[-20:] == [f"late{number}.1" for number in range(20)]


async def test_an_old_alert_that_was_parked_and_is_retried_is_sent() -> None:
    receiver = FakeReceiver("file")
    world = World([receiver])
    await world.plan(*alerts(KEPT_EVENTS + 100))
    await settle_and_prune(world)
    await world.plan(msgspec.structs.replace(delivery_event("parked"), updated_ms=NOW_MS - HOUR_MS), first=10_000)
    await world.send()
    assert receiver.taken[-1] == "parked.1"


async def test_a_topic_made_again_starts_from_offset_0_and_its_alerts_are_new() -> None:
    receiver = FakeReceiver("file")
    world = World([receiver])
    await world.plan(*alerts(3), first=100)
    await world.plan(*alerts(3, 3), epoch="e2")
    await world.plan(*alerts(3, 3), epoch="e2")
    await world.send()
    assert receiver.taken == [f"a{number}.1" for number in range(6)]


async def test_attempts_in_flight_finish_at_a_stop_and_their_result_is_written() -> None:
    receiver = SlowReceiver("webhook")
    begun, goes_on = receiver.begun, receiver.goes_on
    world = World([receiver])
    async with world.worker() as stage:
        await world.plan(*alerts(2))
        await begun.wait()
        finishing = asyncio.ensure_future(stage.finish(60))
        await asyncio.sleep(0)
        goes_on.set()
        await finishing
        assert receiver.taken == ["a0.1"]
        assert world.statuses("webhook") == {"sent": 1, "waiting": 1}
    world.stage = None
    await world.send()
    assert receiver.taken == ["a0.1", "a1.1"]


async def test_an_attempt_that_hangs_at_a_stop_is_cut_off_within_the_bound() -> None:
    class Hanging(FakeReceiver):
        async def notify(self, notification: Notification, now_ms: int) -> Delivery:
            await asyncio.Event().wait()
            raise AssertionError

    world = World([Hanging("webhook"), FakeReceiver("file")])
    async with asyncio.timeout(30), world.worker() as stage:
        await world.plan(*alerts(2))
        while len(world.receivers[1].taken) < 2:  # noqa: ASYNC110  # the sender's own task tells nobody
            await asyncio.sleep(0.01)
        await stage.finish(0.05)
    assert world.statuses("webhook") == {"waiting": 2}


async def test_senders_go_on_by_themselves_after_a_restart_without_new_alerts() -> None:
    receiver = FakeReceiver("webhook", answer=down)
    world = World([receiver])
    await world.plan(*alerts(2))
    await world.send()
    world.stage, world.wall.now_ms = None, NOW_MS + HOUR_MS
    receiver.answer = lambda notification, now_ms: Delivered()
    async with asyncio.timeout(30), world.worker() as stage:
        await stage.idle(0, world.wall())
        while len(receiver.taken) < 2 or await world.copied("webhook") != {"sent": 2}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_result_that_cannot_be_written_is_written_later_and_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.stages.deliver_senders._WRITE_AGAIN_SECONDS", 0.0)
    receiver = FakeReceiver("webhook")
    world = World([receiver])
    await world.plan(*alerts(1))
    put, refusals = world.state.put, iter(range(3))

    async def refusing(partition: int, rows: dict[str, bytes | None]) -> None:
        if next(refusals, None) is not None:
            raise Retry("no broker", 1)
        await put(partition, rows)

    monkeypatch.setattr(world.state, "put", refusing)
    await world.send()
    assert receiver.taken == ["a0.1"]
    assert world.statuses("webhook") == {"sent": 1}


def test_states_say_what_waits_since_when_and_why() -> None:
    async def scene() -> None:
        world = World([FakeReceiver("webhook", answer=down), FakeReceiver("file")])
        await world.plan(*alerts(3))
        await world.send()
        world.wall.now_ms += HOUR_MS
        dead, works = world.worker().receivers()
        assert (dead.waiting, dead.oldest_ms, dead.failing_ms, dead.problem) == (3, NOW_MS, NOW_MS, "no connection")
        assert (works.waiting, works.oldest_ms, works.failing_ms) == (0, None, None)
        world.stage = None
        await world.worker().idle(0, world.wall())
        assert world.worker().receivers()[0].failing_ms == NOW_MS

    asyncio.run(scene())
