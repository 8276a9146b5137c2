"""The parser process: reads documents from standard input and writes what they hold to standard output.

    request   4 bytes of length, JSON of `Request`, 4 bytes of length, the document
    answer    4 bytes of length, MessagePack of `Answer`

It limits itself: memory by the kernel (RLIMIT_AS), processor time by a timer whose signal ends the process even while
it is in C code. It ends with its standard input, so it outlives no parent.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import struct
import sys
import time
from collections.abc import Mapping
from typing import BinaryIO

import msgspec

from streams.errors import Reject
from streams.feeds.documents.document import Document
from streams.feeds.documents.reading import parse_document

__all__ = ["Answer", "Request", "frame", "main"]

_LENGTH = struct.Struct(">I")


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


def frame(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def main(memory_bytes: int) -> None:
    """Serves until standard input ends, or until a document needs more memory than there is."""
    for kind, limit in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already, or macOS has none
            resource.setrlimit(kind, (limit, limit))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes our input
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while (head := _read(requests)) is not None and (body := _read(requests)) is not None:
        request = msgspec.json.decode(head, type=Request)
        answer = _answer(request, body)
        answers.write(frame(msgspec.msgpack.encode(answer)))
        answers.flush()
        if answer.reason == "costly_feed":
            return  # what is left of the memory is anyone's guess


def _answer(request: Request, body: bytes) -> Answer:
    signal.setitimer(signal.ITIMER_PROF, request.cpu_seconds)  # SIGPROF has no handler: it ends the process
    started = time.process_time()
    try:
        document = parse_document(body, request.headers, request.url, most_entries=request.most_entries)
        return Answer(msgspec.structs.replace(document, cpu_seconds=time.process_time() - started))
    except Reject as reject:
        return Answer(None, reject.reason, reject.detail, time.process_time() - started)
    except MemoryError:
        return Answer(None, "costly_feed", "the document needs too much memory")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _read(stream: BinaryIO) -> bytes | None:
    """One frame; None at the end."""
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    data = stream.read(size)
    return data if len(data) == size else None


if __name__ == "__main__":
    main(int(sys.argv[1]))
