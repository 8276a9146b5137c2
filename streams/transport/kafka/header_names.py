"""Header names that are not UTF-8: brokers take them, and neither client reads past one.

Java's client replaces what it cannot decode. Here the bytes `caf\\xe9` are read as the seven characters `caf\\xe9`, so
that names which differ stay apart and each can be written again. The clients' own readers do the work until one fails.
"""

from __future__ import annotations

from typing import Any, SupportsIndex

import aiokafka.consumer.fetcher
import kafka.record.default_records
import kafka.record.memory_records
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

__all__ = ["read_any_header_name"]


def read_any_header_name() -> None:
    """Has both clients read records with any header names, in this process."""
    aiokafka.consumer.fetcher.MemoryRecords = _Records
    aiokafka.consumer.fetcher.PartitionRecords = _PartitionRecords
    kafka.record.memory_records.DefaultRecordBatch = _TolerantBatch


class _Bytes(bytearray):
    """Decodes anything, its slices too."""

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return _Bytes(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


class _TolerantBatch(kafka.record.default_records.DefaultRecordBatch):
    """kafka-python's batch."""

    _buffer: Any

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer = _Bytes(self._buffer)
            return super()._read_msg()


class _PlainBatch(_DefaultRecordBatchPy):
    """aiokafka's batch, read in Python: some ten times as slow as its extension."""

    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)


class _PlainBatches(_MemoryRecordsPy):
    """The batches of what a broker answered that reach beyond an offset, each to be read in Python."""

    def __init__(self, raw: bytes, offset: int) -> None:
        super().__init__(raw)
        while self._next_slice is not None and _PlainBatch(self._next_slice).next_offset <= offset:
            self._cache_next()

    def next_batch(self) -> Any:
        raw = self._next_slice
        batch = super().next_batch()
        has_headers = isinstance(batch, DefaultRecordBatch) and not batch.is_control_batch
        return _PlainBatch(raw) if has_headers else batch


class _Records(MemoryRecords):
    """What a broker answered of one partition, with its bytes."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw = raw


class _PartitionRecords(aiokafka.consumer.fetcher.PartitionRecords):
    """The unread records of a partition; those that the extension cannot decode are read in Python, with what follows.

    A batch that is read anew begins with records that were read before: their offsets are passed, so they are skipped.
    """

    _records: Any
    _records_iterator: Any

    def __next__(self) -> Any:
        try:
            return next(self._records_iterator)
        except StopIteration:
            self._records_iterator = None
            raise
        except (UnicodeDecodeError, CorruptRecordException):
            if isinstance(self._records, _PlainBatches):
                raise
            self._records = _PlainBatches(self._records.raw, self.next_fetch_offset)
            self._records_iterator = self._unpack_records()
            return next(self)
