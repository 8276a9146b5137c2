"""What no archive can store: numbers beyond 64 bits, text that is no Unicode, ids with a NUL.

Records are checked where they enter (`streams.feeds`), so this is the second line: such an item comes back as
`Refused`, is parked with that reason, and takes no other with it.
"""

from __future__ import annotations

from streams.archive.protocol import Refused, Unscored

__all__ = ["UNENCODABLE", "unencodable", "unstorable"]

UNENCODABLE = (OverflowError, UnicodeEncodeError, TypeError, ValueError, RecursionError)
"""What encoders raise for an item that holds such a thing anywhere."""

_LARGEST = 2**63 - 1
_LONGEST_NAME = 512  # bytes: Elasticsearch's limit for an id


def unstorable(record: Unscored) -> Refused | None:
    """Why the record's keys cannot be stored; None when they can. What else it holds shows when it is encoded."""
    news, position = record.news, record.position
    for name in (news.id, news.content):
        if not (name.isascii() and name.isprintable() and 0 < len(name) <= _LONGEST_NAME // 2) and not _is_name(name):
            return Refused("bad_id", f"the id or content {name[:50]!a} is no key")
    for number in (news.seen_ms, position.offset):
        if not 0 <= number <= _LARGEST:
            return Refused("out_of_range", f"{str(number)[:50]} is no time or offset of 64 bits")
    return None


def unencodable(error: Exception) -> Refused:
    """The refusal of an item whose encoding raised one of `UNENCODABLE`."""
    return Refused("unstorable", f"{type(error).__name__}: {error}"[:500])


def _is_name(name: str) -> bool:
    try:
        return "\0" not in name and 0 < len(name.encode()) <= _LONGEST_NAME // 2
    except UnicodeEncodeError:
        return False
