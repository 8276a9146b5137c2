"""A file played back as if its items arrived at their own dates.

    Input ── entries ──┬── dates ── clock.stamp ──┐
                       └──────────────────────────┴── to_news ── batch ── Publisher ── note of progress
                                    at the end: an `end` record to every partition

Killed and started again it goes on after its last published line; a file that was played to its end publishes
nothing. The note stands in the same transaction as the records (embedded) or follows them (Kafka). The same file with
another field map or another of `ReplayOptions.inputs` is another input: it is played from its first line while nothing
of it has been counted, and refused afterwards.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from streams.engine.ports import Send
from streams.errors import Reject, SettingsError
from streams.feeds.clock import stamp
from streams.feeds.fieldmap import FieldMap, dated_ms, published_ms, to_news
from streams.feeds.lines import Entry, FileDamaged, Input, ndjson_entries, recognised
from streams.feeds.pace import Pace
from streams.feeds.preview import check_table, previewed
from streams.feeds.progress import CountedUntil, Counts, Kept, ReplayProgress, content_key, progress_key, went_on
from streams.feeds.publisher import Publisher
from streams.feeds.rejects import Unprocessed, reject_send
from streams.feeds.table import csv_entries
from streams.limits import check_records
from streams.records import News
from streams.text.signature import partition_key
from streams.topics import END_HEADER
from streams.wall_clock import wall_clock_ms

__all__ = ["Replay", "ReplayOptions", "ReplayProgress"]

_FORMATS = ("auto", "ndjson", "csv")
_WAIT_SECONDS = 0.05  # between two looks at the lag
_END_KEY = END_HEADER.encode()  # Kafka takes no record without key and value

encode = msgspec.json.Encoder().encode
OnProgress = Callable[[ReplayProgress], None]


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How a file is played.

    `format` is auto, ndjson or csv; `speed` as in `Pace`. `lateness_ms` and `hop_ms` are those of the namespace.
    `inputs` names what else decides the result (watchlists, the profile), each with a hash of its content.
    With `lag` (how many published records are not processed yet) the replay waits while more than `max_lead` are.
    """

    fieldmap: FieldMap = field(default_factory=FieldMap.default)
    format: str = "auto"
    delimiter: str | None = None
    speed: float = 0.0
    lateness_ms: int = 5_000
    hop_ms: int = 30_000
    inputs: Mapping[str, str] = field(default_factory=dict)
    batch_lines: int = 500
    lag: Callable[[], int] | None = None
    max_lead: int = 20_000

    def __post_init__(self) -> None:
        if self.format not in _FORMATS:
            raise SettingsError(f"format {self.format!r} is unknown; use one of {', '.join(_FORMATS)}")


