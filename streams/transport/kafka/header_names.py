"""Header names that are not UTF-8: brokers take them, and neither client reads past one.

Java's client replaces what it cannot decode. Here the bytes `caf\\xe9` are read as the seven characters `caf\\xe9`, so
that names which differ stay apart and each can be written again. The clients' own readers do the work until one fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex

import aiokafka.consumer.fetcher
import kafka.record.default_records
import kafka.record.memory_records
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

__all__ = ["read_any_header_name"]


def read_any_header_name() -> None:
    """Has both clients read records with any header names, in this process."""
    aiokafka.consumer.fetcher.MemoryRecords = _Batches
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


class _Batch:
    """aiokafka's batch; read anew from its bytes where the extension cannot decode it.

    What comes twice has an offset that aiokafka's consumer has passed, and is skipped there.
    """

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except (UnicodeDecodeError, CorruptRecordException):
            yield from _PlainBatch(self._raw)


class _Batches(_MemoryRecordsPy):
    """What a broker answered of one partition, batch by batch."""

    def next_batch(self) -> Any:
        raw = self._next_slice
        batch = super().next_batch()
        has_headers = isinstance(batch, DefaultRecordBatch) and not batch.is_control_batch
        return _Batch(batch, raw) if has_headers else batch
