"""Private parts of Faust, mode and aiokafka: each is listed with its reason and reached here, nowhere else.

`PARTS` are names that are read, called or replaced; `HOOKS` are names of bases that our subclasses override or use. A
test compares both with the installed versions, so that an upgrade which renames one fails there and not in a worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faust.types import TP  # commands reach aiokafka here and load no more of Faust than they need

__all__ = [
    "HOOKS",
    "PARTS",
    "Beat",
    "acked",
    "acked_index",
    "active_partitions",
    "assign",
    "beat",
    "client",
    "commit_under_way",
    "coordinator",
    "crashed",
    "end_sends",
    "expect_ack",
    "fetch_waiter",
    "fetched",
    "fetcher",
    "group_error",
    "group_member",
    "is_stopped",
    "make_records",
    "new_producer",
    "open_consumer",
    "place",
    "reading",
    "sending_task",
    "set_fetching",
    "unacked",
    "update_channels",
    "wrap_heartbeat",
]

_CONSUMER = "aiokafka.consumer.consumer:AIOKafkaConsumer"
_FETCHER = "aiokafka.consumer.fetcher"
_GROUP = "aiokafka.consumer.group_coordinator:GroupCoordinator"
_PRODUCER = "aiokafka.producer.producer:AIOKafkaProducer"
_FAUST_CONSUMER = "faust.transport.consumer:Consumer"
_FAUST_DRIVER = "faust.transport.drivers.aiokafka"
_ASSIGNOR = "faust.assignor.partition_assignor:PartitionAssignor"

PARTS: dict[str, dict[str, str]] = {
    _CONSUMER: {
        "_client": "asked for metadata after a topic was made again; closed when its broker is away",
        "_closed": "a closed consumer has no group to ask about",
        "_coordinator": "heartbeats, group errors and committed offsets; no public call gives them",
        "_fetch_max_wait_ms": "Faust offers no setting for how long a broker holds a fetch",
        "_fetch_min_bytes": "Faust offers no setting for how much a broker waits for",
        "_fetcher": "records are taken from it by partition, without a wait for the others",
        "_isolation_level": "Faust reads committed records only when it writes transactions itself",
    },
    f"{_FETCHER}:Fetcher": {
        "_closed": "a closed fetcher never answers",
        "_create_fetch_waiter": "resolves when any partition has records",
        "_records": "partitions with fetched records, and their unread ones",
        "_subscriptions": "the present assignment and the positions in it",
    },
    f"{_FETCHER}:FetchResult": {"_partition_records": "the unread records, made into ours"},
    f"{_FETCHER}:PartitionRecords": {"_consumer_record": "replaced: makes our record, a third of the cost of reading"},
    _GROUP: {
        "_closing": "a group that is being left has no error",
        "_coordination_task": "ended: this worker takes part in its group no more",
        "_do_heartbeat": "wrapped, so that the lease is renewed by answered heartbeats; called to ask for one",
        "_pending_exception": "why the group was lost; public calls would clear it",
    },
    _PRODUCER: {
        "_message_accumulator": "senders that wait for a producer that was cut off get an error",
        "_sender": "its task is cancelled when the broker is away",
    },
    f"{_FAUST_DRIVER}:AIOKafkaConsumerThread": {
        "_consumer": "None before the thread has started",
        "_ensure_consumer": "aiokafka's consumer behind Faust's",
    },
    f"{_FAUST_DRIVER}:Producer": {"_new_producer": "a producer with Faust's settings, opened by us"},
    _FAUST_CONSUMER: {
        "_acked": "acknowledged offsets by partition; runs are committed in their own order",
        "_acked_index": "the same as sets",
        "_commit_fut": "the commit under way; Faust's own wait swallows a cancellation",
        "_get_active_partitions": "the partitions that flow control lets through",
        "_read_offset": "where reading goes on after a seek",
        "_unacked_messages": "messages whose stage has not finished; a dropped run leaves them",
        "_waiting_for_ack": "the future that the next acknowledgement resolves",
    },
    "faust.tables.manager:TableManager": {
        "_update_channels": "called at the start, without the second that Faust waits before it"
    },
    _ASSIGNOR: {
        "_active_tps": "set as Kafka's group protocol would: the embedded broker has none",
        "_assignment": "as above",
        "_standby_tps": "as above",
        "_topic_groups": "as above",
    },
    "mode.services:Service": {"_crashed": "awaited: the public property can only be polled"},
}
"""By class (`module:class`), each private name that is used, with the reason."""

HOOKS: dict[str, dict[str, str]] = {
    _FAUST_CONSUMER: {
        "_add_gap": "offsets inside a run are no gaps",
        "_commit": "the transport's commit",
        "_filter_tps_with_pending_acks": "partitions may begin with offsets that have no record",
        "_getmany": "the transport's fetch",
        "_new_offset": "runs are committed strictly in order",
        "_new_topicpartition": "the transport's type of partition",
        "_seek": "the transport's seek",
        "_to_message": "the transport's records as Faust's messages",
        "_wait_next_records": "partitions without room for a run are not fetched",
    },
    f"{_FAUST_DRIVER}:Consumer": {"_new_consumer_thread": "our thread in the place of Faust's"},
    f"{_FAUST_DRIVER}:AIOKafkaConsumerThread": {
        "_commit": "offsets of partitions that the group gave away are not committed",
        "_create_worker_consumer": "how aiokafka fetches",
        "_seek_wait": "a seek drops what was fetched before it",
    },
    f"{_FAUST_DRIVER}:Producer": {
        "_producer": "aiokafka's producer, which is replaced after a refused batch",
        "_settings_extra": "acknowledged by all, idempotent",
    },
    "aiokafka.record.default_records:_DefaultRecordBatchPy": {
        "_buffer": "replaced by bytes that decode any header name; aiokafka's extension has no option for it",
        "_maybe_uncompress": "after it the bytes are the records'",
    },
    "aiokafka.record.memory_records:_MemoryRecordsPy": {
        "_cache_next": "goes past a batch that is read already",
        "_next_slice": "a batch's bytes",
    },
    f"{_FETCHER}:PartitionRecords": {
        "_records": "replaced by the same batches, read in Python, where the extension fails on a name",
        "_records_iterator": "ended by a failure, made anew",
        "_unpack_records": "makes that iterator",
    },
    "kafka.record.default_records:DefaultRecordBatch": {
        "_buffer": "replaced by bytes that decode any header name",
        "_read_msg": "a record that it cannot decode is read again",
    },
}
"""By class, each private name that a subclass of ours overrides or uses, with the reason."""

Beat = Callable[[], Awaitable[bool]]
"""Sends a heartbeat; True when the group's coordinator answers that this worker is a member."""


