"""A message about several alerts as text: what they are, the worst first, and the headlines behind them, each once."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from alerts.delivery.group import AlertGroup, GroupChange
from alerts.delivery.rendering import heading, one_line, render_plain, summary
from alerts.records import AlertEvent, TopItem
from alerts.wording import Wording, time_text

__all__ = ["group_heading", "render_group"]

_SHOWN: Final = 8
_HEADLINES: Final = 5
_HEADLINES_OF_NOTES: Final = 20

Label = Callable[[str], str]


def group_heading(group: AlertGroup, wording: Wording | None = None) -> str:
    """`CRITICAL  8 alerts`, `RESOLVED  8 alerts`, `STILL CRITICAL  2 alerts`."""
    wording = wording or Wording.of()
    texts = wording.texts.groups
    word = one_line(wording.severity(group.severity))
    count = group.resolved if group.change == GroupChange.RESOLVED else group.firing
    counted = texts["one" if count == 1 else "many"].format(count=count)
    change = "moved" if group.reasons == ("moved",) and group.change == GroupChange.RESOLVED else group.change.value
    return f"{texts.get(change, '{severity}').format(severity=word)}  {counted}"


def render_group(group: AlertGroup, *, width: int = 80, label: Label = str, wording: Wording | None = None) -> str:
    """Several lines, the last without a line break; of a single alert as that alert's own message."""
    wording = wording or Wording.of()
    if len(group.alerts) == 1 and group.change in (GroupChange.OPENED, GroupChange.RESOLVED):
        return render_plain(group.alerts[0], width=width, label=label, wording=wording)
    lines = [f"{time_text(group.at_ms)}  {group_heading(group, wording)}"]
    several = _with_several_rules(group)
    events = _with_notes_as_one(group.alerts)
    for event in events[:_SHOWN]:
        rule = f" ({one_line(event.rule)})" if event.series in several else ""
        lines += _alert_lines(event, one_line(label(event.series)) + rule, width, wording)
    left = group.firing + group.resolved - len(group.alerts) + len(events[_SHOWN:])
    if left > 0:
        lines.append(f"  {wording.texts.groups['more'].format(count=left)}")
    for item in _headlines(group):
        title = f"{wording.day(item.seen_ms)}  {one_line(item.title)}"
        lines += textwrap.wrap(title, width, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join(lines)


def _with_notes_as_one(alerts: Sequence[AlertEvent]) -> list[AlertEvent]:
    """The alerts, those that note items of a series by the same rule as a single one of all the items."""
    found: dict[tuple[str, ...], AlertEvent] = {}
    for event in alerts:
        key = (event.series, event.rule, event.signal) if event.state == "noted" else (event.id,)
        found[key] = _together(found[key], event) if key in found else event
    return list(found.values())


def _together(first: AlertEvent, second: AlertEvent) -> AlertEvent:
    hits, total = (getattr(first.observed, name) + getattr(second.observed, name) for name in ("hits", "total"))
    return msgspec.structs.replace(first, observed=msgspec.structs.replace(first.observed, hits=hits, total=total))


def _with_several_rules(group: AlertGroup) -> set[str]:
    """The series that alerts of several rules are about: each shows its rule."""
    pairs = {(event.series, event.rule) for event in group.alerts}
    counted = Counter(series for series, _ in pairs)
    return {series for series, count in counted.items() if count > 1}


def _alert_lines(event: AlertEvent, name: str, width: int, wording: Wording) -> list[str]:
    text = f"{heading(event, wording)}  {name}: {summary(event, wording)}"
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")


def _headlines(group: AlertGroup) -> list[TopItem]:
    """The newest headlines of the alerts that fire, each once; more where there are notes, which are about them."""
    found = {item.id: item for event in group.alerts if event.state != "resolved" for item in event.top_items}
    titled = sorted((item for item in found.values() if item.title), key=lambda item: (-item.seen_ms, item.id))
    noted = any(event.state == "noted" for event in group.alerts)
    return titled[: _HEADLINES_OF_NOTES if noted else _HEADLINES]
