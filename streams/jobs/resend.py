"""The notifications of a namespace as commands see them: read from the rows of `deliver`, sent again by a request.

    changelog of `deliver` ─► Known           Resend ─► a record of `alerts` ─► the stage ─► a row with the request's id

A request goes to the partition that holds the notification: the stage takes it in its turn, at a stored offset, once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from alerts.delivery import Planned, Status
from streams.alert_log import ALERTS_PARTITION
from streams.archive.protocol import StoredAlert, StoredNotification
from streams.engine.ports import Send
from streams.errors import MoodwireError
from streams.stages.deliver_judging import Resend
from streams.stages.deliver_rows import EVENT_PREFIX, PLAN_PREFIX, decoded_plan, event_key
from streams.topics import RESEND_HEADER, Topics
from streams.transport.broker import Broker
from streams.transport.tables import ForeignRow, Rows

__all__ = ["Known", "archived_sends", "changelog_of", "read_deliveries", "resend_sends", "rows_of", "with_problem"]


@dataclass(frozen=True, slots=True)
class Known:
    """A notification in the rows of a partition; `kept` says that its event is there too."""

    partition: int
    plan: Planned
    kept: bool


def changelog_of(topics: Topics) -> str:
    """The topic that holds the rows of `deliver`."""
    return f"{topics.group('deliver')}-notifications-changelog"


def read_deliveries(broker: Broker, topics: Topics) -> list[Known]:
    """What the rows hold now, oldest first; nothing where the stage has never run. Raises `NewerVersion`."""
    rows = rows_of(broker, topics)
    found = [known for number, values in rows.items() for known in _known(number, values)]
    return sorted(found, key=lambda known: (known.plan.since_ms, known.plan.order))


def rows_of(broker: Broker, topics: Topics) -> dict[int, dict[str, bytes]]:
    """The rows of `deliver` by partition and key, as a worker would restore them."""
    name = changelog_of(topics)
    folded: dict[int, Rows] = {}
    for record in broker.scan(name) if name in broker.names(name) else ():
        number, _, _ = (record.key or b"").partition(b"|")
        if not number.isdigit():
            continue
        with suppress(ForeignRow):  # the stage reports it
            folded.setdefault(int(number), Rows()).take(record.key or b"", record.value, record.headers)
    return {
        number: {key.partition(b"|")[2].decode("utf-8", "replace"): value for key, value in rows.values.items()}
        for number, rows in folded.items()
    }


def _known(number: int, rows: Mapping[str, bytes]) -> Iterator[Known]:
    events = {key for key in rows if key.startswith(EVENT_PREFIX)}
    for key, value in rows.items():
        if key.startswith(PLAN_PREFIX):
            plan = decoded_plan(value)
            yield Known(number, plan, event_key(plan.notification) in events)


def with_problem(plan: Planned, known: Iterable[Known]) -> Planned:
    """The notification; one that waits behind a receiver that is down has the receiver's last problem."""
    if plan.status is not Status.WAITING or plan.problem:
        return plan
    rows = [one.plan for one in known if one.plan.receiver == plan.receiver]
    probes = [row for row in rows if row.status is Status.WAITING and row.down]
    if not probes:
        return plan
    last = max(probes, key=lambda row: row.updated_ms)
    return msgspec.structs.replace(plan, problem=f"the receiver is down: {last.problem}", next_ms=last.next_ms)


def resend_sends(topics: Topics, asked: Sequence[Known], by: str) -> dict[str, Send]:
    """By request id the records that ask for the notifications again."""
    requests = {secrets.token_hex(8): known for known in asked}
    return {
        request: _send(topics, request, known.plan.receiver, known.plan.notification, by, known.partition)
        for request, known in requests.items()
    }


def archived_sends(
    topics: Topics, asked: Sequence[StoredNotification], alerts: Sequence[StoredAlert], by: str
) -> dict[str, Send]:
    """The same for notifications that only the archive knows: the record brings the event, one of `alerts`.

    Raises `MoodwireError` when the event is not among them.
    """
    states = {f"{alert.id}.{alert.revision}": alert for alert in alerts}
    sends: dict[str, Send] = {}
    for one in asked:
        name = f"{one.alert_id}.{one.alert_revision}"
        alert = states.get(name)
        if alert is None:
            raise MoodwireError(f"the archive has notification {name} and not its alert: it cannot be sent again")
        request = secrets.token_hex(8)
        sends[request] = _send(topics, request, one.channel, name, by, ALERTS_PARTITION, alert.body)
    return sends


def _send(
    topics: Topics, request: str, receiver: str, notification: str, by: str, partition: int, body: bytes | None = None
) -> Send:
    asked = Resend(request=request, receiver=receiver, notification=notification, by=by)
    return Send(topics.alerts, None, body, partition, ((RESEND_HEADER, msgspec.json.encode(asked)),))