# -- aiokafka's consumer


def coordinator(consumer: Any) -> Any:
    return consumer._coordinator


def client(consumer: Any) -> Any:
    return consumer._client


def fetcher(consumer: Any) -> Any:
    return consumer._fetcher


def is_stopped(consumer: Any) -> bool:
    """Whether the consumer or its fetcher is closed, so that no fetch would end."""
    return bool(consumer._closed or consumer._fetcher._closed)


def set_fetching(consumer: Any, *, wait_ms: int, min_bytes: int, isolation_level: str) -> None:
    """Sets, before the consumer starts, how it fetches."""
    consumer._fetch_max_wait_ms, consumer._fetch_min_bytes = wait_ms, min_bytes
    consumer._isolation_level = isolation_level


def reading(fetcher: Any) -> Any:
    """Returns the fetcher's subscription state: assignment, positions, whether partitions are being given out."""
    return fetcher._subscriptions


def fetched(fetcher: Any) -> MutableMapping[Any, Any]:
    """Returns what was fetched and not read yet, by partition."""
    records: MutableMapping[Any, Any] = fetcher._records
    return records


def fetch_waiter(fetcher: Any) -> asyncio.Future[None]:
    """Returns a future that resolves when any partition has records, or raises what the fetcher met."""
    waiter: asyncio.Future[None] = fetcher._create_fetch_waiter()
    return waiter


