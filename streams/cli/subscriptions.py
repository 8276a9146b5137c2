"""`moodwire subscriptions list|set|remove`: who gets which alerts, when, and through which receiver."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from alerts.judge.decisions import QuietHours, Subscribe, Unsubscribe
from alerts.judge.rows import SubscriptionRow
from alerts.times import is_time_of_day, zone_of
from streams.cli.deciding import SeenOption, WaitOption, deciding, given_matchers, seen_version
from streams.cli.options import ByOption, JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json
from streams.existing import open_existing
from streams.jobs.judge_state import read_judge
from streams.settings import load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False)

NameArgument = Annotated[str, typer.Argument(help="The subscriber's name.")]


@app.command("list")
def list_subscriptions(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    """List subscribers with their wishes."""
    settings = load_settings(namespace=namespace)
    with open_existing(settings) as broker:
        found = read_judge(broker, settings.topics).subscriptions
    for name in sorted(found):
        if json:
            print_json(_row(found[name]))
        else:
            _show(found[name])
    if not found and not json:
        console.print(f"Nobody has subscribed in [bold]{foreign(settings.namespace)}[/].", highlight=False)


@app.command("set")
def set_subscription(
    name: NameArgument,
    channel: Annotated[str, typer.Option("--receiver", "-r", help="The receiver that sends, as routes name it.")],
    address: Annotated[str, typer.Option(help="Where it sends to; by default the receiver's own address.")] = "",
    watchlist: Annotated[
        list[str] | None, typer.Option("--watchlist", help="Only alerts of this watchlist; may be repeated.")
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option("--match", help="Only alerts that match, such as kind=entity; may be repeated.")
    ] = None,
    severity: Annotated[str, typer.Option(help="The least severity: info, warning or critical.")] = "warning",
    group_by: Annotated[
        list[str] | None, typer.Option("--group-by", help="Label of a message's alerts; may be repeated.")
    ] = None,
    quiet: Annotated[str, typer.Option(help="Quiet hours in the time zone, such as 22:00-07:00.")] = "",
    unless: Annotated[str, typer.Option(help="Severity that is sent in quiet hours too.")] = "critical",
    time_zone: Annotated[str, typer.Option(help="Such as Europe/Berlin.")] = "UTC",
    digest: Annotated[str, typer.Option(help="Collect alerts for an hour or a day: hour, day.")] = "",
    digest_at: Annotated[str, typer.Option(help="When a day's digest is sent, in the time zone.")] = "08:00",
    language: Annotated[str, typer.Option("--language", help="Of the messages, such as en.")] = "",
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """Make a subscription, or replace the one of this name."""
    wish: dict[str, Any] = {
        "name": name,
        "channel": channel,
        "address": address,
        "watchlists": tuple(watchlist or ()),
        "matchers": tuple(map(str, given_matchers(match or ()))),
        "minimum_severity": _one_of(severity, "--severity", "info", "warning", "critical"),
        "group_by": tuple(group_by or ("signal",)),
        "quiet": _quiet(quiet, _one_of(unless, "--unless", "info", "warning", "critical")),
        "time_zone": _time_zone(time_zone),
        "digest": _one_of(digest, "--digest", "", "hour", "day"),
        "digest_at": _hour("--digest-at", digest_at),
        "language": language,
    }
    with deciding(namespace, by, wait, json=json) as one:
        version = seen_version(one.state.subscriptions.get(name), seen, otherwise=0)
        one.decide(Subscribe(**one.header(version), **wish))


def _one_of(text: str, option: str, *known: str) -> str:
    if text not in known:
        raise typer.BadParameter(f"{option} {text!r}: take one of {', '.join(filter(None, known))}")
    return text


def _quiet(text: str, unless: str) -> QuietHours | None:
    if not text:
        return None
    start, dash, end = text.partition("-")
    if not (start and dash and end):
        raise typer.BadParameter(f"--quiet {text!r}: write two times, such as 22:00-07:00")
    return QuietHours(_hour("--quiet", start), _hour("--quiet", end), unless)


def _hour(option: str, text: str) -> str:
    """Returns the time. Raises `typer.BadParameter` for one that a decision cannot carry, 24:00 too."""
    if not is_time_of_day(text) or text == "24:00":
        fix = f"write 0{text}" if is_time_of_day(f"0{text}") else "write HH:MM from 00:00 to 23:59, such as 07:00"
        raise typer.BadParameter(f"{option}: {text!r} is no time of the day; {fix}")
    return text


def _time_zone(name: str) -> str:
    try:
        zone_of(name)
    except ValueError as error:
        raise typer.BadParameter(f"--time-zone {name!r}: take a name such as Europe/Berlin or UTC") from error
    return name


@app.command("remove")
def remove(
    name: NameArgument,
    by: ByOption = None,
    seen: SeenOption = None,
    wait: WaitOption = 15.0,
    namespace: NamespaceOption = None,
    json: JsonOption = False,
) -> None:
    """End a subscription: no more messages for the subscriber."""
    with deciding(namespace, by, wait, json=json) as one:
        version = seen_version(one.state.subscriptions.get(name), seen)
        one.decide(Unsubscribe(**one.header(version), name=name))


def _row(row: SubscriptionRow) -> dict[str, Any]:
    wish: dict[str, Any] = msgspec.to_builtins(row.wish)
    for field in ("kind", "id", "seen", "schema"):
        wish.pop(field, None)
    return {**wish, "version": row.seen_version}


def _show(row: SubscriptionRow) -> None:
    wish = row.wish
    to = f"{wish.channel} {wish.address}".strip()
    console.print(f"[bold]{foreign(wish.name)}[/]  {foreign(to)}", highlight=False, soft_wrap=True)
    console.print(f"  {foreign('; '.join(_wishes(wish)))}", highlight=False, soft_wrap=True)


def _wishes(wish: Subscribe) -> list[str]:
    found = [f"{wish.minimum_severity} or worse", *wish.watchlists, *wish.matchers]
    if wish.quiet is not None:
        found.append(f"{_quiet_text(wish.quiet)} {wish.time_zone}")
    if wish.digest:
        at = f" at {wish.digest_at} {wish.time_zone}" if wish.digest == "day" else ""
        found.append(f"a digest every {wish.digest}{at}")
    return found


def _quiet_text(quiet: QuietHours) -> str:
    return f"quiet {quiet.start} to {quiet.end} unless {quiet.unless}"
