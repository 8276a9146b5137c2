"""aiokafka reads on where its extension fails on the name of a header: each record once, in order."""

from __future__ import annotations

import aiokafka.consumer.fetcher
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatchBuilder

from streams.transport.kafka.header_names import read_any_header_name
from tests.transport.raw_names import RawName

READ_COMMITTED = 1
TAKEN_BACK = 7
"""The producer whose transactions are aborted."""

read_any_header_name()


def batch(offset: int, records: list[bool], *, producer: int = -1, compression: int = 0) -> bytes:
    """A batch from `offset` on; each record says whether it has a name that is no UTF-8."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=compression, is_transactional=producer >= 0, producer_id=producer,
        producer_epoch=0 if producer >= 0 else -1, base_sequence=0 if producer >= 0 else -1, batch_size=1 << 20,
    )  # fmt: skip
    for at, is_raw in enumerate(records):
        builder.append(at, 1_000, b"k", b"%d" % (offset + at), [(RawName(b"\xff"), b"1")] if is_raw else [("a", b"2")])
    raw = bytearray(builder.build())
    raw[:8] = offset.to_bytes(8, "big")  # the broker gives it; no checksum covers it
    return bytes(raw)


def read(raw: bytes, start: int = 0, aborted: list[tuple[int, int]] | None = None) -> list[tuple[int, str]]:
    module = aiokafka.consumer.fetcher
    records = module.PartitionRecords(
        TopicPartition("t", 0), module.MemoryRecords(raw), aborted or [], start, None, None, True, READ_COMMITTED
    )
    return [(record.offset, record.headers[0][0]) for record in records]


BATCHES = st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=5)


@given(BATCHES, st.sampled_from([0, 1]), st.integers(0, 3))
def test_every_record_is_read_once_from_the_offset_on(batches: list[list[bool]], compression: int, start: int) -> None:
    """The offset is in the first batch: a broker answers from there."""
    raw, expected, start = b"", list[tuple[int, str]](), min(start, len(batches[0]) - 1)
    for records in batches:
        raw += batch(len(expected), records, compression=compression)
        expected += [(len(expected) + at, "\\xff" if is_raw else "a") for at, is_raw in enumerate(records)]
    assert read(raw, start) == expected[start:]


def test_what_a_producer_took_back_is_skipped_before_and_behind_it() -> None:
    raw = (
        batch(0, [False], producer=TAKEN_BACK)
        + batch(1, [False, True, False])
        + batch(4, [True], producer=TAKEN_BACK)
        + batch(5, [False, True])
    )
    assert read(raw, aborted=[(TAKEN_BACK, 0)]) == [(1, "a"), (2, "\\xff"), (3, "a"), (5, "a"), (6, "\\xff")]


def test_a_damaged_record_is_still_an_error() -> None:
    damaged = bytearray(batch(0, [True, False]))
    damaged[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        read(bytes(damaged))
