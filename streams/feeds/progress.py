"""How far a replay is: what is shown while it runs, and what is kept so that it can go on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from streams.errors import Reject, ReplayRefused
from streams.feeds.lines import Entry, Input
from streams.feeds.publisher import Publisher

__all__ = [
    "COUNTED_UNTIL",
    "CountedUntil",
    "Counts",
    "Kept",
    "ReplayProgress",
    "content_key",
    "progress_key",
    "went_on",
]

COUNTED_UNTIL = "counted_until"
"""Note: the largest `seen` (UTC epoch milliseconds, in decimal) that was published into a namespace."""


def progress_key(fingerprint: str) -> str:
    return f"replay:{fingerprint}"


def content_key(name: str) -> str:
    """Key of the note of which content was last published under this name of a file."""
    return f"content:{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}"


class Kept(msgspec.Struct, frozen=True):
    """The note of one file. `line` is the last whose records are published; `seen_ms` their largest `seen`.

    `inputs` are those it was played with: what decides the result besides its bytes, each with a hash.
    """

    name: str
    line: int = 0
    published: int = 0
    rejected: int = 0
    seen_ms: int | None = None
    complete: bool = False
    inputs: Mapping[str, str] = {}


def went_on(before: Kept | None, name: str, inputs: Mapping[str, str]) -> tuple[Kept, bool]:
    """The note to go on from, and whether the file is played again over what an earlier run had parked of it.

    With other inputs than before a file is played from its first line, unless some of it was published: that is
    counted already, and `ReplayRefused` is raised.
    """
    if before is None:
        return Kept(name, inputs=inputs), False
    other = sorted(what for what in inputs.keys() | before.inputs.keys() if inputs.get(what) != before.inputs.get(what))
    if not other:
        return before, False
    if before.published:
        raise ReplayRefused(
            f"{name} was played into this namespace with another {' and another '.join(other)}, and its items are "
            "counted: play it into a namespace of its own with the new one (--into NAME), or again with the old one"
        )
    return Kept(name, inputs=inputs), True


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """Counts since the file's first line, also after a restart. Bytes are those of the file as stored.

    `lines` have been read; `published` items and `rejected` records stand on their topics; `moved` items had a
    date that their neighbours did not bear out, and got the local clock as `seen`; `disordered` items
    stand later in the file than the lateness allows; `skipped` records were published by an earlier run.
    `trailing` says that bytes behind the compressed data were left out, `complete` that the end was published,
    `already_complete` that an earlier run had done so.
    """

    name: str
    lines: int
    bytes_read: int
    bytes_total: int | None
    published: int
    rejected: int
    moved: int
    disordered: int
    skipped: int
    last_seen_ms: int | None
    complete: bool
    already_complete: bool = False
    trailing: bool = False


class Counts:
    """Counts up while a file is read and published."""

    def __init__(self, lateness_ms: int, kept: Kept, inputs: Mapping[str, str]) -> None:
        self._lateness_ms = lateness_ms
        self._inputs = inputs
        self._kept = kept
        self.lines = self.moved = self.disordered = self.skipped = 0
        self.published, self.rejected = kept.published, kept.rejected
        self.published_until_ms = kept.seen_ms
        self._highest_ms: int | None = None
        self.complete = False

    def read(self, entry: Entry, seen_ms: int, *, moved: bool) -> None:
        """Counts one entry as read; `moved` when `seen_ms` is not its own date."""
        self.lines = entry.last_line
        self.skipped += entry.last_line <= self._kept.line
        if isinstance(entry.record, Reject):
            return
        self.moved += moved
        highest = self._highest_ms
        self.disordered += highest is not None and seen_ms < highest - self._lateness_ms
        self._highest_ms = seen_ms if highest is None else max(highest, seen_ms)

    def publish(self, seen_ms: Sequence[int], *, rejected: int) -> None:
        """Counts one batch as published: the `seen` of its items, and how many records were rejected."""
        self.published += len(seen_ms)
        self.rejected += rejected
        until_ms = self.published_until_ms
        self.published_until_ms = max(seen_ms if until_ms is None else (until_ms, *seen_ms), default=None)

    def note(self, name: str, line: int, *, complete: bool) -> str:
        kept = Kept(name, line, self.published, self.rejected, self.published_until_ms, complete, self._inputs)
        return msgspec.json.encode(kept).decode()

    def snapshot(self, source: Input) -> ReplayProgress:
        return ReplayProgress(
            name=source.name,
            lines=self.lines,
            bytes_read=source.position_bytes(),
            bytes_total=source.total_bytes,
            published=self.published,
            rejected=self.rejected,
            moved=self.moved,
            disordered=self.disordered,
            skipped=self.skipped,
            last_seen_ms=self.published_until_ms,
            complete=self.complete,
            trailing=source.trailing,
        )

    def already_complete(self, source: Input) -> ReplayProgress:
        """What an earlier run published; nothing was read now."""
        kept = self._kept
        return ReplayProgress(
            name=source.name,
            lines=kept.line,
            bytes_read=0,
            bytes_total=source.total_bytes,
            published=kept.published,
            rejected=kept.rejected,
            moved=0,
            disordered=0,
            skipped=kept.published + kept.rejected,
            last_seen_ms=kept.seen_ms,
            complete=True,
            already_complete=True,
        )


class CountedUntil:
    """Guards a namespace: nothing may be appended before what its windows have counted."""

    def __init__(self, until_ms: int | None, resumed_ms: int | None, *, changed: bool = False) -> None:
        self._until_ms = until_ms
        self._resumed_ms = resumed_ms
        self._changed = changed
        self._checked = False

    @classmethod
    def load(cls, publisher: Publisher, kept: Kept, source: Input) -> CountedUntil:
        note = publisher.progress(COUNTED_UNTIL)
        before = publisher.progress(content_key(source.name)) if source.fingerprint else None
        return cls(
            None if note is None else int(note), kept.seen_ms, changed=before not in (None, "", source.fingerprint)
        )

    def check(self, first_ms: int, name: str) -> None:
        """Raises `ReplayRefused` unless the file begins, or goes on, at or after what is counted.

        Asked once: after its first batch a file is followed in its own disorder.
        """
        begins_ms = first_ms if self._resumed_ms is None else self._resumed_ms
        if not self._checked and self._until_ms is not None and begins_ms < self._until_ms:
            raise ReplayRefused(self._refusal(begins_ms, self._until_ms, name))
        self._checked = True

    def _refusal(self, begins_ms: int, until_ms: int, name: str) -> str:
        if self._changed and self._resumed_ms is None:
            return (
                f"a file {name} with other content was played into this namespace, and its items are counted (until"
                f" {_shown(until_ms)}): the file has grown or changed since, or this is another file of that name. Play"
                " it whole into a namespace of its own (--into NAME), or only the lines that are new, as a file, into"
                " this one"
            )
        verb = "starts" if self._resumed_ms is None else "stopped"
        return (
            f"{name} {verb} at {_shown(begins_ms)}, and this namespace has counted until {_shown(until_ms)};"
            " replay it into a namespace of its own (--into NAME)"
        )

    def raise_to(self, seen_ms: int) -> None:
        self._until_ms = seen_ms if self._until_ms is None else max(self._until_ms, seen_ms)

    def notes(self) -> dict[str, str]:
        return {} if self._until_ms is None else {COUNTED_UNTIL: str(self._until_ms)}


def _shown(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
