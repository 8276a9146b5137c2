"""What was judged leaves the topic `control`, and removed watchlists once another one was changed."""

from __future__ import annotations

from functools import partial

from alerts.judge import Judge, Policy
from alerts.judge.decisions import Note
from streams.alert_log import decision_send
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.serving.control import Watched, read_control, watched_send
from streams.stages.deliver_clerk import Clerk
from streams.stages.deliver_sweep import Sweep
from tests.alerts.delivery_event import NOW_MS
from tests.engine.positions_harness import FakeOutbox, Fuse
from tests.stages.deliver_harness import EPOCH
from tests.stages.judge_harness import Changelog, stage_of


def decided(name: str) -> Send:
    return decision_send("control", Note(id=name, by="ann", at_ms=NOW_MS, target="a", text="x"))


def listed(name: str, change: int, *, removed: bool = False) -> Send:
    body = None if removed else {"name": name, "names": ["ACME"]}
    return watched_send("control", Watched(name=name, body=body, change=change, by="ann", at_ms=NOW_MS))


def records(*sends: Send) -> list[Record]:
    return [Record(offset, send.key, send.value, NOW_MS) for offset, send in enumerate(sends)]


def test_a_decision_is_spent_once_it_was_judged_and_not_while_it_was_sent_again() -> None:
    sweep = Sweep()
    sweep.take(records(decided("a"), decided("b"), decided("a"), Send("control", b"model/en", b"{}")))
    assert sweep.spent(-1) == []
    assert sweep.spent(1) == [b"decision/b"]
    assert sweep.spent(2) == [b"decision/a", b"decision/b"]
    sweep.forget([b"decision/a"])
    assert sweep.spent(9) == [b"decision/b"]
    sweep.take([Record(5, b"decision/b", None, NOW_MS)])
    assert sweep.spent(9) == []


def test_a_removed_watchlist_is_spent_once_another_one_was_changed() -> None:
    sweep, gone = Sweep(), [listed("a", 1), listed("b", 2), listed("a", 3, removed=True), listed("b", 4, removed=True)]
    sweep.take(records(*gone))
    assert sweep.spent(-1) == [b"watchlist/a"]
    sweep.take([Record(9, b"watchlist/a", None, NOW_MS)])
    left = read_control(records(*gone, Send("control", b"watchlist/a", None)))
    assert left.lists_change == 4, "workers hear of a later change"
    assert sweep.spent(-1) == []
    sweep.take(records(listed("b", 5), Send("control", b"watchlist/c", b"{"), Send("control", None, b"x")))
    assert sweep.spent(-1) == []


def test_the_last_removed_watchlist_stays_whatever_was_said_of_it_before() -> None:
    """Without it the number of the last change would fall, and workers would keep the list that was removed."""
    sweep, said = Sweep(), records(listed("a", 1), listed("a", 3, removed=True), listed("a", 2, removed=True))
    sweep.take(said)
    assert sweep.spent(-1) == []
    assert read_control(said).lists_change == 2


class Topic:
    """The topic `control`, to which the clerk writes too."""

    def __init__(self) -> None:
        self.sends: list[Send] = []

    async def read(self, after: int) -> tuple[str, list[Record]]:
        return "c1", records(*self.sends)[after + 1 :]

    def left(self) -> dict[bytes | None, bytes | None]:
        """What compaction leaves of it."""
        last = {send.key: send.value for send in self.sends}
        return {key: value for key, value in last.items() if value is not None}


async def test_the_topic_holds_what_waits_to_be_judged_also_after_a_death() -> None:
    """Of what was judged before there was a sweep too."""
    topic, log, committed = Topic(), Changelog(), 0
    outbox = FakeOutbox(Fuse())
    for turn in range(30):
        if turn % 10 == 0:
            stage = stage_of(log.worker(Fuse()), partial(Judge, Policy.default(["file"])))
            clerk = Clerk(stage.book, outbox, "alerts", "control", topic.read)
            await stage.idle(0, NOW_MS)
        topic.sends.append(decided(f"d{turn}"))
        known = len(outbox.sent)
        await clerk.turn()
        topic.sends += [send for send in outbox.sent[known:] if send.topic == "control"]
        assert len(topic.left()) <= 2
        sent = records(*(send for send in outbox.sent if send.topic == "alerts"))
        headers = [send.headers for send in outbox.sent if send.topic == "alerts"]
        run = [Record(one.offset, one.key, None, NOW_MS, headers[one.offset]) for one in sent[committed:]]
        if turn % 10 != 9:  # the last one is left to the next worker
            await stage.handle(Run("alerts", 0, 1, EPOCH, run, len(sent)))
            committed = len(sent)
    await stage.handle(Run("alerts", 0, 1, EPOCH, run, len(sent)))
    await clerk.turn()
    topic.sends += outbox.sent[-1:]
    assert topic.left() == {}
