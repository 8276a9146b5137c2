"""The parser process: reads documents from standard input and writes what they hold to standard output.

    request   4 bytes of length, JSON of `Request`, 4 bytes of length, the document
    answer    4 bytes of length, MessagePack of `Answer`

`streams.worker_process` says how it is limited, and how it ends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import BinaryIO

import msgspec

from streams.errors import Reject
from streams.feeds.documents.document import Document
from streams.feeds.documents.reading import parse_document
from streams.worker_process import frame, limit_process, limit_time, read_frame

__all__ = ["Answer", "Request", "main"]


class Request(msgspec.Struct, frozen=True):
    """What goes with a document; `cpu_seconds` is the processor time that it may take."""

    headers: Mapping[str, str]
    url: str
    cpu_seconds: float
    most_entries: int


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document, or why there is none: a reason and detail as `Reject` has them, and the processor time it took."""

    document: Document | None = None
    reason: str = ""
    detail: str = ""
    cpu_seconds: float = 0.0


def main(memory_bytes: int) -> None:
    """Serves until standard input ends, or until a document needs more memory than there is."""
    limit_process(memory_bytes)
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while (head := read_frame(requests)) is not None and (body := read_frame(requests)) is not None:
        request = msgspec.json.decode(head, type=Request)
        answer = _answer(request, body)
        answers.write(frame(msgspec.msgpack.encode(answer)))
        answers.flush()
        if answer.reason == "costly_feed":
            return  # what is left of the memory is anyone's guess


def _answer(request: Request, body: bytes) -> Answer:
    limit_time(request.cpu_seconds)
    started = time.process_time()
    try:
        document = parse_document(body, request.headers, request.url, most_entries=request.most_entries)
        return Answer(msgspec.structs.replace(document, cpu_seconds=time.process_time() - started))
    except Reject as reject:
        return Answer(None, reject.reason, reject.detail, time.process_time() - started)
    except MemoryError:
        return Answer(None, "costly_feed", "the document needs too much memory")
    finally:
        limit_time(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
