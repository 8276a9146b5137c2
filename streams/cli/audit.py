"""`moodwire audit`: what people decided about alerts, who, when, and what was answered."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from streams.archive import closing_archive
from streams.archive.protocol import StoredDecision
from streams.cli.moments import SinceOption, optional_moment_ms
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json, utc
from streams.existing import open_existing_archive
from streams.settings import Settings, load_settings
from streams.wall_clock import wall_clock_ms

__all__ = ["audit", "decision_line", "decision_row"]


def audit(
    namespace: NamespaceOption = None,
    target: Annotated[str, typer.Option("--about", help="Only about this alert, group, silence or name.")] = "",
    by: Annotated[str, typer.Option("--by", help="Only by this person.")] = "",
    kind: Annotated[str, typer.Option(help="Only of this kind: acknowledge, silence, subscribe, …")] = "",
    since: SinceOption = None,
    limit: Annotated[int | None, typer.Option(help="Number of rows; by default 50, with --json all.", min=1)] = None,
    json: JsonOption = False,
) -> None:
    """List what people decided about alerts, the latest last: who, when, and whether it was accepted.

    The trail is the archive's; nothing in it is changed or deleted.
    """
    settings = load_settings(namespace=namespace)
    since_ms = optional_moment_ms(since, wall_clock_ms())
    most = limit or (10_000 if json else 50)
    found = asyncio.run(_found(settings, target, by, kind, since_ms, most))
    for one in reversed(found):
        if json:
            print_json(decision_row(one))
        else:
            console.print(decision_line(one), highlight=False, soft_wrap=True)
    if not found and not json:
        console.print(f"No such decisions in [bold]{foreign(settings.namespace)}[/].", highlight=False)


async def _found(
    settings: Settings, target: str, by: str, kind: str, since_ms: int | None, limit: int
) -> list[StoredDecision]:
    async with closing_archive(open_existing_archive(settings)) as archive:
        return await archive.decisions(target=target, by=by, kind=kind, since_ms=since_ms, limit=limit)


def decision_row(one: StoredDecision) -> dict[str, Any]:
    """Returns a decision for scripts."""
    return {
        "id": one.id,
        "kind": one.kind,
        "by": one.by,
        "target": one.target,
        "at_ms": one.at_ms,
        "decided_ms": one.decided_ms,
        "outcome": one.outcome,
        "version": one.version,
        "detail": one.detail,
        "decision": msgspec.json.decode(one.body),
    }


def decision_line(one: StoredDecision) -> str:
    """Returns a line about a decision, as markup."""
    accepted = one.outcome in ("accepted", "repeated")
    outcome = f"[{'green' if accepted else 'yellow'}]{foreign(one.outcome)}[/]"
    detail = f"  {foreign(one.detail)}" if one.detail else ""
    about = f" {foreign(one.target)}" if one.target else ""
    return f"{utc(one.decided_ms)}  {foreign(one.by)}  {foreign(one.kind)}{about}  {outcome}{detail}"
