"""`moodwire deliver list|resend`: what waits for whom, what failed, and sending it again."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from alerts.delivery import Planned, Status
from streams.archive import closing_archive
from streams.archive.protocol import StoredNotification
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json, utc
from streams.engine.ports import Send
from streams.errors import MoodwireError
from streams.existing import open_existing, open_existing_archive
from streams.jobs.resend import Known, archived_sends, read_deliveries, resend_sends, with_problem
from streams.settings import Settings, load_settings
from streams.transport.broker import Broker

app = typer.Typer(no_args_is_help=True, add_completion=False)

_POLL_SECONDS = 0.25
_SHOWN = 50
_STATES = ", ".join(status.value for status in Status)

ReceiverOption = Annotated[
    str | None, typer.Option("--receiver", "-r", help="Only of this receiver: its name, or how its name begins.")
]


@app.command("list")
def list_deliveries(
    namespace: NamespaceOption = None,
    receiver: ReceiverOption = None,
    state: Annotated[
        list[Status] | None, typer.Option("--state", help=f"Only in this state: {_STATES}; may be repeated.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Number of rows, the latest; by default 50, with --json all.", min=1)
    ] = None,
    archive: Annotated[
        bool, typer.Option("--archive", help="Read the archive's copy, which reaches further back.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List notifications by receiver: those that wait or failed, and those sent recently."""
    settings = load_settings(namespace=namespace)
    wanted = {status.value for status in state or Status}
    found = _archived(settings) if archive else _in_rows(settings)
    rows = [row for row in found if row["state"] in wanted and row["receiver"].startswith(receiver or "")]
    if json:
        for row in rows[-(limit or len(rows)) :]:
            print_json(row)
        return
    if not rows:
        console.print(f"No such notifications in [bold]{foreign(settings.namespace)}[/].", highlight=False)
        return
    for row in rows[-(limit or _SHOWN) :]:
        _show(row)
    _show_counts(rows)


def _in_rows(settings: Settings) -> list[dict[str, Any]]:
    with open_existing(settings) as broker:
        return [_row(known.plan) for known in read_deliveries(broker, settings.topics)]


def _row(plan: Planned) -> dict[str, Any]:
    return {
        "id": plan.notification,
        "receiver": plan.receiver,
        "state": plan.status.value,
        "attempts": plan.attempts,
        "since_ms": plan.since_ms,
        "updated_ms": plan.updated_ms,
        "next_ms": plan.next_ms,
        "problem": plan.problem,
        "series": plan.series,
        "change": plan.change,
    }


def _archived(settings: Settings) -> list[dict[str, Any]]:
    found = asyncio.run(_ask_archive(settings))
    return [
        {
            "id": f"{one.alert_id}.{one.alert_revision}",
            "receiver": one.channel,
            "state": one.state,
            "attempts": one.attempts,
            "since_ms": one.since_ms,
            "updated_ms": one.updated_ms,
            "problem": one.problem,
        }
        for one in reversed(found)
    ]


async def _ask_archive(settings: Settings, alert_id: str = "") -> list[StoredNotification]:
    async with closing_archive(open_existing_archive(settings)) as archive:
        return await archive.notifications(alert_id=alert_id, limit=10_000)


_COLOURS = {"waiting": "yellow", "sent": "green", "failed": "red", "dropped": "red"}


def _show(row: dict[str, Any]) -> None:
    colour = _COLOURS.get(row["state"], "default")
    about = f"{row.get('change', '')} {row.get('series', '')}".strip()
    tries = f"{row['attempts']} attempt{'' if row['attempts'] == 1 else 's'}"
    console.print(
        f"[bold {colour}]{foreign(row['state']):<8}[/] {utc(row['updated_ms'])}  {foreign(row['receiver'])}  "
        f"[dim]{foreign(row['id'])}[/]",
        highlight=False,
        soft_wrap=True,
    )
    details = [foreign(part) for part in (about, row["problem"]) if part]
    console.print(f"         {tries}{''.join(f'; {part}' for part in details)}", highlight=False, soft_wrap=True)