class Replay:
    """Plays one file into the topics of one namespace.

    replay = Replay("news.ndjson.gz", news_topic=topics.news, rejects_topic=topics.rejects)
    done = replay.run(publisher, on_progress=bar.show, stop=threading.Event())
    """

    def __init__(
        self, path: str | Path, *, news_topic: str, rejects_topic: str, options: ReplayOptions | None = None
    ) -> None:
        self.path = path
        self.news_topic = news_topic
        self.rejects_topic = rejects_topic
        self.options = options or ReplayOptions()

    def preview(self) -> None:
        """Looks at the first lines alone; raises what `run` would raise before it publishes anything of the file."""
        source = Input(self.path)
        try:
            _opened(source, self.options)
        finally:
            source.close()

    def run(
        self,
        publisher: Publisher,
        on_progress: OnProgress = lambda _progress: None,
        stop: threading.Event | None = None,
        *,
        now_ms: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> ReplayProgress:
        """Publishes the file from where an earlier run stopped, until its end or until `stop` is set.

        `on_progress` hears of every batch. `clock` is monotonic, in seconds, for `speed`.
        Raises `ReplayRefused` when the namespace has counted later items already, or this file with other inputs;
        `FileDamaged` after the lines that could be read; `FileUnusable` and other `SettingsError`s for a file or an
        option that cannot be used; and what the publisher raises. Whatever was raised, a later run goes on.
        """
        source = Input(self.path)
        try:
            playing = _Playing(self, source, publisher, wall_clock_ms() if now_ms is None else now_ms)
            return playing.play(on_progress, stop or threading.Event(), clock)
        finally:
            source.close()


def _opened(source: Input, options: ReplayOptions) -> Iterator[Entry]:
    """The file's entries, of which the first can be used; raises `FileUnusable` otherwise."""
    form, lines = recognised(options.format, source)
    if form == "csv":
        entries = csv_entries(check_table(lines, source.name), options.delimiter)
    else:
        entries = ndjson_entries(lines)
    return previewed(entries, options.fieldmap.with_source(source.stem), source.name)


@dataclass(frozen=True, slots=True)
class _Timed:
    """An entry with its `seen`, and whether it names a date at all."""

    entry: Entry
    seen_ms: int
    dated: bool


class _Playing:
    """One run of a replay: what was read and published so far."""

    def __init__(self, replay: Replay, source: Input, publisher: Publisher, now_ms: int) -> None:
        self._replay, self._options = replay, replay.options
        self._source, self._publisher, self._now_ms = source, publisher, now_ms
        self._fieldmap = replay.options.fieldmap.with_source(source.stem)
        self._key = progress_key(source.fingerprint) if source.fingerprint else None
        note = publisher.progress(self._key) if self._key else None
        before = msgspec.json.decode(note, type=Kept) if note else None
        self._inputs = {"field map": self._options.fieldmap.fingerprint(), **replay.options.inputs}
        self._kept, self._again = went_on(before, source.name, self._inputs)
        self._partitions = publisher.partitions(replay.news_topic)
        self._counts = Counts(replay.options.lateness_ms, self._kept, self._inputs)
        self._counted_until = CountedUntil.load(publisher, self._kept, source)
        self._damage: FileDamaged | None = None

    def play(self, on_progress: OnProgress, stop: threading.Event, clock: Callable[[], float]) -> ReplayProgress:
        if self._kept.complete:
            return self._counts.already_complete(self._source)
        for batch in self._batches(stop, clock):
            if self._wait_for_lag(stop):
                break
            self._publish(batch)
            on_progress(self._counts.snapshot(self._source))
        if self._damage is not None:
            raise self._damage
        if not stop.is_set():
            self._finish()
            on_progress(self._counts.snapshot(self._source))
        return self._counts.snapshot(self._source)

    # -- reading

    def _timed(self) -> Iterator[_Timed]:
        """All entries from the first line on: what was published already is read again, for its dates."""
        dated, ahead = itertools.tee((entry, self._date(entry)) for entry in self._entries())
        stamps = stamp((date for _, date in ahead), now_ms=self._now_ms)
        for seen_ms, (entry, date) in zip(stamps, dated, strict=True):
            self._counts.read(entry, seen_ms, moved=date not in (None, seen_ms))
            if entry.last_line > self._kept.line:
                yield _Timed(entry, seen_ms, date is not None)

    def _date(self, entry: Entry) -> int | None:
        return None if isinstance(entry.record, Reject) else published_ms(entry.record, self._fieldmap)

    def _entries(self) -> Iterator[Entry]:
        """Entries up to the end or to where the file breaks off, which is told after they are published."""
        try:
            yield from _opened(self._source, self._options)
        except FileDamaged as damage:
            self._damage = damage

    def _batches(self, stop: threading.Event, clock: Callable[[], float]) -> Iterator[list[_Timed]]:
        """Up to `batch_lines` entries that are due at the same time."""
        pace = Pace(self._options.speed)
        batch: list[_Timed] = []
        for timed in self._timed():
            if stop.is_set():
                return
            due = pace.wait_seconds(timed.seen_ms, clock()) <= 0
            if batch and (not due or len(batch) >= self._options.batch_lines):
                yield batch
                batch = []
            if not due and stop.wait(pace.wait_seconds(timed.seen_ms, clock())):
                return
            batch.append(timed)
        if batch:
            yield batch

    def _wait_for_lag(self, stop: threading.Event) -> bool:
        """Waits while the stages are too far behind; True when told to stop."""
        lag = self._options.lag
        while lag is not None and lag() > self._options.max_lead:
            if stop.wait(_WAIT_SECONDS):
                return True
        return stop.is_set()

    # -- publishing

    def _publish(self, batch: list[_Timed]) -> None:
        news: list[News] = []
        sends: list[Send] = []
        rejected = 0
        for timed in batch:
            try:
                item = self._mapped(timed)
                send = self._news(item)
                check_records([send])
            except Reject as reject:
                sends.append(self._reject(timed.entry, reject))
                rejected += 1
            else:
                news.append(item)
                sends.append(send)
                if self._again:
                    sends.append(Send(self._replay.rejects_topic, self._place(timed.entry).encode(), None))
        if news:
            self._counted_until.check(min(item.seen_ms for item in news), self._source.name)
            self._counted_until.raise_to(max(item.seen_ms for item in news))
        self._counts.publish([item.seen_ms for item in news], rejected=rejected)
        self._publisher.publish(sends, self._notes(batch[-1].entry.last_line))

    def _mapped(self, timed: _Timed) -> News:
        record = timed.entry.record
        if isinstance(record, Reject):
            raise record
        if not timed.dated:
            dated_ms(record, self._fieldmap)  # raises: what is undated would take the time of its neighbours
        return to_news(record, self._fieldmap, seen_ms=timed.seen_ms, now_ms=self._now_ms)

    def _news(self, item: News) -> Send:
        key = partition_key(item.title)
        return Send(self._replay.news_topic, key, encode(item), timestamp_ms=item.seen_ms)

    def _reject(self, entry: Entry, reject: Reject) -> Send:
        raw, size, seen_ms = entry.raw, entry.size, None
        if isinstance(entry.record, Mapping):
            seen_ms = published_ms(entry.record, self._fieldmap)
            if not raw.lstrip().startswith(b"{"):  # a row of CSV without its header could never be read again
                raw = encode(entry.record)
                size = len(raw)
        found = Unprocessed(self._place(entry), self._source.name, raw, size, seen_ms)
        return reject_send(self._replay.rejects_topic, found, reject, self._now_ms)

    def _place(self, entry: Entry) -> str:
        return f"file:{self._source.name}:{entry.line}"

    def _notes(self, line: int, *, complete: bool = False) -> dict[str, str]:
        notes = self._counted_until.notes()
        if self._key is not None:
            notes[content_key(self._source.name)] = self._source.fingerprint or ""
            notes[self._key] = self._counts.note(self._source.name, line, complete=complete)
        return notes

    def _finish(self) -> None:
        """Lets the watermark run to the file's end, in every partition, and closes the note."""
        ends: list[Send] = []
        last_ms = self._counts.published_until_ms
        if last_ms is not None:
            progress_ms = last_ms + self._options.lateness_ms + self._options.hop_ms
            header = (END_HEADER, str(progress_ms).encode())
            ends = [
                Send(self._replay.news_topic, _END_KEY, None, partition, (header,), progress_ms)
                for partition in range(self._partitions)
            ]
        self._publisher.publish(ends, self._notes(self._counts.lines, complete=True))
        self._counts.complete = True
