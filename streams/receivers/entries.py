"""The section `receivers` of routes.yaml: each has a name, by which routes know it, and one channel.

receivers:
  - name: on call
    alertmanager: {url: "http://alertmanager:9093"}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from alerts.delivery.pace import Rate
from alerts.delivery.pagerduty import PAGERDUTY_URL
from alerts.delivery.smtp import Security, is_address
from alerts.delivery.webhook import BodyFormat
from streams.receivers.routes import InhibitEntry, RouteEntry, duration_ms
from streams.receivers.secrets import Secret
from streams.receivers.templates.syntax import template_problem
from streams.receivers.times import TimeIntervalEntry
from streams.transport.kafka.options import is_kafka
from streams.userfiles import Mistake, UserFile, read_file, shaped

__all__ = [
    "CHANNEL_KEYS",
    "AlertmanagerEntry",
    "EmailEntry",
    "Receiver",
    "RoutesFile",
    "read_receivers",
    "read_receivers_file",
]

_LONGEST_NAME = 60
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
BUILT_IN = ("terminal", "file", "webhook")
"""Names of the receivers that the settings make."""


class AlertmanagerEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Alertmanager: where it is, labels to add, and how long an alert fires there that is not posted again.

    `authorization` is the whole value of that header, such as ``Bearer …``.
    """

    url: Secret
    labels: dict[str, str] = {}
    hold_hours: Annotated[float, msgspec.Meta(gt=0, le=8760)] = 168.0
    authorization: Secret | None = None

    def mistakes(self) -> Iterator[Mistake]:
        for label in self.labels:
            if not _LABEL.fullmatch(label):
                yield ("labels", label), "is no name of a label; take letters (a to z), digits and '_', no digit first"


class EmailEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Addresses, and the server that takes mail for them; `ca` is a PEM file of its authorities."""

    to: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    sender: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="from")
    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    security: Security = "starttls"
    user: str | None = None
    password: Secret | None = None
    ca: str | None = None

    def mistakes(self) -> Iterator[Mistake]:
        for number, address in enumerate(self.to):
            if not is_address(address):
                yield ("to", number), f"{address!r} is no e-mail address; write one such as desk@example.org"
        if not is_address(self.sender, with_name=True):
            yield ("from",), f"{self.sender!r} is no e-mail address; write one such as moodwire@example.org"
        if self.user is not None and self.security == "none":
            yield ("security",), "a login needs starttls or tls; turn it on, or leave user and password out"
        if (self.user is None) != (self.password is None):
            yield (), "a login has a user and a password; write both or none"


class WebhookEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address that takes posts, and the secret that signs them; `source` is that of CloudEvents."""

    url: Secret
    secret: Secret | None = None
    format: BodyFormat = "standard"
    source: Annotated[str, msgspec.Meta(min_length=1)] = "moodwire"


class PagerDutyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An integration of PagerDuty (Events API v2); `source` is what its incidents name."""

    routing_key: Secret
    url: str = PAGERDUTY_URL
    source: Annotated[str, msgspec.Meta(min_length=1)] = "moodwire"


class AtomEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feed in a file, its title, and how many notifications it holds."""

    path: Annotated[str, msgspec.Meta(min_length=1)]
    title: Annotated[str, msgspec.Meta(min_length=1)] = "moodwire"
    entries: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class TopicEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A topic of a Kafka cluster; without `broker` of the broker that moodwire itself uses."""

    topic: Annotated[str, msgspec.Meta(min_length=1)]
    broker: str = ""
    source: Annotated[str, msgspec.Meta(min_length=1)] = "moodwire"

    def mistakes(self) -> Iterator[Mistake]:
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", self.topic) or self.topic in (".", ".."):
            yield ("topic",), "take letters, digits, dots, underscores and hyphens, at most 249"
        if self.broker and not is_kafka(self.broker):
            yield ("broker",), "take kafka://host:port, or leave it out for the broker of the settings"


class AppriseEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chat or push service by its address for apprise, such as ``slack://…``; only those of `SCHEMES` are taken."""

    url: Secret
    timeout_seconds: Annotated[float, msgspec.Meta(ge=1, le=300)] = 30.0


class TemplatesEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Templates in Jinja, each written out or in a file: {file: …}. `html` is for e-mail."""

    subject: Secret | None = None
    text: Secret | None = None
    html: Secret | None = None

    def mistakes(self) -> Iterator[Mistake]:
        for key in self.keys:
            source = getattr(self, key)
            if isinstance(source, str) and (problem := template_problem(source)):
                yield (key,), problem

    @property
    def keys(self) -> list[str]:
        """Those that are written."""
        return [key for key in ("subject", "text", "html") if getattr(self, key) is not None]


class RateEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most so many messages within so long, such as ``1h``; the others wait."""

    messages: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    per: str

    def mistakes(self) -> Iterator[Mistake]:
        try:
            if not duration_ms(self.per):
                yield ("per",), f"{self.per!r} is too short; write 1s or more"
        except ValueError as error:
            yield ("per",), str(error)

    @property
    def rate(self) -> Rate:
        return Rate(self.messages, duration_ms(self.per))


class Receiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One receiver: its name, and exactly one of the channels."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    alertmanager: AlertmanagerEntry | None = None
    email: EmailEntry | None = None
    webhook: WebhookEntry | None = None
    pagerduty: PagerDutyEntry | None = None
    atom: AtomEntry | None = None
    kafka: TopicEntry | None = None
    apprise: AppriseEntry | None = None
    at_most: RateEntry | None = None
    templates: TemplatesEntry | None = None

    @property
    def channels(self) -> list[str]:
        """The keys of its channels, as they are written."""
        return [key for key in CHANNEL_KEYS if getattr(self, key) is not None]

    def mistakes(self) -> Iterator[Mistake]:
        if not self.name.isprintable() or self.name != self.name.strip() or len(self.name) > _LONGEST_NAME:
            yield ("name",), f"take one line of at most {_LONGEST_NAME} characters"
        if self.name in BUILT_IN:
            yield ("name",), f"the settings have a receiver {self.name!r} already; take another name"
        if len(self.channels) != 1:
            found = f"has {' and '.join(self.channels)}" if self.channels else "has no channel"
            yield (), f"{found}; give it one of {', '.join(CHANNEL_KEYS)}, and a receiver of its own to each other"
        if self.templates is not None and self.channels[:1] in (["webhook"], ["kafka"]):
            yield ("templates",), "programs read this channel: its format is fixed; leave templates out"
        elif self.templates is not None and self.templates.html is not None and self.channels[:1] != ["email"]:
            yield ("templates", "html"), "e-mail alone has HTML; write text"


CHANNEL_KEYS = ("alertmanager", "email", "webhook", "pagerduty", "atom", "kafka", "apprise")
"""The keys of channels, in the order of `Receiver`."""


class RoutesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """routes.yaml: receivers, and which alerts go to which of them (`streams.receivers.policy`)."""

    receivers: tuple[Receiver, ...] = ()
    route: RouteEntry | None = None
    inhibit_rules: tuple[InhibitEntry, ...] = ()
    time_intervals: tuple[TimeIntervalEntry, ...] = ()


def read_receivers(path: str | Path | None) -> tuple[Receiver, ...]:
    """Returns the receivers of the file, without a file none. Raises `WrongFile` with every mistake in them."""
    return () if path is None else read_receivers_file(path)[1]


def read_receivers_file(path: str | Path) -> tuple[UserFile, tuple[Receiver, ...]]:
    """Returns the file, for what else is wrong with its receivers, and these. Raises as `read_receivers`."""
    file = read_file(path)
    found = shaped(file, RoutesFile)
    receivers = found.receivers if found is not None else ()
    _name_twice(file, receivers)
    file.refuse()
    return file, receivers


def _name_twice(file: UserFile, receivers: tuple[Receiver, ...]) -> None:
    seen: set[str] = set()
    for receiver in receivers:
        if receiver.name in seen:
            file.problem_in(receiver, ("name",), f"there is another receiver {receiver.name!r}; give each its own name")
        seen.add(receiver.name)
