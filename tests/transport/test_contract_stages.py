"""What every broker's transport promises a stage."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from alerts.backoff import Backoff
from streams.engine.ports import Send
from streams.engine.runs import Run
from streams.errors import Retry, StageTaken, TransportError
from streams.limits import ROW_BYTES
from streams.transport import internals
from streams.transport.faust_app import TopicSpec, make_app, run_stage
from streams.transport.kafka.options import KafkaOptions
from streams.transport.lane import Pace
from streams.transport.outbox import FaustOutbox
from streams.transport.runs import RunLimits
from streams.transport.stages import drained, run_stages
from streams.transport.tables import FaustState
from tests.transport.contract_broker import KAFKA_SESSION_SECONDS, ContractBroker
from tests.transport.counting_stage import PLACE, CountingStage

PARTITIONS = 3
GROUP = "test.count"


class Worker:
    """One counting stage that runs in this event loop."""

    def __init__(
        self,
        broker: ContractBroker,
        *,
        group: str = GROUP,
        source: str = "in",
        out: str | None = "out",
        limits: RunLimits | None = None,
        idle_seconds: float = 1.0,
        partitions: int = PARTITIONS,
        instance: str | None = None,
    ) -> None:
        self.broker = broker
        self.group = group
        self.source = source
        self.app = make_app(
            group,
            broker_url=broker.url,
            group=broker.name(group),
            data_dir=broker.folder,
            limits=limits or RunLimits(records=20),
            commit_interval_seconds=0.05,
            drain_seconds=5.0,
            kafka=KafkaOptions(session_seconds=KAFKA_SESSION_SECONDS, instance=instance),
        )
        self.stage = CountingStage(
            FaustState(self.app, "rows", partitions=partitions), FaustOutbox(self.app), out and broker.name(out)
        )
        self.job = run_stage(self.app, broker.name(source), self.stage, pace=Pace(idle_seconds=idle_seconds))
        self.stop = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(run_stages([self.job], until=self.stop))
        try:
            yield
        finally:
            self.stop.set()
            await task

    @property
    def ready(self) -> bool:
        """Its rows are restored and its runs may come."""
        return bool(self.app.started and self.app.tables.recovery.completed.is_set() and not self.app.rebalancing)

    async def drained(self) -> None:
        await until(lambda: self.broker.lag(self.group, self.source) == 0)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in the broker
            await asyncio.sleep(0.01)


@pytest.fixture
def topics(broker: ContractBroker) -> ContractBroker:
    broker.create(TopicSpec("in", PARTITIONS), TopicSpec("out", 1))
    return broker


def numbered(count: int, start: int = 0) -> list[Send]:
    return [Send("in", b"key%d" % (n % 7), b"%d" % n) for n in range(start, start + count)]


async def test_every_record_comes_once_and_in_order_of_its_partition(topics: ContractBroker) -> None:
    topics.publish(numbered(300))
    worker = Worker(topics)
    async with worker.running():
        await worker.drained()
        topics.publish(numbered(100, 300))
        await worker.drained()
    for partition, offsets in worker.stage.offsets.items():
        assert offsets == [record.offset for record in topics.records("in", partition)]
    assert sum(map(len, worker.stage.offsets.values())) == 400
    assert sorted(int(r.value or b"") for r in topics.records("out")) == list(range(400))


async def test_a_run_says_what_it_is(topics: ContractBroker) -> None:
    topics.publish([Send("in", b"k", b"v", 1, (("h", b"x"),), 1234), *(Send("in", None, b"w", 1) for _ in range(44))])
    worker = Worker(topics)
    async with worker.running():
        await worker.drained()
    runs = worker.stage.runs
    assert [len(run.records) for run in runs] == [20, 20, 5]
    assert {(run.topic, run.partition, run.partitions, run.epoch) for run in runs} == {
        (topics.name("in"), 1, PARTITIONS, topics.epoch("in"))
    }
    first = runs[0].records[0]
    assert (first.key, first.value, first.headers, first.timestamp_ms) == (b"k", b"v", (("h", b"x"),), 1234)
    assert [run.reaches_end for run in runs] == [False, False, True]


async def test_a_run_is_bounded_in_bytes(topics: ContractBroker) -> None:
    topics.publish([Send("in", None, bytes(1000), 0) for _ in range(10)])
    worker = Worker(topics, limits=RunLimits(records=100, size_bytes=3_000))
    async with worker.running():
        await worker.drained()
    assert [len(run.records) for run in worker.stage.runs] == [3, 3, 3, 1]


async def test_rows_and_position_outlive_the_worker(topics: ContractBroker) -> None:
    topics.publish(numbered(150))
    first = Worker(topics)
    async with first.running():
        await first.drained()
        await first.stage.state.put(0, {"gone": b"1", "stays": b"2"})
        await first.stage.state.put(0, {"gone": None})
    topics.publish(numbered(50, 150))
    second = Worker(topics)
    async with second.running():
        await second.drained()
        assert second.stage.state.get(0, "gone") is None
        assert second.stage.state.get(0, "stays") == b"2"
        rows = {key for key, _ in second.stage.state.items(0)}
        assert {"stays", PLACE} <= rows
        assert "gone" not in rows
        expected = Counter((send.key or b"").decode() for send in numbered(200))
        assert second.stage.counts(PARTITIONS) == expected
    assert sum(map(len, second.stage.offsets.values())) == 50


async def test_no_run_is_handed_out_between_the_restored_rows_and_the_flow(
    topics: ContractBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust empties its queues after it has moved the positions, just before the flow goes on."""
    topics.publish(numbered(150))
    first = Worker(topics)
    async with first.running():
        await first.drained()
    topics.publish(numbered(300, 150))
    second = Worker(topics)
    consumer = second.app.consumer
    move, early = consumer.perform_seek, list[int]()

    async def moves_slowly() -> None:
        await move()
        await asyncio.sleep(0.5)  # time for a fetch, which would be too early
        early.append(len(second.stage.runs) + sum(map(consumer.in_flight, consumer.assignment())))

    monkeypatch.setattr(consumer, "perform_seek", moves_slowly)
    async with second.running():
        await second.drained()
    assert early == [0]
    assert sum(map(len, second.stage.offsets.values())) == 300