def make_records(fetched: Any, make: Callable[[Any, Any], Any]) -> None:
    """Has a fetch result make its records by `make(partition, raw record)`; an error that was fetched has none."""
    unread = fetched._partition_records if hasattr(fetched, "has_more") else None
    if unread is not None:
        unread._consumer_record = make


# -- its group


def beat(consumer: Any) -> Awaitable[bool]:
    """Sends a heartbeat now."""
    answered: Awaitable[bool] = consumer._coordinator._do_heartbeat()
    return answered


def wrap_heartbeat(consumer: Any, wrap: Callable[[Beat], Beat]) -> None:
    """Puts `wrap(heartbeat)` in the place of the consumer's heartbeat."""
    group = consumer._coordinator
    group._do_heartbeat = wrap(group._do_heartbeat)


def group_error(consumer: Any) -> BaseException | None:
    """Returns why the consumer takes part in its group no more, or None."""
    if consumer is None or consumer._closed:
        return None
    group = consumer._coordinator
    pending: BaseException | None = group._pending_exception
    task = group._coordination_task
    if pending is not None or not task.done() or task.cancelled() or group._closing.done():
        return pending
    return task.exception() or RuntimeError("the work in the group has ended")


# -- aiokafka's producer


def sending_task(producer: Any) -> asyncio.Task[None] | None:
    task: asyncio.Task[None] | None = producer._sender.sender_task
    return task


def end_sends(producer: Any, error: Exception) -> None:
    """Fails every batch that was not acknowledged with `error`."""
    producer._message_accumulator.fail_all(error)


# -- Faust's driver of aiokafka


def group_member(thread: Any) -> Any:
    """Returns aiokafka's consumer of a consumer thread; None before it has started."""
    return thread._consumer


def open_consumer(thread: Any) -> Any:
    """Returns aiokafka's consumer of a consumer thread that has started."""
    return thread._ensure_consumer()


def new_producer(producer: Any) -> Any:
    """Returns a new producer of aiokafka with the settings of Faust's; it is not started."""
    return producer._new_producer()


# -- Faust's consumer


def acked(consumer: Any) -> MutableMapping[TP, list[int]]:
    """Returns the acknowledged offsets that are not committed."""
    offsets: MutableMapping[TP, list[int]] = consumer._acked
    return offsets


def acked_index(consumer: Any) -> MutableMapping[TP, set[int]]:
    """Returns the same as sets."""
    offsets: MutableMapping[TP, set[int]] = consumer._acked_index
    return offsets


def unacked(consumer: Any) -> Any:
    """Returns the set of messages that are handed out and not acknowledged."""
    return consumer._unacked_messages


def active_partitions(consumer: Any) -> set[TP]:
    partitions: set[TP] = consumer._get_active_partitions()
    return partitions


def place(consumer: Any, tp: TP, offset: int) -> None:
    """Notes where reading of the partition goes on."""
    consumer._read_offset[tp] = offset or None


def expect_ack(consumer: Any, future: asyncio.Future[None] | None) -> None:
    """Has the next acknowledgement resolve `future`; None for nothing."""
    consumer._waiting_for_ack = future


def commit_under_way(consumer: Any) -> asyncio.Future[None] | None:
    future: asyncio.Future[None] | None = consumer._commit_fut
    return future


# -- Faust's app


async def update_channels(tables: Any) -> None:
    """Starts the tables' channels."""
    await tables._update_channels()


async def crashed(app: Any) -> bool:
    """Returns True when the app has crashed."""
    return bool(await app._crashed.wait())


def assign(assignor: Any, by_topic: dict[str, list[int]]) -> None:
    """Gives this worker all these partitions, as Kafka's group protocol would."""
    from faust.assignor.client_assignment import ClientAssignment

    assignment = ClientAssignment(actives=by_topic, standbys={})
    assignor._assignment = assignment
    assignor._active_tps, assignor._standby_tps = assignment.active_tps, assignment.standby_tps
    assignor._topic_groups = dict.fromkeys(by_topic, 0)
