"""Files and standard input, line by line, in bounded memory.

    path or '-' ── (gzip, by its magic bytes) ── physical lines ── ndjson or csv ──► Entry(line, record or Reject)

A torn or damaged file gives what was readable, then `FileDamaged`.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

from streams.errors import MoodwireError, Reject, SettingsError
from streams.feeds.gzipped import GZIP_MAGIC, GzipMembers
from streams.feeds.parse import parse_json
from streams.feeds.rejects import RAW_LIMIT

__all__ = ["Entry", "FileDamaged", "Input", "Line", "ndjson_entries", "recognised"]

LINE_LIMIT = 16 * 1024 * 1024  # bytes; a longer line is skipped as `too_long`
_STRING_LIMIT = 400_000  # characters kept of a top-level text while neighbours are compared
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class FileDamaged(MoodwireError):
    """A file ended or broke in the middle; all lines before were handed out."""


@dataclass(frozen=True, slots=True)
class Line:
    """A physical line (1, 2, …) without its end; `size` is its whole length when `data` was cut to the limit."""

    number: int
    data: bytes
    size: int

    @property
    def too_long(self) -> bool:
        return self.size > len(self.data)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line, or one CSV row from `line` on, gave: a record, or why there is none. `raw` is at most 64 KiB.

    `last_line` is the last physical line that belongs to it.
    """

    line: int
    last_line: int
    record: Mapping[str, Any] | Reject
    raw: bytes
    size: int


class Input:
    """An opened file or standard input (path ``-``), decompressed as needed.

    `name` is the file's own name, `total_bytes` its size as stored. Standard input and pipes have neither size nor
    fingerprint, and are read once.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.name = "stdin"
        self.total_bytes: int | None = None
        if self.path == "-" and sys.stdin is None:
            raise SettingsError("standard input is closed: give a file")
        if self.path == "-":
            self._file: BinaryIO = sys.stdin.buffer
        else:
            self._open(Path(path))
        buffered = cast("io.BufferedReader", self._file)
        start = buffered.peek(2)[:2]
        if start in _UTF16_MARKS:
            self.close()
            raise SettingsError(f"{self.path} is UTF-16; convert it: iconv -f UTF-16 -t UTF-8 {self.path}")
        self._members = GzipMembers(buffered) if start == GZIP_MAGIC else None
        self._lines = buffered if self._members is None else io.BufferedReader(self._members)

    def _open(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
            if path.is_file():
                self.total_bytes = path.stat().st_size
        except OSError as error:
            raise SettingsError(f"cannot read {path}: {error.strerror or error}; give a file or '-'") from None
        self.name = path.name

    @cached_property
    def fingerprint(self) -> str | None:
        """The SHA-256 of a file's bytes as stored: the same file under another name is the same file."""
        if self.total_bytes is None:
            return None
        with Path(self.path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def stem(self) -> str:
        """The name without its endings: ``news.ndjson.gz`` -> ``news``."""
        return self.name.split(".", 1)[0] or self.name

    def position_bytes(self) -> int:
        """How far the stored file has been read; 0 where that is unknown."""
        return self._file.tell() if self.total_bytes is not None else 0

    @property
    def trailing(self) -> bool:
        """Whether bytes that are not gzip's were found behind the compressed data, and left out."""
        return self._members is not None and self._members.trailing

    def close(self) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def lines(self) -> Iterator[Line]:
        """Physical lines, blank ones included; raises `FileDamaged` where the file breaks off."""
        number = 0
        try:
            while data := self._lines.readline(LINE_LIMIT + 1):
                number += 1
                size = len(data)
                if size > LINE_LIMIT and not data.endswith(b"\n"):
                    size += self._skip_line()
                    data = data[:RAW_LIMIT]
                    yield Line(number, data, size)
                else:
                    data = data.rstrip(b"\r\n")
                    yield Line(number, data, len(data))
        except (EOFError, zlib.error, OSError) as error:
            raise FileDamaged(
                f"{self.path} breaks off after line {number}: {error}; fetch it again, what was read so far is kept"
            ) from None

    def _skip_line(self) -> int:
        skipped = 0
        while data := self._lines.readline(1 << 20):
            skipped += len(data)
            if data.endswith(b"\n"):
                break
        return skipped


def recognised(form: str, source: Input) -> tuple[str, Iterator[Line]]:
    """The format, and all lines. "auto" goes by the file's name, else by its first line: ``{`` begins NDJSON."""
    lines = source.lines()
    endings = source.name.lower().removesuffix(".gz")
    if form != "auto":
        return form, lines
    if endings.endswith((".csv", ".tsv")):
        return "csv", lines
    if endings.endswith((".ndjson", ".jsonl", ".json")):
        return "ndjson", lines
    blank: list[Line] = []
    for line in lines:
        if line.data.strip():
            is_json = line.data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
            return ("ndjson" if is_json else "csv"), itertools.chain([*blank, line], lines)
        blank.append(line)
    return "ndjson", iter(())


def ndjson_entries(lines: Iterator[Line]) -> Iterator[Entry]:
    """One JSON object a line; blank lines are skipped."""
    for line in lines:
        if not line.data or line.data.isspace():
            continue
        record: Mapping[str, Any] | Reject
        try:
            record = parse_json(checked(line))
            if line.size > _STRING_LIMIT:
                record = trimmed(record)
        except Reject as reject:
            record = reject
        yield Entry(line.number, line.number, record, line.data[:RAW_LIMIT], line.size)


def checked(line: Line) -> bytes:
    if line.too_long:
        raise Reject("too_long", f"the line has {line.size:,} bytes, at most {LINE_LIMIT:,} are read")
    return line.data


def trimmed(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same record, its long texts cut far above what an item keeps: several entries are held at a time."""
    return {k: v[:_STRING_LIMIT] if isinstance(v, str) and len(v) > _STRING_LIMIT else v for k, v in record.items()}
