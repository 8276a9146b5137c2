"""The judge's rows, whole again after any crash. Pure.

    changed rows ─► journal ("w/0", …, "w") ─► the rows themselves ("j/…") ─► the partition row "p"
                       └─ after a crash in between: its rows hold, and the log goes on behind it

A crash leaves some rows of a write and not others, and of a row that was written the one before is gone. The judge
decides by all of them together, so what it changes is in the journal first: "w" is written last of its parts, and says
up to which own offset its rows are. Plans and events need none: a redo plans them again, under the same names.

Each row carries the own offset at which it was written. A worker that was paused past its session may write rows late:
those of a key that its successor has not written since are ahead of the partition row, and do not count. To make sure
of the others, a worker that takes a partition over writes all of them again, and deletes again what was deleted last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

__all__ = ["JOURNAL_KEY", "JOURNAL_PREFIX", "JUDGE_PREFIX", "JudgeRows", "empty_journal", "journaled", "restored"]

JUDGE_PREFIX = "j/"
JOURNAL_KEY = "w"
JOURNAL_PREFIX = "w/"

_PART_BYTES = 512 << 10

Changed = Mapping[str, bytes | None]


class _Row(msgspec.Struct, frozen=True, array_like=True):
    own_offset: int
    row: bytes


class _Part(msgspec.Struct, frozen=True, array_like=True):
    """Rows by key, None for those that are deleted. `parts` is how many others the journal has, in its last part."""

    own_offset: int
    rows: dict[str, bytes | None]
    parts: int = 0


@dataclass(frozen=True, slots=True)
class JudgeRows:
    """The judge's rows up to `own_offset`. `stored` are the same as they are written, with those to delete."""

    own_offset: int
    rows: Mapping[str, bytes]
    stored: Mapping[str, bytes | None]


_rows = msgspec.msgpack.Decoder(_Row)
_parts = msgspec.msgpack.Decoder(_Part)
_encoder = msgspec.msgpack.Encoder()


def journaled(own_offset: int, changed: Changed) -> dict[str, bytes | None]:
    """Returns what is written for the judge's changes up to the own offset, in this order, before the partition row."""
    if not changed:
        return {}
    *others, last = _cut(changed)
    rows: dict[str, bytes | None] = {
        f"{JOURNAL_PREFIX}{number}": _encoder.encode(_Part(own_offset, part)) for number, part in enumerate(others)
    }
    rows[JOURNAL_KEY] = _encoder.encode(_Part(own_offset, last, len(others)))
    rows |= {key: None if row is None else _stamped(own_offset, row) for key, row in changed.items()}
    return rows


def empty_journal(own_offset: int) -> dict[str, bytes | None]:
    """Returns the journal of a worker that took the partition over; what an earlier one writes late of it is stale."""
    return {JOURNAL_KEY: _encoder.encode(_Part(own_offset, {}))}


def restored(rows: Mapping[str, bytes], own_offset: int) -> JudgeRows:
    """Returns the judge's rows from those of the partition, whose own row is at `own_offset`.

    Raises `msgspec.DecodeError` or `msgspec.ValidationError`.
    """
    stored = {key: _rows.decode(value) for key, value in rows.items() if key.startswith(JUDGE_PREFIX)}
    journal = _journal(rows)
    if journal.own_offset > own_offset:
        own_offset = journal.own_offset
        stored |= {key: _Row(own_offset, row) for key, row in journal.rows.items() if row is not None}
    gone = {key for key, row in journal.rows.items() if row is None} if journal.own_offset == own_offset else set()
    valid = {key: one for key, one in stored.items() if key not in gone and one.own_offset <= own_offset}
    deleted: dict[str, bytes | None] = dict.fromkeys([*gone, *(key for key in stored if key not in valid)])
    again = {key: _encoder.encode(one) for key, one in valid.items()}
    return JudgeRows(own_offset, {key: one.row for key, one in valid.items()}, deleted | again)


def _journal(rows: Mapping[str, bytes]) -> _Part:
    """The last whole journal: parts of a later one may be there already, but not while this one is needed."""
    if JOURNAL_KEY not in rows:
        return _Part(-1, {})
    last = _parts.decode(rows[JOURNAL_KEY])
    found = [_parts.decode(rows[f"{JOURNAL_PREFIX}{number}"]) for number in range(last.parts)]
    changed = {key: row for part in found if part.own_offset == last.own_offset for key, row in part.rows.items()}
    return _Part(last.own_offset, changed | last.rows)


def _cut(changed: Changed) -> Iterator[dict[str, bytes | None]]:
    """The changes in parts that a row can hold."""
    part: dict[str, bytes | None] = {}
    size = 0
    for key, row in changed.items():
        length = len(key) + len(row or b"")
        if part and size + length > _PART_BYTES:
            yield part
            part, size = {}, 0
        part[key] = row
        size += length
    yield part


def _stamped(own_offset: int, row: bytes) -> bytes:
    return _encoder.encode(_Row(own_offset, row))
