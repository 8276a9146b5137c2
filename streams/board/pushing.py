"""News that are pushed: lines in, records of the topic `news` out, and a result for each line. Pure.

    JSON, a JSON array, NDJSON ─► lines ─► the settings' field map ─┬─► News ─► topic news         accepted
                                                                    └─► Reject ─► topic rejects    refused, and why

A line is mapped, limited and refused as a record that others write to the topic `news`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from streams.board.problem import Problem
from streams.board.shapes.news import LineResult, LineStatus
from streams.engine.ports import Send
from streams.errors import Reject
from streams.feeds.fieldmap import FieldMap, news_from_record
from streams.feeds.rejects import Unprocessed, reject_send
from streams.limits import check_records
from streams.text.signature import partition_key
from streams.topics import Topics

__all__ = ["MOST_LINES", "PUSH_TYPES", "Pushed", "lines_of", "pushed"]

MOST_LINES: Final = 10_000

_NDJSON: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
PUSH_TYPES: Final = ("application/json", *_NDJSON)

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Pushed:
    """What is sent, and the result of each line."""

    sends: list[Send]
    results: list[LineResult]


def lines_of(content_type: str, body: bytes) -> list[tuple[int, bytes]]:
    """Returns the records of a body with their numbers: of lines, or of places in the array, from 1.

    Raises `Problem` 415 for another type, 400 for an array that is no JSON, 413 for more than `MOST_LINES`.
    """
    if content_type not in PUSH_TYPES:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is {content_type}; send application/json (an item, or an array of items) or "
            "application/x-ndjson (an item a line)",
        )
    found = list(_lines(body) if content_type in _NDJSON else _items(body))
    if len(found) > MOST_LINES:
        detail = f"there are {len(found):,} items; send at most {MOST_LINES:,} at once"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    return found


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            yield number, line.rstrip(b"\r")


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    if not body.lstrip().startswith(b"["):
        yield 1, body
        return
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from error
    yield from ((number, bytes(item)) for number, item in enumerate(items, start=1))


def pushed(lines: Iterable[tuple[int, bytes]], topics: Topics, field_map: FieldMap, by: str, now_ms: int) -> Pushed:
    """Returns the records of items that `by` pushed, seen now, and of those that are parked."""
    sends: list[Send] = []
    results: list[LineResult] = []
    for number, line in lines:
        try:
            sends.append(_send(line, topics.news, field_map, now_ms))
        except Reject as reject:
            sends.append(_parked(line, topics.rejects, by, reject, now_ms))
            results.append(LineResult(line=number, status=LineStatus.REFUSED, detail=str(reject)))
        else:
            results.append(LineResult(line=number, status=LineStatus.ACCEPTED))
    return Pushed(sends, results)


def _send(line: bytes, topic: str, field_map: FieldMap, now_ms: int) -> Send:
    news = news_from_record(line, now_ms, field_map, now_ms)
    send = Send(topic, partition_key(news.title), _encode(news), timestamp_ms=now_ms)
    check_records([send])
    return send


def _parked(line: bytes, topic: str, by: str, reject: Reject, now_ms: int) -> Send:
    """Named by its content: a line that is pushed again is listed once."""
    name = f"push:{by}:{hashlib.sha256(line).hexdigest()[:32]}"
    return reject_send(topic, Unprocessed(name, source=by, raw=line, seen_ms=now_ms), reject, now_ms)
