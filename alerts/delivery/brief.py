"""What a notification is about, in the words and fields that every channel for people or other programs needs.

    AlertEvent | AlertGroup | Notice ──► brief_of ──► Brief {subject, text, severity, is_over, labels, alerts, links, …}

Texts come from the news: they are plain lines here, without control characters, and never markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from alerts.delivery.group import AlertGroup, GroupChange
from alerts.delivery.group_text import group_heading, render_group
from alerts.delivery.notice import Notice
from alerts.delivery.rendering import heading, link, notice_heading, one_line, render_notice, render_plain, summary
from alerts.records import AlertEvent, labels_of
from alerts.wording import Wording, languages

__all__ = ["Brief", "Rewriting", "Words", "brief_of", "iso_time"]

_LONGEST_SUBJECT = 200
_MOST_LINKS = 5
Label = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Brief:
    """`id` names the alert through all its changes. `subject` is a line of at most 200 characters, `text` several.

    `summary` is the evidence in a line. `links` are (address, title) of headlines, http and https alone.
    """

    id: str
    change: str
    severity: str
    is_over: bool
    since_ms: int
    at_ms: int
    subject: str
    summary: str
    text: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    alerts: tuple[AlertEvent, ...] = ()
    links: tuple[tuple[str, str], ...] = field(default=())
    html: str | None = None
    """The text as HTML, where the receiver has a template for it."""


class Rewriting(Protocol):
    """A receiver's own words for a brief."""

    async def rewritten(self, brief: Brief) -> Brief:
        """Never raises: what fails leaves the brief as it is, with the problem in its text."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a channel: its language, names of series, and templates."""

    wording: Wording | None = None
    label: Label = str
    templates: Rewriting | None = None

    async def brief(self, event: AlertEvent | AlertGroup | Notice) -> Brief:
        """Returns what the event is about."""
        brief = brief_of(event, self.wording, self.label)
        return brief if self.templates is None else await self.templates.rewritten(brief)

    async def aclose(self) -> None:
        if self.templates is not None:
            await self.templates.aclose()


def brief_of(event: AlertEvent | AlertGroup | Notice, wording: Wording | None = None, label: Label = str) -> Brief:
    """Returns what the event is about; `label` turns a series into a name for people.

    A message for a subscriber is in the subscriber's language, where there are messages in it.
    """
    wording = wording or Wording.of()
    match event:
        case Notice():
            return _of_notice(event, wording)
        case AlertGroup():
            spoken = Wording.of(event.language, wording.signals) if event.language in languages() else wording
            return _of_group(event, spoken, label)
    return _of_alert(event, wording, label)


def _of_alert(event: AlertEvent, wording: Wording, label: Label) -> Brief:
    evidence = summary(event, wording)
    return Brief(
        id=event.id,
        change=event.change,
        severity=event.severity,
        is_over=event.state == "resolved",
        since_ms=event.onset_ms,
        at_ms=event.updated_ms,
        subject=_short(f"{heading(event, wording)}: {one_line(label(event.series))}, {evidence}"),
        summary=evidence,
        text=render_plain(event, label=label, wording=wording),
        labels=event.labels or labels_of(event.rule, event.signal, event.series, event.kind, event.severity),
        annotations=event.annotations,
        alerts=(event,),
        links=_links((event,)),
    )


def _of_group(group: AlertGroup, wording: Wording, label: Label) -> Brief:
    series = ", ".join(dict.fromkeys(one_line(label(event.series)) for event in group.alerts))
    return Brief(
        id=group.id,
        change=group.change.value,
        severity=group.severity,
        is_over=group.change == GroupChange.RESOLVED,
        since_ms=group.opened_ms,
        at_ms=group.at_ms,
        subject=_short(f"{group_heading(group, wording)}: {series}"),
        summary=summary(group.alerts[0], wording) if group.alerts else "",
        text=render_group(group, label=label, wording=wording),
        labels=group.labels | {"severity": group.severity},
        alerts=group.alerts,
        links=_links(group.alerts),
    )


def _of_notice(notice: Notice, wording: Wording) -> Brief:
    about = " ".join(part for part in (one_line(notice.reason), one_line(notice.subject)) if part)
    labels = {"alertname": "moodwire", "reason": notice.reason, "subject": notice.subject, "instance": notice.instance}
    return Brief(
        id=notice.id,
        change=notice.change,
        severity="warning",
        is_over=notice.change == "resolved",
        since_ms=notice.since_ms,
        at_ms=notice.updated_ms,
        subject=_short(f"{notice_heading(notice, wording)}: {about}"),
        summary=one_line(notice.detail),
        text=render_notice(notice, wording),
        labels={name: value for name, value in labels.items() if value} | {"severity": "warning"},
    )


def iso_time(at_ms: int) -> str:
    """`2023-03-10T10:14:00.000Z`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _links(alerts: tuple[AlertEvent, ...]) -> tuple[tuple[str, str], ...]:
    found = {address: one_line(item.title) for one in alerts for item in one.top_items if (address := link(item.url))}
    return tuple(found.items())[:_MOST_LINKS]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SUBJECT else f"{text[: _LONGEST_SUBJECT - 1]}…"
