"""A look at the first lines of a file before anything of it is published: can it be read at all, as asked?

entries ── the first 200 ──┬─ no line is a record ───────────► FileUnusable: what the file is, and what to do
                           ├─ no record has a title, a date ─► FieldsUnknown: its fields, and the map that fits
                           └─ some can be used ──────────────► all entries; what is bad is parked one by one
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streams.errors import Reject, SettingsError
from streams.feeds.dates import parse_date
from streams.feeds.fieldmap import FieldMap, dated_ms, to_news
from streams.feeds.guessing import GuessedMap, fields_of, guess_fieldmap
from streams.feeds.lines import Entry, Line

__all__ = ["FieldsUnknown", "FileUnusable", "check_table", "previewed"]

_LOOKED_AT = 200  # entries
_FEWEST_OF_ANOTHER_ENCODING = 3  # lines; fewer are slips of a source

_FEWEST_DIGITS_OF_A_DATE = 5

_KINDS = (  # how files that are no text begin, what they are, and how they become text
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV (UTF-8)"),
    (b"PAR1", "Parquet", "convert it to NDJSON or CSV"),
    (b"SQLite format 3", "an SQLite database", "export its table as CSV"),
    (b"BZh", "compressed by bzip2", "unpack it: bunzip2 FILE"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it: unxz FILE"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it: unzstd FILE"),
    (b"%PDF", "a PDF", "give the news as NDJSON or CSV"),
)
_ARRAY_TO_LINES = (
    "python3 -c 'import json,sys; [print(json.dumps(x)) for x in json.load(open(sys.argv[1]))]' {name} > news.ndjson"
)


class FileUnusable(SettingsError):
    """No line of a file is a record; nothing of it was published. The text names the file, what it is and the fix."""


class FieldsUnknown(FileUnusable):
    """Records, but none has a title and a date where the field map looks.

    `fields` are those of the records with an example each, `guess` is the field map that would fit.
    """

    def __init__(self, message: str, records: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.fields = {path: values[0] if values else None for path, values in fields_of(records).items()}
        self.guess: GuessedMap = guess_fieldmap(records)


def check_table(lines: Iterator[Line], name: str) -> Iterator[Line]:
    """All of `lines`; raises `FileUnusable` when the first is no header: any bytes would pass as names of columns."""
    first = list(itertools.islice(lines, 1))
    if first and (kind := _other_kind(first[0].data, name)) is not None:
        raise FileUnusable(f"{name}: {kind}")
    return itertools.chain(first, lines)


def previewed(entries: Iterator[Entry], fieldmap: FieldMap, name: str) -> Iterator[Entry]:
    """All of `entries`; raises `FileUnusable` when none of the first can be used. `name` is the file's."""
    first = list(itertools.islice(entries, _LOOKED_AT))
    if first:
        _check_encoding(first, name)
        _check_records(first, fieldmap, name)
    return itertools.chain(first, entries)


def _check_records(first: Sequence[Entry], fieldmap: FieldMap, name: str) -> None:
    records = [entry.record for entry in first if isinstance(entry.record, Mapping)]
    if not records:
        raise FileUnusable(f"{name}: {_what_it_is(first, name)}")
    problems: dict[str, int] = {}
    for record in records:
        problem = _problem(record, fieldmap)
        if problem is None:
            return
        problems[problem] = problems.get(problem, 0) + 1
    worst = max(problems, key=lambda problem: problems[problem])
    if first[0].line > 1 and any(map(_is_data, records[0])):  # a table's first record follows its header
        raise FileUnusable(
            f"{name}: the first line looks like data, not like a header; put the names of the columns in a line "
            "above it, such as published,source,title,url"
        )
    count = f"the first {len(records)} records" if len(records) > 1 else "its only record"
    raise FieldsUnknown(f"{name}: none of {count} can be used: {worst}", records)


def _is_data(column: str) -> bool:
    """Whether it is a date or an address, which no column is called."""
    is_date = sum(map(str.isdigit, column)) >= _FEWEST_DIGITS_OF_A_DATE and parse_date(column) is not None
    return is_date or column.startswith(("http://", "https://"))


def _problem(record: Mapping[str, Any], fieldmap: FieldMap) -> str | None:
    seen_ms, undated = 0, None
    try:
        seen_ms = dated_ms(record, fieldmap)
    except Reject as reject:
        undated = str(reject)
    try:
        to_news(record, fieldmap, seen_ms=seen_ms, now_ms=seen_ms)
    except Reject as reject:
        return str(reject)
    return undated


def _what_it_is(first: Sequence[Entry], name: str) -> str:
    start = first[0].raw
    kind = _other_kind(start, name)
    if kind is not None:
        return kind
    text = start.removeprefix(b"\xef\xbb\xbf").strip()
    if text.startswith(b"["):
        return f"it is one JSON array, not one object a line; convert it: {_ARRAY_TO_LINES.format(name=name)}"
    if text.startswith(b"{") and len(first) > 1:
        return "its JSON objects span lines; write each on one line: jq -c . FILE > news.ndjson".replace("FILE", name)
    reject = first[0].record
    return f"no line of the first {len(first)} can be read; line {first[0].line}: {reject}" + _not_gzip(name)


def _other_kind(start: bytes, name: str) -> str | None:
    """What a file is whose first line no NDJSON and no CSV begins with."""
    for magic, kind, fix in _KINDS:
        if start.startswith(magic):
            return f"it is {kind}; {fix.replace('FILE', name)}"
    if b"\0" in start[:4_096]:
        every_other = start[1:200:2].count(0) > 50 or start[0:200:2].count(0) > 50
        if every_other:
            return f"it looks like UTF-16; convert it: iconv -f UTF-16LE -t UTF-8 {name}"
        return "it is binary; give NDJSON or CSV, plain or gzip" + _not_gzip(name)
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return "it is XML or HTML; `moodwire run` reads feeds (MOODWIRE_FEEDS), a replay reads NDJSON or CSV"
    return None


def _not_gzip(name: str) -> str:
    return " (its name ends in .gz, and it is not gzip)" if name.endswith(".gz") else ""


def _check_encoding(first: Sequence[Entry], name: str) -> None:
    """Lines that are no UTF-8, and none that needs to be: a file in another encoding, not a slip of one source."""
    foreign = [entry for entry in first if not entry.raw.isascii() and not _is_utf8(entry.raw)]
    if len(foreign) < _FEWEST_OF_ANOTHER_ENCODING or b"\0" in first[0].raw:
        return
    if not any(_is_utf8(entry.raw) for entry in first if not entry.raw.isascii()):
        raise FileUnusable(
            f"{name}: it is not UTF-8 (line {foreign[0].line}, and {len(foreign) - 1} more of the first {len(first)}); "
            f"convert it: iconv -f WINDOWS-1252 -t UTF-8 {name} > utf8-{name}"
        )


def _is_utf8(raw: bytes) -> bool:
    """`raw` may be cut within a character."""
    try:
        raw[:-4].decode()
    except UnicodeDecodeError as error:
        return error.start >= len(raw) - 8
    return True
