"""Garbage in the topics that moodwire writes itself: it is parked with its reason, and its neighbours count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from alerts.delivery import Delivered, Notice, Notification
from streams.archive.memory import MemoryArchive
from streams.engine.ports import Stage
from streams.engine.runs import Record, Run
from streams.feeds.rejects import RejectRecord
from streams.observe.metrics import Metrics
from streams.observe.troubles import Troubles
from streams.parking import RejectsParking
from streams.records import VERSION, MentionItem
from streams.serving.prepared import baseline_sends
from streams.stages.deliver import DeliverStage
from streams.stages.watch import WatchStage
from streams.stages.watch_rows import PARTITION_KEY
from streams.topics import BASELINES_HEADER, PROMOTION_HEADER
from streams.transport.dispatch import Dispatcher
from tests.alerts.delivery_event import delivery_event
from tests.engine.positions_harness import EPOCH, START_MS, FakeOutbox, FakeState, Fuse
from tests.engine.test_positions_property import eager_config
from tests.stages.deliver_harness import PassingJudge

_GOOD = MentionItem(0, "a", START_MS, 7, {"negative": 0.9}, ("all", "entity/X"))


def batch(offset: int, **changed: Any) -> bytes:
    item = msgspec.structs.replace(_GOOD, offset=offset, id=f"a{offset}", signature=offset)
    fields = list(msgspec.to_builtins(item))
    for name, value in changed.items():
        fields[MentionItem.__struct_fields__.index(name)] = value
    return msgspec.json.encode([VERSION, EPOCH, 0, 1, START_MS, [fields]])


MENTIONS: dict[str, tuple[bytes, tuple[tuple[str, bytes], ...]]] = {
    "empty": (b"", ()),
    "no utf-8": (b"\xff\xfe", ()),
    "another shape": (b'{"title": "x"}', ()),
    "nested": (b"[" * 60_000, ()),
    "seen beyond 64 bits": (batch(1, seen_ms=10**30), ()),
    "seen before 1970": (batch(1, seen_ms=-1), ()),
    "offset beyond 64 bits": (batch(2**64), ()),
    "signature beyond 64 bits": (batch(1, signature=10**30), ()),
    "more than certain": (batch(1, signals={"negative": 2}), ()),
    "no probability": (batch(1, signals={"negative": "NaN"}), ()),
    "a signal without a name": (batch(1, signals={"": 0.5}), ()),
    "series without a name": (batch(1, series=[""]), ()),
    "a partition that its topic has not": (msgspec.json.encode([VERSION, EPOCH, 77, 1, START_MS, []]), ()),
    "promotion that is no number": (batch(1), ((PROMOTION_HEADER, b"soon"),)),
    "endless promotion": (batch(1), ((PROMOTION_HEADER, b"9" * 5_000),)),
    "no baselines": (b"garbage", ((BASELINES_HEADER, b"1"),)),
    "damaged baselines": (
        baseline_sends("t", 0, 1, 0, {"negative": b"\x93"}, {"negative/all": b"\xc1"})[0].value or b"",
        ((BASELINES_HEADER, b"1"),),
    ),
}


@dataclass
class _Event:
    value: Run
    message: Any = None


@dataclass
class _Source:
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def run_done(self, event: _Event) -> None:
        self.done.set()

    def run_dropped(self, event: _Event) -> None:
        """Nothing."""

    def at_end(self, topic: str, partition: int) -> bool:
        return False

    async def check_lease(self, event: Any | None = None) -> None:
        """The lease is always held."""

    def look_ahead(self, event: Any) -> None:
        """There is nothing more."""


async def handled(stage: Stage, kind: str, records: Sequence[Record], on_loss: Any = lambda *_: None) -> RejectRecord:
    """Gives the records to the stage as one run; the one that was parked."""
    outbox, source = FakeOutbox(Fuse()), _Source()
    parking = RejectsParking(outbox, "rejects", kind, "watch", on_loss=on_loss, clock=lambda: START_MS)
    lanes = Dispatcher(stage, lambda: source, parking=parking)
    lanes.take(_Event(Run(kind, 0, 1, EPOCH, records, len(records))))
    async with asyncio.timeout(30):
        await source.done.wait()
    await lanes.close(5)
    (send,) = outbox.sent
    return msgspec.json.decode(send.value or b"", type=RejectRecord)


@pytest.mark.parametrize("garbage", MENTIONS)
async def test_garbage_among_mentions_is_parked_and_its_neighbours_count(garbage: str) -> None:
    value, headers = MENTIONS[garbage]
    state = FakeState(Fuse())
    stage = WatchStage(eager_config(), MemoryArchive(), FakeOutbox(Fuse()), state, "alerts")
    records = [
        Record(0, None, batch(0), 5),
        Record(1, b"k", value, 5, headers),
        Record(2, None, batch(2), 5),
    ]
    reject = await handled(stage, "mentions", records)
    assert (reject.id, reject.key_bytes()) == (f"mentions:0:1:{EPOCH}", b"k")
    assert reject.reason in ("bad_mentions", "bad_baselines")
    assert reject.raw_bytes() == value
    again = await WatchStage(eager_config(), MemoryArchive(), FakeOutbox(Fuse()), state, "alerts").partition(0)
    assert again._row.own_offset == 2
    assert again._row.positions.last == {EPOCH: {0: 2}}
    assert state.get(0, PARTITION_KEY)


class _Channel:
    name = "file"
    endpoint = ""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def notify(self, notification: Notification | Notice, now_ms: int) -> Delivered:
        assert isinstance(notification, Notification)
        self.sent.append(notification.event.id)
        return Delivered()

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b"[1]", b'{"id": ' + b"[" * 50_000])
async def test_garbage_among_alerts_is_parked_and_reported(value: bytes) -> None:
    channel, losses = _Channel(), []
    good = delivery_event("a").to_json()
    records = [Record(0, b"s", value, 5), Record(1, b"s", good, 5)]
    judge = partial(PassingJudge, [channel.name])
    stage = DeliverStage(MemoryArchive(), [channel], FakeState(Fuse()), judge, clock=lambda: START_MS)
    reject = await handled(stage, "alerts", records, lambda *told: losses.append(told))
    assert (reject.reason, reject.id) == ("bad_alert", f"alerts:0:0:{EPOCH}")
    await stage.senders.turn(channel.name)
    assert channel.sent == ["a"]
    [(subject, detail)] = losses
    assert subject == "alerts/0"
    assert "moodwire rejects retry" in detail


def test_a_loss_is_a_trouble_for_an_hour_and_told_at_once() -> None:
    now = [START_MS]
    troubles = Troubles(Metrics(CollectorRegistry()), "here", clock=lambda: now[0])
    troubles.raise_trouble("parked", "lost", "alerts/0", lasts_ms=3_600_000)
    assert [notice.change for notice in troubles.take_notices()] == ["opened"]
    now[0] += 3_599_999
    assert troubles.take_notices() == []
    assert troubles.active
    now[0] += 1
    assert [notice.change for notice in troubles.take_notices()] == ["resolved"]
    assert not troubles.active