async def test_the_largest_row_is_kept_and_restored(topics: ContractBroker) -> None:
    large = random.Random(1).randbytes(ROW_BYTES - 1_024)  # with room for key and headers; it cannot be compressed

    async def put_large(run: Run) -> None:
        await writer.stage.state.put(run.partition, {"large": large})

    topics.publish([Send("in", b"k", b"v", 1)])
    writer = Worker(topics)
    writer.stage.before_effect = put_large
    async with writer.running():
        await writer.drained()
    reader = Worker(topics)
    async with reader.running():
        await until(lambda: reader.ready)
        assert reader.stage.state.get(1, "large") == large


async def test_a_stage_with_nothing_to_restore_and_no_rows_starts(topics: ContractBroker) -> None:
    worker = Worker(topics, idle_seconds=0.05)
    async with worker.running():
        async with asyncio.timeout(5):
            await worker.stage.ticked.wait()
        topics.publish(numbered(1))
        await worker.drained()


async def test_a_failing_run_is_done_again_before_later_ones_and_only_its_partition_waits(
    topics: ContractBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.transport.lane.BACKOFF", Backoff(0.01, 60.0))
    topics.publish([Send("in", b"k", b"v", p) for p in (0, 1) for _ in range(60)])
    failures: list[Exception] = [Retry("full", 0.01), RuntimeError("a bug")]
    worker = Worker(topics)
    others_done = asyncio.Event()

    async def fail(run: Run) -> None:
        if run.partition == 0 and run.first_offset == 20 and failures:
            await others_done.wait()
            raise failures.pop(0)
        if run.partition == 1 and run.last_offset == 59:
            others_done.set()

    worker.stage.before_effect = fail
    async with worker.running():
        await worker.drained()
        assert worker.stage.counts(PARTITIONS) == {"k": 120}
    assert [run.first_offset for run in worker.stage.runs if run.partition == 0] == [0, 20, 20, 20, 40]
    assert [run.first_offset for run in worker.stage.runs if run.partition == 1] == [0, 20, 40]


async def test_runs_wait_in_the_broker_while_the_stage_is_slow(topics: ContractBroker) -> None:
    topics.publish([Send("in", b"k", b"v", 0) for _ in range(200)])
    worker = Worker(topics, limits=RunLimits(records=10, in_flight=2))
    gate, reached = asyncio.Event(), asyncio.Event()

    async def wait(run: Run) -> None:
        reached.set()
        await gate.wait()

    worker.stage.before_effect = wait
    async with worker.running():
        await reached.wait()
        await asyncio.sleep(0.2)
        assert worker.app.consumer.in_flight(TP(topics.name("in"), 0)) == 2
        gate.set()
        await worker.drained()
    assert worker.stage.offsets[0] == list(range(200))


async def test_stopping_finishes_and_commits_the_run_in_hand_and_leaves_the_rest(topics: ContractBroker) -> None:
    topics.publish([Send("in", b"k", b"%d" % n, 0) for n in range(100)])
    worker = Worker(topics)
    gate, reached = asyncio.Event(), asyncio.Event()

    async def wait(run: Run) -> None:
        reached.set()
        await gate.wait()

    worker.stage.before_effect = wait
    task = asyncio.create_task(run_stages([worker.job], until=worker.stop))
    await reached.wait()
    worker.stop.set()
    await asyncio.sleep(0.05)
    assert not task.done()
    gate.set()
    await task
    assert [run.last_offset for run in worker.stage.runs] == [19]
    assert topics.lag(GROUP, "in") == 80
    successor = Worker(topics)
    async with successor.running():
        await successor.drained()
        assert successor.stage.counts(PARTITIONS) == {"k": 100}
    assert successor.stage.offsets[0] == list(range(20, 100))


async def test_a_run_that_does_not_end_is_left_for_the_next_start(topics: ContractBroker) -> None:
    topics.publish([Send("in", b"k", b"v", 0) for _ in range(20)])
    worker = Worker(topics)
    worker.app.drain_seconds = 0.1
    never, reached = asyncio.Event(), asyncio.Event()

    async def hang(run: Run) -> None:
        reached.set()
        await never.wait()

    worker.stage.before_effect = hang
    async with asyncio.timeout(5), worker.running():
        await reached.wait()
    assert topics.lag(GROUP, "in") == 20


async def test_pausing_and_resuming_partitions_loses_nothing(topics: ContractBroker) -> None:
    topics.publish([Send("in", b"k", b"v", p) for p in range(PARTITIONS) for _ in range(300)])
    worker = Worker(topics, limits=RunLimits(records=7))
    chance = random.Random(5)

    async def pause(run: Run) -> None:
        tps = {TP(topics.name("in"), p) for p in range(PARTITIONS) if chance.random() < 0.5}
        worker.app.consumer.pause_partitions(tps)
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        worker.app.consumer.resume_partitions(tps)

    worker.stage.before_effect = pause
    async with worker.running():
        await worker.drained()
    assert worker.stage.offsets == {p: list(range(300)) for p in range(PARTITIONS)}


async def test_idle_ticks_come_only_at_the_end(topics: ContractBroker) -> None:
    topics.publish([Send("in", b"k", b"v", 0) for _ in range(20)])
    worker = Worker(topics, idle_seconds=0.001)  # sooner than a broker can tell where a partition ends
    gate = asyncio.Event()

    async def wait(run: Run) -> None:
        await gate.wait()

    worker.stage.before_effect = wait
    async with worker.running():
        await until(lambda: {partition for partition, _ in worker.stage.ticks} == {1, 2})
        assert 0 not in {partition for partition, _ in worker.stage.ticks}
        gate.set()
        await until(lambda: 0 in {partition for partition, _ in worker.stage.ticks})


async def test_several_stages_share_a_process_and_one_feeds_the_other(topics: ContractBroker) -> None:
    topics.create(TopicSpec("end", 1))
    first = Worker(topics)
    second = Worker(topics, group="test.second", source="out", out="end", partitions=1)
    stop = asyncio.Event()
    task = asyncio.create_task(run_stages([first.job, second.job], until=stop))
    topics.publish(numbered(200))
    await first.drained()
    await second.drained()
    work = [(topics.name(GROUP), topics.name("in")), (topics.name("test.second"), topics.name("out"))]
    assert drained(topics.url, work)
    stop.set()
    await task
    assert sorted(int(r.value or b"") for r in topics.records("end")) == list(range(200))
    topics.publish(numbered(1))
    assert not drained(topics.url, work)


async def test_a_second_worker_of_a_stage_is_told_who_has_it(topics: ContractBroker) -> None:
    if topics.is_kafka:
        pytest.skip("on Kafka workers share a stage")
    first = Worker(topics)
    async with first.running():
        await until(lambda: first.app.started)
        with pytest.raises(StageTaken, match=r"test\.count already runs .* in process \d+"):
            await run_stages([Worker(topics).job])
        topics.publish(numbered(10))
        await first.drained()
    third = Worker(topics)
    async with third.running():
        await third.drained()


async def test_a_missing_source_topic_is_an_error_and_no_long_wait(broker: ContractBroker) -> None:
    worker = Worker(broker, out=None)
    with pytest.raises(TransportError, match=r"no topic '\w+\.in'"):
        async with asyncio.timeout(10):
            await run_stages([worker.job])


async def test_starting_and_stopping_are_quick(topics: ContractBroker) -> None:
    topics.publish(numbered(2_000))
    worker = Worker(topics, limits=RunLimits())
    async with worker.running():
        await worker.drained()
    again = Worker(topics)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with again.running():
        await until(lambda: again.app.started and not again.app.rebalancing)
        ready = loop.time()
    assert ready - began < 2
    assert loop.time() - ready < 2


async def test_a_topic_that_was_made_again_is_read_from_its_first_record(topics: ContractBroker) -> None:
    topics.publish(numbered(90))
    first = Worker(topics)
    async with first.running():
        await first.drained()
    old = topics.epoch("in")
    topics.delete("in")
    topics.create(TopicSpec("in", PARTITIONS))
    topics.publish(numbered(60))
    second = Worker(topics)
    async with second.running():
        await second.drained()
    assert topics.epoch("in") != old
    assert {run.epoch for run in first.stage.runs} == {old}
    assert {run.epoch for run in second.stage.runs} == {topics.epoch("in")}
    for partition, offsets in second.stage.offsets.items():
        assert offsets == [record.offset for record in topics.records("in", partition)]
    assert sum(map(len, second.stage.offsets.values())) == 60


async def test_a_topic_that_is_made_again_under_a_worker_begins_anew(
    topics: ContractBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not topics.is_kafka:
        pytest.skip("the embedded broker deletes no topic under a worker")
    monkeypatch.setattr("streams.transport.kafka.consumer._LOOK_SECONDS", 0.3)
    topics.publish(numbered(90))
    worker = Worker(topics, limits=RunLimits(records=20))
    async with worker.running():
        await worker.drained()
        old = topics.epoch("in")
        await asyncio.to_thread(topics.delete, "in")
        topics.create(TopicSpec("in", PARTITIONS))
        await until(lambda: worker.app.rebalancing_count > 1 and not worker.app.rebalancing)
        await asyncio.sleep(1)
        topics.publish(numbered(60))
        await worker.drained()
    fresh = [run for run in worker.stage.runs if run.epoch != old]
    assert {run.epoch for run in fresh} == {topics.epoch("in")}
    assert sum(len(run.records) for run in fresh) == 60
    assert all(run.first_offset == 0 for run in {run.partition: run for run in reversed(fresh)}.values())


async def test_a_named_worker_that_restarts_within_its_session_moves_no_partition(topics: ContractBroker) -> None:
    if not topics.is_kafka:
        pytest.skip("an embedded broker has one worker per stage")
    topics.publish(numbered(300))
    first, other = Worker(topics, instance="a"), Worker(topics, instance="b")
    async with other.running():
        await until(lambda: other.ready)
        async with first.running():
            await until(lambda: first.ready and other.ready)
            held = set(first.app.consumer.assignment())
            await first.drained()
        moves = other.app.rebalancing_count
        again = Worker(topics, instance="a")
        async with again.running():
            await until(lambda: again.ready)
            topics.publish(numbered(300, 300))
            await again.drained()
            assert set(again.app.consumer.assignment()) == held
            assert other.app.rebalancing_count == moves
            expected = Counter((send.key or b"").decode() for send in numbered(600))
            mine = {tp.partition for tp in held}
            found: Counter[str] = Counter()
            for worker, partitions in ((again, mine), (other, set(range(PARTITIONS)) - mine)):
                for partition in partitions:
                    for key, value in worker.stage.state.items(partition):
                        if key.startswith("n/"):
                            found[key[2:]] += json.loads(value)[1]
            assert found == expected


async def test_of_two_workers_of_one_name_the_one_that_is_replaced_ends_and_says_why(topics: ContractBroker) -> None:
    if not topics.is_kafka:
        pytest.skip("an embedded broker has one worker per stage")
    first, second = Worker(topics, instance="a"), Worker(topics, instance="a")
    ended = asyncio.create_task(run_stages([first.job], until=first.stop))
    await until(lambda: first.ready)
    async with second.running():
        with pytest.raises(TransportError, match="another process uses the instance name 'a'"):
            async with asyncio.timeout(60):
                await ended
        await until(lambda: second.ready)
        topics.publish(numbered(60))
        await second.drained()
    assert sum(map(len, second.stage.offsets.values())) == 60


async def test_a_worker_that_fell_out_of_its_group_ends(topics: ContractBroker) -> None:
    if not topics.is_kafka:
        pytest.skip("an embedded broker has no groups to fall out of")
    worker = Worker(topics)

    async def fall_out() -> None:
        async with worker.running():
            await until(lambda: worker.ready)
            coordinator = internals.coordinator(internals.open_consumer(worker.app.consumer.reader))
            coordinator._pending_exception = KafkaError("two workers of one name")
            await until(lambda: worker.app.crashed)

    with pytest.raises(TransportError, match=r"fell out of its group.*two workers of one name"):
        await fall_out()
