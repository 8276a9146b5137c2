"""Log lines read alike: loggers have one source, events are plain English, fields have the same names everywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from streams.logs import FIELDS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [path for name in ("alerts", "models", "streams") for path in sorted((ROOT / name).rglob("*.py"))]
LOGGERS = ROOT / "streams" / "logs.py"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
OF_LIBRARIES = {
    ("logging", "getLogger"),
    ("logging", "basicConfig"),
    ("structlog", "get_logger"),
    ("structlog", "wrap_logger"),
}


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


def called(call: ast.Call) -> tuple[str, str]:
    """The name before the last dot and the name after it, as far as they are names."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return owner, name
        case ast.Attribute(value=ast.Attribute(attr=owner), attr=name):
            return owner, name
        case ast.Name(id=name):
            return "", name
    return "", ""


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    for path in SOURCES:
        for call in calls(path):
            owner, name = called(call)
            if owner == "log" and name in LEVELS:
                yield f"{path.relative_to(ROOT)}:{call.lineno}", call


def test_loggers_have_one_source_and_nothing_prints() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in calls(path)
        if (path != LOGGERS and called(call) in OF_LIBRARIES) or called(call) == ("", "print")
    ]
    assert found == []


def test_an_event_is_a_phrase_that_needs_no_values() -> None:
    events = {}
    for place, call in log_calls():
        event = call.args[1 if called(call)[1] == "log" else 0]
        text = event.value if isinstance(event, ast.Constant) else ""
        fits = isinstance(text, str) and text[:1].isupper() and text[-1] not in ".:" and "%" not in text
        if not fits or len(call.args) > (2 if called(call)[1] == "log" else 1):
            events[place] = ast.unparse(call)
    assert events == {}


def test_a_field_has_its_name_from_the_list() -> None:
    unknown = {
        place: keyword.arg
        for place, call in log_calls()
        for keyword in call.keywords
        if keyword.arg is not None and keyword.arg not in FIELDS
    }
    assert unknown == {}


def test_the_list_holds_no_field_that_nothing_logs() -> None:
    named = {keyword.arg for _, call in log_calls() for keyword in call.keywords}
    loggers = [path.read_text("utf-8") for path in SOURCES if path != LOGGERS]
    texts = [text for text in loggers if "get_logger(__name__)" in text]
    shared = {key for key in FIELDS if any(f'"{key}":' in text for text in texts)}
    assert FIELDS.keys() - named - shared == set()
