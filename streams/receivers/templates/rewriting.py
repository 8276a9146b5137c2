"""A receiver's own words: a brief with what its templates make of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from alerts.delivery.brief import Brief, iso_time
from alerts.delivery.rendering import one_line
from streams.receivers.templates.program import Answer, Request
from streams.worker_process import OverTime, Unavailable, WorkerEnded, WorkerProcess

__all__ = ["TemplateLimits", "Templates"]

_LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class TemplateLimits:
    """What one message may cost; an honest one takes some milliseconds. `seconds` is wall time."""

    cpu_seconds: float = 2.0
    seconds: float = 20.0
    memory_bytes: int = 256 << 20


_LIMITS = TemplateLimits()


class Templates:
    """The templates of one receiver, by what they make: ``subject``, ``text`` and ``html``. Closed with its channel."""

    def __init__(self, templates: Mapping[str, str], limits: TemplateLimits = _LIMITS) -> None:
        self._templates, self._limits = dict(templates), limits
        self._lock = asyncio.Lock()
        self._process = WorkerProcess(
            "streams.receivers.templates.program", str(limits.memory_bytes), seconds=limits.seconds
        )

    async def rewritten(self, brief: Brief) -> Brief:
        """Returns the brief in the receiver's words; in the built-in ones, with the problem, if a template fails."""
        answer = await self.made(brief)
        if answer.problem:
            return replace(brief, text=f"{brief.text}\n\n(The template of this receiver failed: {answer.problem})")
        made = answer.made
        return replace(
            brief,
            subject=one_line(made.get("subject", brief.subject))[:_LONGEST_SUBJECT] or brief.subject,
            text=made.get("text", brief.text),
            html=made.get("html", brief.html),
        )

    async def made(self, brief: Brief) -> Answer:
        """Returns what the templates make of the brief, or the problem."""
        request = Request(self._templates, values_of(brief), self._limits.cpu_seconds)
        async with self._lock:
            try:
                return msgspec.json.decode(await self._process.ask(msgspec.json.encode(request)), type=Answer)
            except OverTime:
                return Answer(problem=f"it took over {self._limits.seconds:g} s")
            except WorkerEnded as error:
                return Answer(problem=self._explained(error.returncode))
            except Unavailable as error:
                return Answer(problem=str(error))

    def _explained(self, returncode: int | None) -> str:
        if returncode == -signal.SIGPROF:
            return f"it took over {self._limits.cpu_seconds:g} s of processor time"
        return f"it ended the process that renders it ({returncode})"

    async def aclose(self) -> None:
        await self._process.kill()


def values_of(brief: Brief) -> dict[str, Any]:
    """Returns what templates may name: the fields of the brief, and its alerts as in the posts of a webhook."""
    return {
        "id": brief.id,
        "change": brief.change,
        "severity": brief.severity,
        "is_over": brief.is_over,
        "since": iso_time(brief.since_ms),
        "at": iso_time(brief.at_ms),
        "subject": brief.subject,
        "summary": brief.summary,
        "text": brief.text,
        "labels": dict(brief.labels),
        "annotations": dict(brief.annotations),
        "links": [{"url": address, "title": title} for address, title in brief.links],
        "alerts": [msgspec.to_builtins(event) for event in brief.alerts],
    }
