"""`moodwire alerts silence|unsilence`, and `moodwire silences`: what sends no messages, for how long, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from alerts.judge import decisions
from alerts.judge.mutes import compiled
from alerts.judge.rows import AlertRow, MuteRow
from alerts.matchers import Matcher, matches
from streams.cli.deciding import Decider, SeenOption, WaitOption, deciding, given_matchers
from streams.cli.moments import ForOption, end_ms, moment_ms
from streams.cli.options import ByOption, JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json, utc
from streams.errors import MoodwireError
from streams.existing import open_existing
from streams.jobs.judge_state import read_judge
from streams.settings import load_settings

__all__ = ["silence", "silences", "unsilence"]

_SHOWN = 10


def silence(
    matcher: Annotated[
        list[str] | None,
        typer.Argument(metavar="MATCHER…", help="""Such as kind=entity or 'severity=~"info|warning"'; all hold."""),
    ] = None,
    length: ForOption = "2h",
    until: Annotated[str | None, typer.Option("--until", help="In place of --for: a time in UTC.")] = None,
    begins: Annotated[str | None, typer.Option("--from", help="Begin later, at a time in UTC.")] = None,
    until_worse: Annotated[
        bool, typer.Option("--until-worse", help="End for an alert that becomes worse than those that match now.")
    ] = False,
    maintenance: Annotated[
        bool, typer.Option("--maintenance", help="A planned window; without matchers it is about every alert.")
    ] = False,
    comment: Annotated[str, typer.Option("--comment", "-c", help="Why, for those who read it later.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would match, and decide nothing.")] = False,
    by: ByOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Silence alerts that match: they are kept and listed, and send no messages until a time.

    The alerts that match now are shown first. A message tells the receivers before a silence ends.
    """
    wanted = _matchers(matcher or (), maintenance=maintenance)
    with deciding(namespace, by, wait, json=json) as one:
        starts_ms = None if begins is None else moment_ms(begins, one.event_ms)
        ends_ms = end_ms(length, until, one.event_ms, starts_ms)
        hit = [row for row in one.state.alerts.values() if row.fires and matches(wanted, row.labels)]
        if not json or dry_run:
            _preview(one, hit, json=json)
        if not dry_run:
            texts = tuple(map(str, wanted))
            one.decide(
                decisions.Maintenance(
                    **one.header(),
                    matchers=texts,
                    starts_ms=one.event_ms if starts_ms is None else starts_ms,
                    ends_ms=ends_ms,
                    comment=comment,
                )
                if maintenance
                else decisions.Silence(
                    **one.header(),
                    matchers=texts,
                    starts_ms=starts_ms,
                    ends_ms=ends_ms,
                    until_worse=until_worse,
                    comment=comment,
                )
            )


def _matchers(texts: Sequence[str], *, maintenance: bool) -> tuple[Matcher, ...]:
    found = given_matchers(texts)
    if not found and not maintenance:
        raise typer.BadParameter("name at least one matcher, such as series=entity/AAPL")
    return found


def _preview(one: Decider, hit: Sequence[AlertRow], *, json: bool) -> None:
    if json:
        print_json({"matches": [row.event.id for row in hit]})
        return
    firing = sum(row.fires for row in one.state.alerts.values())
    console.print(f"{len(hit)} of {firing} firing alerts match.", highlight=False)
    for row in hit[:_SHOWN]:
        console.print(f"  {foreign(row.event.severity)}  {foreign(row.event.series)}  [dim]{foreign(row.event.id)}[/]")


def unsilence(
    name: Annotated[str, typer.Argument(metavar="ID", help="The id of a silence, or how it begins.")],
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """End a silence or a maintenance window now."""
    with deciding(namespace, by, wait, json=json) as one:
        found = [mute for mute in one.state.mutes.values() if mute.id.startswith(name)]
        exact = [mute for mute in found if mute.id == name] or found
        if len(exact) != 1:
            raise MoodwireError(
                f"{len(exact) or 'no'} silences begin with {name!r}; `moodwire silences` lists those that are not over"
            )
        version = exact[0].seen_version if seen is None else seen
        one.decide(decisions.ExpireSilence(**one.header(version), silence=exact[0].id))


def silences(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    """List silences and maintenance windows that are not over, with what they match and who made them."""
    settings = load_settings(namespace=namespace)
    with open_existing(settings) as broker:
        state = read_judge(broker, settings.topics)
    found = sorted(state.mutes.values(), key=lambda mute: mute.ends_ms)
    for mute in found:
        hit = sum(row.fires and matches(compiled(mute.matchers), row.labels) for row in state.alerts.values())
        if json:
            print_json(_row(mute, hit))
        else:
            _show(mute, hit)
    if not found and not json:
        console.print(f"Nothing is silenced in [bold]{foreign(settings.namespace)}[/].", highlight=False)


def _row(mute: MuteRow, hit: int) -> dict[str, Any]:
    return {
        "id": mute.id,
        "kind": "maintenance" if mute.planned else "silence",
        "matchers": mute.matchers,
        "starts_ms": mute.starts_ms,
        "ends_ms": mute.ends_ms,
        "until_worse": mute.until_worse,
        "by": mute.by,
        "at_ms": mute.at_ms,
        "comment": mute.comment,
        "version": mute.seen_version,
        "firing": hit,
    }


def _show(mute: MuteRow, hit: int) -> None:
    kind = "maintenance" if mute.planned else "silence"
    until = f"{utc(mute.starts_ms)} to {utc(mute.ends_ms)}{', or until worse' if mute.until_worse else ''}"
    about = ", ".join(mute.matchers) or "every alert"
    console.print(
        f"[bold]{kind}[/]  {until}  {foreign(about)}  [dim]{foreign(mute.id)}[/]", highlight=False, soft_wrap=True
    )
    console.print(f"  by {foreign(mute.by)}; {hit} firing; {foreign(mute.comment)}", highlight=False, soft_wrap=True)
