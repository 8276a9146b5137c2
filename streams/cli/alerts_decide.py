"""`moodwire alerts ack|unack|assign|note`: who looks after an alert, and what was found out."""

from __future__ import annotations

from typing import Annotated

import typer

from alerts.judge import decisions
from streams.cli.deciding import SeenOption, WaitOption, deciding
from streams.cli.moments import ForOption, end_ms
from streams.cli.options import ByOption, JsonOption, NamespaceOption

__all__ = ["acknowledge", "assign", "note", "unacknowledge"]

TargetArgument = Annotated[str, typer.Argument(metavar="ID", help="The id of an alert or a group, or how it begins.")]
CommentOption = Annotated[str, typer.Option("--comment", "-c", help="Why, for those who read it later.")]


def acknowledge(
    target: TargetArgument,
    length: ForOption = "4h",
    until: Annotated[str | None, typer.Option("--until", help="In place of --for: a time in UTC.")] = None,
    comment: CommentOption = "",
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Look after an alert, or all firing alerts of a group: no reminder and no escalation for a time.

    It ends earlier if the alert becomes more severe.
    """
    with deciding(namespace, by, wait, json=json) as one:
        until_ms = end_ms(length, until, one.event_ms)
        name, version = one.target(target, seen)
        header = one.header(version)
        one.decide(decisions.Acknowledge(**header, target=name, until_ms=until_ms, comment=comment))


def unacknowledge(
    target: TargetArgument,
    comment: CommentOption = "",
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """End an acknowledgement: reminders and escalation begin again."""
    with deciding(namespace, by, wait, json=json) as one:
        name, version = one.target(target, seen)
        one.decide(decisions.Unacknowledge(**one.header(version), target=name, comment=comment))


def assign(
    target: TargetArgument,
    to: Annotated[str, typer.Argument(metavar="PERSON", help='Who is to look; "" for no one.')],
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Assign an alert to a person."""
    with deciding(namespace, by, wait, json=json) as one:
        name, version = one.target(target, seen)
        one.decide(decisions.Assign(**one.header(version), target=name, to=to))


def note(
    target: TargetArgument,
    text: Annotated[str, typer.Argument(help="What was found out.")],
    by: ByOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Add a note to an alert, whatever others decided meanwhile."""
    with deciding(namespace, by, wait, json=json) as one:
        name, _ = one.target(target, None)
        one.decide(decisions.Note(**one.header(), target=name, text=text))
