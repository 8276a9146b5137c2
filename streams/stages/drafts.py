"""Records of the topic `news` as drafts: what can be known of them without the classifier, and what is bad in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from streams.archive.protocol import Claims
from streams.engine.ports import Send
from streams.engine.runs import Record, Run
from streams.engine.ticks import ClockLimit
from streams.errors import Reject
from streams.feeds.dates import LATEST_MS
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.feeds.rejects import parked_send
from streams.records import News, Position, Scored, Story
from streams.stages.reader import ReadItem, TextReader
from streams.text.stories import StoryIndex
from streams.topics import END_HEADER

__all__ = ["Draft", "ReadNews", "RecordReader", "end_of_replay"]

_LONGEST_TIME = len(str(LATEST_MS))


class ReadNews(msgspec.Struct, frozen=True, gc=False):
    """An item before the classifier has seen it."""

    news: News
    item: ReadItem
    position: Position
    story: Story


@dataclass(slots=True)
class Draft:
    """What a chunk of a run turned into before anything was written; `now_ms` is when it was read.

    `newest_ms` is the latest time at which an item claims to have been seen, by `newest_source`; `progress_ms` what
    event time may make of it.
    """

    now_ms: int
    read: list[ReadNews] = field(default_factory=list)
    items: list[Scored] = field(default_factory=list)
    rejects: list[Send] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    progress_ms: int = 0
    newest_ms: int = 0
    newest_source: str = ""
    claims: Claims | None = None


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Maps, checks and reads records; those that cannot be read go to the topic `rejects`. `clock` gives ms.

    `limit` bounds event time while the stream is live: an item that claims to be seen later says nothing of how far the
    partition has come, but where it is read to its end that is known. None is a replay: time follows the records alone,
    and a record with the header `END_HEADER` ends it.
    """

    reader: TextReader
    field_map: FieldMap
    rejects: str
    clock: Callable[[], int]
    limit: ClockLimit | None = None

    def draft(self, run: Run, records: Sequence[Record], stories: StoryIndex) -> Draft:
        """Read `records` of a run; takes long, so it is for a worker thread, one chunk after the other."""
        draft = Draft(now_ms=self.clock())
        latest_ms = LATEST_MS if self.limit is None else self.limit.latest_ms()
        for record in records:
            end_ms = end_of_replay(record) if record.headers and self.limit is None else None
            if end_ms is not None:
                draft.progress_ms = max(draft.progress_ms, end_ms)
                continue
            try:
                news = news_from_record(record.value, record.timestamp_ms, self.field_map, draft.now_ms)
                item = self.reader.read(news)
            except Reject as reject:
                draft.rejects.append(self.reject(run, record, reject, draft.now_ms))
                draft.reasons.append(reject.reason)
                continue
            if news.seen_ms > draft.newest_ms:
                draft.newest_ms, draft.newest_source = news.seen_ms, news.source
            if news.seen_ms <= latest_ms:
                draft.progress_ms = max(draft.progress_ms, news.seen_ms)
            position = Position(run.epoch, run.partition, record.offset)
            draft.read.append(ReadNews(news, item, position, stories.assign(news.id, item.words, news.seen_ms)))
        if run.reaches_end and records[-1].offset == run.last_offset:
            draft.progress_ms = max(draft.progress_ms, min(draft.newest_ms, latest_ms))
        return draft

    def first_seen_ms(self, run: Run) -> int:
        """When the run's first item was seen: a replay's stands in the item alone, its record may be dated today."""
        for record in run.records:
            try:
                news = news_from_record(record.value, record.timestamp_ms, self.field_map, self.clock())
            except Reject:
                continue
            return news.seen_ms
        return run.records[0].timestamp_ms

    def reject(self, run: Run, record: Record, reject: Reject, now_ms: int) -> Send:
        """The record, parked with the reason."""
        return parked_send(self.rejects, "news", run, record, reject, at_ms=now_ms)


def end_of_replay(record: Record) -> int | None:
    """The time (ms) that the header of a replay's last record names; None without one, or where it names no time."""
    value = next((value for name, value in record.headers if name == END_HEADER), None)
    if value is None or len(value) > _LONGEST_TIME or not value.isdigit():
        return None
    end_ms = int(value)
    return end_ms if end_ms < LATEST_MS else None
