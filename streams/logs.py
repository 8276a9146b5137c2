"""Loggers: each module of streams gets its own here; `streams.observe.logs` sends what they log to a terminal or file.

    get_logger(__name__) ─► event, fields ─┐
    faust, aiokafka, httpx, … ─► message ──┴─► the standard library ─► handler of `streams.observe.logs`

A line is an operator's: the event says what happened, subject first, and the fields hold the values. Nothing else in
the program names loggers of the standard library. Where no handler was set up, as in a notebook, the host's own rules
apply: a line of ours is its event and its fields as text.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from streams.errors import described, is_ours

__all__ = [
    "FIELDS",
    "SILENT",
    "filter_logger",
    "flush_logs",
    "get_logger",
    "keep_from_log",
    "overheard",
    "send_logs_to",
    "set_levels",
    "unexpected",
]

SILENT: Final = logging.CRITICAL + 1
"""A level above all others."""

FIELDS: Final = {
    "alert": "id of an alert",
    "archive": "address of the archive",
    "attempt": "number of the attempt that failed, from 1",
    "attempts": "attempts made so far",
    "broker": "address of the broker",
    "change": "opened or resolved",
    "channel": "name of a channel that takes notifications",
    "command": "the command to run, with its options",
    "data_dir": "the data folder in effect",
    "detail": "what happened, in words",
    "end_offset": "offset after the last record of the partition",
    "error": "what failed, in words",
    "exc_info": "the traceback of an unexpected error",
    "feed": "name of a feed",
    "first_offset": "offset of the first record",
    "folder": "path of a folder",
    "group": "consumer group of a stage",
    "lag": "records of the partition that follow",
    "last_offset": "offset of the last record",
    "loss": "what is lost, in words",
    "notifications": "number of notifications",
    "offset": "offset of a record",
    "outcome": "what came of a poll",
    "partition": "number of a partition",
    "published": "number of items published",
    "reason": "why, by a short code or in words",
    "records": "number of records",
    "retry_seconds": "seconds until the next attempt",
    "runs": "number of runs",
    "seconds": "duration in seconds",
    "signals": "names of signals",
    "stage": "name of a stage",
    "subject": "what a trouble is about",
    "task": "name of a background task",
    "texts": "number of texts",
    "topic": "name of a topic",
    "url": "an address, without its secrets",
    "version": "version of the alert that a notification is about",
    "warm_up_hours": "length of the warm-up of alerts",
}
"""Every field of our log lines, by name: the same thing has the same name everywhere."""


class _Line(dict[str, Any]):
    """Event and fields of a line; as text where no formatter of ours renders it."""

    def __str__(self) -> str:
        fields = (f"{name}={value}" for name, value in self.items() if name not in ("event", "exc_info"))
        return " ".join([str(self["event"]), *fields])


def _with_error_text(logger: WrappedLogger, method: str, line: EventDict) -> EventDict:  # noqa: ARG001  # structlog's
    if isinstance(error := line.get("error"), BaseException):
        line["error"] = described(error)
    return line


def _as_record(
    logger: WrappedLogger,  # structlog's
    method: str,
    line: EventDict,
) -> tuple[tuple[_Line], dict[str, Any]]:
    """Arguments of a logging call: as structlog's own `wrap_for_formatter`, with the traceback for other handlers."""
    return (_Line(line),), {"exc_info": line.get("exc_info"), "extra": {"_logger": logger, "_name": method}}


_CHAIN: Final = (structlog.stdlib.filter_by_level, _with_error_text, _as_record)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns the logger of the module `name`: ``log.warning("Feed poll failed", feed=name, error=error)``.

    `error` may be an exception: its text is logged. Names of fields are those of `FIELDS`.
    """
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=_CHAIN,
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast("structlog.stdlib.BoundLogger", logger)


def unexpected(error: BaseException) -> BaseException | None:
    """Returns the error for `exc_info`, to log its traceback; None for an error of ours, whose text says all."""
    return None if is_ours(error) else error


def send_logs_to(handler: logging.Handler, level: int) -> None:
    """Sends the lines of all loggers from `level` up to this handler alone."""
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


def flush_logs() -> None:
    """Waits for lines that are on their way, for about a second at most; what is printed next follows them."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def set_levels(levels: Mapping[str, int]) -> dict[str, int]:
    """Sets the least level of loggers by name; returns the levels of before."""
    before = {}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        before[name] = logger.level
        logger.setLevel(level)
    return before


def filter_logger(name: str, filters: logging.Filter) -> None:
    """What the logger `name` logs passes this filter first, whatever handler takes it."""
    logging.getLogger(name).addFilter(filters)


def keep_from_log(name: str) -> None:
    """What the logger `name` logs reaches its own handlers (`overheard`), at no level the log: it has secrets."""
    logger = logging.getLogger(name)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # without one, Python prints warnings to standard error


@contextmanager
def overheard(name: str, handler: logging.Handler) -> Iterator[None]:
    """What the logger `name` logs within the block also goes to this handler."""
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
