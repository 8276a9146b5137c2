"""Log lines go to a standard error that may be stuck or gone without holding up the program."""

from __future__ import annotations

import logging
import os

from streams.observe.log_lines import LineHandler


def _line(text: str) -> logging.LogRecord:
    return logging.LogRecord("streams.x", logging.WARNING, __file__, 0, text, (), None)


def test_lines_that_a_stuck_stream_does_not_take_are_left_out_and_counted() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        handler = LineHandler(stream, most_waiting=3, flush_seconds=0.05)
        text = "x" * 200_000  # more than a pipe holds
        for _ in range(10):
            handler.emit(_line(text))
        handler.flush()
        left_out = handler.left_out
        assert 6 <= left_out <= 7, "three wait, and one may be under way"
        read = bytearray()
        while read.count(b"\n") < 10 - left_out:
            read += os.read(reading, 1_000_000)
        handler.emit(_line("after"))
        while read.count(b"\n") < 12 - left_out:
            read += os.read(reading, 1_000_000)
        os.close(reading)
    last, after = read.decode().splitlines()[-2:]
    assert last == f"{left_out} log lines were left out: standard error took none"
    assert after == "after"


def test_a_stream_that_is_gone_ends_no_program() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        handler = LineHandler(stream)
        handler.emit(_line("lost"))
        handler.flush()
        assert handler.left_out == 1