def _show_counts(rows: Iterable[dict[str, Any]]) -> None:
    counts = Counter((row["receiver"], row["state"]) for row in rows)
    for name in sorted({receiver for receiver, _ in counts}):
        told = ", ".join(f"{counts[name, status.value]} {status.value}" for status in Status if counts[name, status])
        console.print(f"{foreign(name)}: {told}", highlight=False, soft_wrap=True)
    if any(state == Status.FAILED for _, state in counts):
        console.print("Send again with [bold]moodwire deliver resend ID[/] or [bold]--failed[/].", highlight=False)


@app.command("resend")
def resend(
    notification: Annotated[str, typer.Argument(metavar="[ID]", help="ALERT.REVISION, as `list` shows it.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="All that failed or were dropped.")] = False,
    receiver: ReceiverOption = None,
    namespace: NamespaceOption = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the result.", min=0)] = 15.0,
    json: JsonOption = False,
) -> None:
    """Send notifications again, with a new deadline. A worker of `deliver` sends them, now or when it next runs."""
    if bool(notification) == failed:
        raise typer.BadParameter("give an ID or --failed")
    settings = load_settings(namespace=namespace)
    with open_existing(settings) as broker:
        sends = _asked(settings, broker, notification, receiver or "")
        if sends:
            broker.append(list(sends.values()))
        found = _followed(settings, broker, sends, wait)
    _show_outcome(sends, found, json=json)
    if len(found) < len(sends) or any(plan.status is not Status.SENT for plan in found):
        raise typer.Exit(1)


def _asked(settings: Settings, broker: Broker, notification: str, receiver: str) -> dict[str, Send]:
    """The requests by id; raises `MoodwireError` for a notification that is nowhere."""
    topics, by = settings.topics, getpass.getuser()
    known = [row for row in read_deliveries(broker, topics) if row.plan.receiver.startswith(receiver)]
    if not notification:
        lost = (Status.FAILED, Status.DROPPED)
        return resend_sends(topics, [row for row in known if row.plan.status in lost and row.kept], by)
    chosen = [row for row in known if row.plan.notification == notification]
    sends = resend_sends(topics, [row for row in chosen if row.kept], by)
    if chosen and sends:
        return sends
    return asyncio.run(_from_archive(settings, notification, receiver, by))


async def _from_archive(settings: Settings, notification: str, receiver: str, by: str) -> dict[str, Send]:
    alert_id, _, revision = notification.rpartition(".")
    async with closing_archive(open_existing_archive(settings)) as archive:
        stored = await archive.notifications(alert_id=alert_id, limit=10_000)
        chosen = [one for one in stored if str(one.alert_revision) == revision and one.channel.startswith(receiver)]
        if not chosen:
            raise MoodwireError(f"there is no notification {notification!r}; see `moodwire deliver list`")
        return archived_sends(settings.topics, chosen, await archive.alert_history(alert_id), by)


def _followed(settings: Settings, broker: Broker, sends: dict[str, Send], wait_seconds: float) -> Sequence[Planned]:
    """What became of the requests that a worker has followed within the wait; those that wait name the last problem."""
    until = time.monotonic() + wait_seconds
    while True:
        rows: Sequence[Known] = read_deliveries(broker, settings.topics) if sends else ()
        found = [row.plan for row in rows if row.plan.request in sends]
        settled = [plan for plan in found if plan.status is not Status.WAITING or plan.attempts]
        if len(settled) >= len(sends) or time.monotonic() >= until:
            return [with_problem(plan, rows) for plan in found]
        time.sleep(_POLL_SECONDS)


def _show_outcome(sends: dict[str, Send], found: Sequence[Planned], *, json: bool) -> None:
    unanswered = len(sends) - len(found)
    if json:
        print_json({"asked": len(sends), "unanswered": unanswered, "notifications": [_row(plan) for plan in found]})
        return
    if not sends:
        console.print("There is nothing to send again.")
    for plan in found:
        _show(_row(plan))
    if unanswered:
        console.print(f"{unanswered} asked for: no worker of `deliver` has answered yet; the next one sends them.")
