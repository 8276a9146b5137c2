"""The one place that configures logs: our loggers' and libraries' lines through one chain, as JSON or for people.

loggers of `streams.logs` ─┐
faust, aiokafka, … ────────┴► level, logger, UTC time ─► JSON line | coloured text ─► secrets masked ─► standard error
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TextIO
from urllib.parse import SplitResult, urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from streams.errors import described
from streams.logs import send_logs_to, set_levels, unexpected
from streams.net.request_lines import shorten_request_lines
from streams.observe.log_lines import LineHandler
from streams.settings import Settings
from streams.terminal import safe_json, visible

__all__ = ["Repeats", "mask", "secrets_of", "set_up_logs", "shown"]

_TALKATIVE = ("aiokafka", "elastic_transport", "faust", "httpx", "kafka", "mode", "streams.transport")
"""At INFO these log each service that starts and each request: shown are their warnings and, at DEBUG, everything."""
_ERRORS_ALONE = {
    "mode.timers": logging.ERROR,  # a slow commit is no news
    "kafka": logging.ERROR,  # its calls end in an error of ours, or are repeated
    "kafka.net.selector": logging.ERROR,  # "ran for 0.1 s": a busy machine, nothing to do
    "elastic_transport.node_pool": logging.ERROR,  # the archive logs it once
}
_OF_LINES = frozenset({"exception", "stack"})
_OURS = ("alerts", "models", "streams")
_REPEATS_SECONDS = 30.0
_REPEATS_SHOWN = 3
_KINDS_KEPT = 1_000
_LEAST_SECRET = 4  # a shorter "secret" would mask half of each line
_USERINFO = re.compile(r"(?<=://)[^/@\s\"']+@")


def set_up_logs(stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
    """Logs go to `stream` from MOODWIRE_LOG_LEVEL up, in MOODWIRE_LOG_FORMAT.

    A wrong level or format is an error of the command, when it reads its settings; here it means the default.
    """
    level = logging.getLevelNamesMapping().get(environment.get("MOODWIRE_LOG_LEVEL", "").upper(), logging.WARNING)
    as_json = environment.get("MOODWIRE_LOG_FORMAT", "").lower() == "json"
    handler = LineHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _ours_without_traceback,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_json_chain() if as_json else _text_chain(colours=stream.isatty())),
                _Masking(secrets_of(environment)),
            ],
        )
    )
    handler.addFilter(Repeats())
    shorten_request_lines(mask(secrets_of(environment)))
    send_logs_to(handler, level)
    set_levels(dict.fromkeys(_TALKATIVE, logging.NOTSET if level < logging.INFO else max(level, logging.WARNING)))
    set_levels(_ERRORS_ALONE)


def _ours_without_traceback(logger: WrappedLogger, name: str, line: EventDict) -> EventDict:  # noqa: ARG001  # structlog's
    """An error of ours says all in its text, whoever logs it; Faust and asyncio log up to 175 lines of traceback."""
    error = _exception_of(line.get("exc_info"))
    if error is None or unexpected(error) is not None:
        return line
    del line["exc_info"]
    if described(error) not in f"{line['event']} {line.get('error', '')}":
        line["error"] = described(error)
    return line


def _exception_of(exc_info: object) -> BaseException | None:
    """The exception of a log call: it is given itself, as `sys.exc_info()`, or as True for the one in hand."""
    if exc_info is True:
        exc_info = sys.exc_info()
    found = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    return found if isinstance(found, BaseException) else None


def _json_chain() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        _json_for_terminals,
    ]


def _text_chain(*, colours: bool) -> list[Processor]:
    return [
        _visible_values,
        structlog.dev.ConsoleRenderer(
            colors=colours, pad_event_to=0, exception_formatter=_visible_traceback, sort_keys=False
        ),
    ]


def _visible_values(logger: WrappedLogger, name: str, line: EventDict) -> EventDict:  # noqa: ARG001  # structlog's
    """Values from records and servers stay on their line and move no cursor; tracebacks keep their line breaks."""
    return {
        key: (_visible_lines(value) if key in _OF_LINES else visible(value)) if isinstance(value, str) else value
        for key, value in line.items()
    }


def _visible_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    written = io.StringIO()
    structlog.dev.plain_traceback(written, exc_info)
    stream.write(_visible_lines(written.getvalue()))


def _visible_lines(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))


def _json_for_terminals(logger: WrappedLogger, name: str, line: EventDict | str) -> str:  # noqa: ARG001  # structlog's
    return safe_json(str(line))


class Repeats(logging.Filter):
    """Lets three messages of a kind through in 30 s and counts the others.

    A Kafka client whose broker is unreachable logs a hundred errors a second: 1 MB in half a minute. A kind is a
    library's logger and its text before the arguments are filled in; lines of our own loggers all pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not isinstance(record.msg, str) or record.name.partition(".")[0] in _OURS:
            return True
        key, now = (record.name, record.msg), self._clock()
        begun, count = self._seen.get(key, (now, 0))
        if now - begun < _REPEATS_SECONDS:
            self._seen[key] = begun, count + 1
            return count < _REPEATS_SHOWN
        if len(self._seen) > _KINDS_KEPT:
            self._seen.clear()
        self._seen[key] = now, 1
        if count > _REPEATS_SHOWN:
            record.msg = f"{record.msg} ({count - _REPEATS_SHOWN} more like it were left out)"
        return True


class _Masking:
    """The last processor: takes the finished line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._mask = mask(secrets)

    def __call__(self, logger: WrappedLogger, name: str, line: EventDict | str) -> str:  # noqa: ARG002  # structlog's
        return self._mask(str(line))


def mask(secrets: Iterable[str]) -> Callable[[str], str]:
    """Returns a function that masks the secrets in a text, and names and passwords in its addresses."""
    written = {form for secret in secrets for form in (secret, json.dumps(secret, ensure_ascii=False)[1:-1])}
    pattern = re.compile("|".join(re.escape(form) for form in sorted(written, key=len, reverse=True)) or r"(?!)")

    def masked(text: str) -> str:
        return _USERINFO.sub("***@", pattern.sub("***", text))

    return masked


def shown(address: str) -> str:
    """Returns an address without its name and password."""
    return mask(())(address)


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """Returns every secret of the settings, and those parts of a secret address that give it away."""
    found: set[str] = set()
    for name, field in Settings.model_fields.items():
        value = environment.get(f"MOODWIRE_{name.upper()}", "")
        if not value:
            continue
        parts = _split(value)
        if "SecretStr" in str(field.annotation) or field.annotation is SecretStr:
            found.add(value)
            if parts is not None:
                found.update((parts.path, parts.path.strip("/"), parts.query))
        if parts is not None and parts.password:
            found.add(parts.password)
    return {secret for secret in found if len(secret) >= _LEAST_SECRET}


def _split(value: str) -> SplitResult | None:
    """An address in its parts; None for what is none, or a malformed one, which the settings refuse."""
    try:
        return urlsplit(value) if "://" in value else None
    except ValueError:
        return None
