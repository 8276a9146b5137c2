"""What commands print with: tables and bars for people, JSON lines for scripts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from streams.errors import MoodwireError
from streams.terminal import Terminal, foreign, json_line

__all__ = ["console", "counted", "errors", "foreign", "print_json", "progress_bar", "require_output", "utc"]

console = Terminal()
errors = Terminal(stderr=True)


def print_json(value: Any) -> None:
    """One JSON document on one line of standard output; raises `MoodwireError` if that is closed."""
    require_output()
    sys.stdout.write(json_line(value) + "\n")
    sys.stdout.flush()


def require_output() -> None:
    """Raises `MoodwireError` if standard output is closed: what is printed would be lost without a word."""
    if sys.stdout is None:
        raise MoodwireError("standard output is closed: nothing can be printed")


def progress_bar(*, quiet: bool = False) -> Progress:
    """A bar on the shared console, so that what is printed meanwhile stands above it."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


def counted(counts: Mapping[str, int]) -> str:
    """`3 bad_json, 1 no_title`: the most frequent first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)


def utc(time_ms: int) -> str:
    """2023-03-09 20:03 UTC; milliseconds where a record claims a time that no calendar has."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
