"""Where exported rows go: CSV on a stream, or a Parquet file, in batches as they come."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from streams.cells import cell
from streams.errors import MoodwireError
from streams.jobs.export import Column, Kind, Rows

__all__ = ["Sink", "csv_sink", "parquet_sink"]

_MS: Final = "_ms"


class Sink(Protocol):
    """Takes rows."""

    def write(self, rows: Rows) -> None: ...


class _Csv:
    def __init__(self, stream: TextIO, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(self._names)

    def write(self, rows: Rows) -> None:
        self._writer.writerows([cell(row[name]) for name in self._names] for row in rows)


def csv_sink(stream: TextIO, columns: Sequence[Column]) -> Sink:
    """Returns what writes CSV with a header; texts that a spreadsheet would run are escaped (`streams.cells`)."""
    return _Csv(stream, columns)


class _Parquet:
    def __init__(self, writer: Any, schema: Any, columns: Sequence[Column]) -> None:
        self._writer = writer
        self._schema = schema
        self._columns = columns

    def write(self, rows: Rows) -> None:
        if not rows:
            return
        arrays = {_name(column): [row[column.name] for row in rows] for column in self._columns}
        self._writer.write_table(_arrow().table(arrays, schema=self._schema))


@contextmanager
def parquet_sink(path: Path, columns: Sequence[Column]) -> Iterator[Sink]:
    """Yields what writes a Parquet file; times are timestamps in UTC, named without _ms.

    Raises `MoodwireError` without pyarrow, and for a file that cannot be written.
    """
    arrow = _arrow()
    from pyarrow import parquet

    schema = arrow.schema([(_name(column), _types()[column.kind]) for column in columns])
    try:
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            yield _Parquet(writer, schema, columns)
    except OSError as error:
        raise MoodwireError(f"{path} cannot be written: {error}; name a file in a folder that exists") from error


def _name(column: Column) -> str:
    return column.name.removesuffix(_MS) if column.kind is Kind.TIME else column.name


def _types() -> Mapping[Kind, Any]:
    arrow = _arrow()
    return {
        Kind.TEXT: arrow.string(),
        Kind.WHOLE: arrow.int64(),
        Kind.NUMBER: arrow.float64(),
        Kind.TIME: arrow.timestamp("ms", tz="UTC"),
    }


def _arrow() -> Any:
    try:
        import pyarrow as pa
    except ModuleNotFoundError as error:
        raise MoodwireError("Parquet needs pyarrow: install moodwire[parquet], or take --format csv") from error
    return pa
