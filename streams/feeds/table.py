"""CSV, row by row, such that one broken row costs that row and no neighbour.

A quote that is never closed makes a CSV reader swallow every line that follows. Rows are therefore gathered line by
line until their quotes are even; a gathered row that is too long, or spans lines and does not fit the header,
gives up its first line alone and reading goes on at the second.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from streams.errors import Reject, SettingsError
from streams.feeds.lines import Entry, Line, checked
from streams.feeds.rejects import RAW_LIMIT

__all__ = ["csv_entries", "sniff_delimiter"]

_DELIMITERS = ",;\t|"
_LONGEST_ROW_LINES = 1_000
_LONGEST_ROW_BYTES = 1024 * 1024  # of a row that spans lines; a single line may be longer
_LONGEST_CELL = 2**31 - 1  # csv's own bound is 128 KiB, for the whole process; lines are bounded already


def csv_entries(lines: Iterator[Line], delimiter: str | None = None) -> Iterator[Entry]:
    """The first row names the columns; empty cells count as absent. `delimiter` None: taken from the first row.

    Raises `SettingsError` when the first row names no columns or the delimiter is no single character.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise SettingsError(f"delimiter {delimiter!r} must be one character, such as ',' or ';'")
    csv.field_size_limit(_LONGEST_CELL)
    rows = _Rows(lines, delimiter)
    header = rows.header()
    if not header:
        return
    while (group := rows.next_group()) is not None:
        yield rows.entry(group, header)


def sniff_delimiter(header: str) -> str:
    """The delimiter that a header line uses most, outside quotes; a comma when it uses none."""
    outside = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


class _Rows:
    def __init__(self, lines: Iterator[Line], delimiter: str | None) -> None:
        self._lines = lines
        self._pushed_back: deque[Line] = deque()
        self._delimiter = delimiter

    def header(self) -> list[str]:
        group = self.next_group()
        if group is None:
            return []
        text = _text(group).removeprefix("\ufeff")
        if self._delimiter is None:
            self._delimiter = sniff_delimiter(text)
        names = [name.strip() for name in self._cells(text)]
        if not any(names) or len({name for name in names if name}) != sum(map(bool, names)):
            raise SettingsError(
                f"line {group[0].number}: a CSV file starts with a row of different column names, got {names}"
            )
        return names

    def next_group(self) -> list[Line] | None:
        """The lines of the next row: one, or several while a quoted cell is open; None at the end."""
        first = next((line for line in iter(self._next_line, None) if line.data.strip()), None)
        if first is None:
            return None
        group, quotes, size = [first], first.data.count(b'"'), first.size
        while quotes % 2 and not first.too_long:
            line = self._next_line()
            if line is None:
                break
            group.append(line)
            quotes, size = quotes + line.data.count(b'"'), size + line.size
            if len(group) > _LONGEST_ROW_LINES or size > _LONGEST_ROW_BYTES:
                break
        return group if quotes % 2 == 0 else self._first_alone(group)

    def entry(self, group: list[Line], header: list[str]) -> Entry:
        record: dict[str, str] | Reject
        try:
            record = self._record(group, header)
        except Reject as reject:
            group, record = self._first_alone(group), reject
        raw = b"\n".join(line.data for line in group)
        return Entry(group[0].number, group[-1].number, record, raw[:RAW_LIMIT], sum(line.size for line in group))

    def _record(self, group: list[Line], header: list[str]) -> dict[str, str]:
        checked(group[0])
        cells = self._cells(_text(group))
        if len(cells) != len(header):
            raise Reject("bad_csv", f"the row has {len(cells)} cells, the header names {len(header)}")
        return {name: cell for name, cell in zip(header, cells, strict=True) if name and cell}

    def _cells(self, text: str) -> list[str]:
        try:
            rows = list(csv.reader(text.splitlines(keepends=True), delimiter=self._delimiter or ","))
        except csv.Error as error:
            raise Reject("bad_csv", str(error)) from None
        return rows[0] if len(rows) == 1 else [cell for row in rows for cell in row]

    def _first_alone(self, group: list[Line]) -> list[Line]:
        self._pushed_back.extendleft(reversed(group[1:]))
        return group[:1]

    def _next_line(self) -> Line | None:
        return self._pushed_back.popleft() if self._pushed_back else next(self._lines, None)


def _text(group: list[Line]) -> str:
    return "\n".join(line.data.decode("utf-8", "replace") for line in group)
