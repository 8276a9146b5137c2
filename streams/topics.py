"""Names of topics, consumer groups and tables; explicit, so that moving a file changes no data.

moodwire's own   <prefix><namespace>.<topic>   made, kept and deleted by moodwire
others'          NamedTopics                   under a name of their own: read and written, never changed
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from streams.errors import SettingsError
from streams.transport.broker import TopicSpec, setting_of
from streams.wall_clock import HOUR_MS

__all__ = [
    "BASELINES_HEADER",
    "CLOCK_HEADER",
    "CUT_HEADER",
    "DECISION_HEADER",
    "END_HEADER",
    "NAMED",
    "OWN_HEADERS",
    "PROMOTION_HEADER",
    "RESEND_HEADER",
    "SEAL_HEADER",
    "TICK_HEADER",
    "NamedTopics",
    "Topics",
    "checked_namespace",
    "checked_prefix",
    "promotion_number",
    "topic_specs",
]

END_HEADER = "moodwire-end"
"""Header of the record that ends a replay; its value is the progress in milliseconds, in ASCII."""

PROMOTION_HEADER = "moodwire-promotion"
"""Header of mentions that a promoted model scored; its value is the promotion's number, in ASCII."""

CUT_HEADER = "moodwire-cut"
"""Header of a scored record that would have been too large; its value names the fields of `news` that it lacks."""

BASELINES_HEADER = "moodwire-baselines"
"""Header of a record of mentions that holds baselines for a promotion; its value is the number of that, in ASCII."""

RESEND_HEADER = "moodwire-resend"
"""Header of a record of alerts that asks for a notification again; its value names that, in JSON."""

TICK_HEADER = "moodwire-tick"
"""Header of an event of alerts that waits for its tick's seal; its value is its partition of mentions, in ASCII."""

SEAL_HEADER = "moodwire-seal"
"""Header of a record of alerts that is no event: all events of a partition of mentions up to a tick are before it."""

CLOCK_HEADER = "moodwire-clock"
"""Header of a record of alerts that is no event: the time, where a partition of mentions is not waited for."""

DECISION_HEADER = "moodwire-decision"
"""Header of a record of alerts that is no event: what a person decided, forwarded from control; its value is JSON."""

OWN_HEADERS = "moodwire-"
"""What the names of all headers begin with that mean something to moodwire."""

NAMED = ("news", "scored", "alerts", "rejects")
"""The topics that may be others': those that strangers write or read."""

_LONGEST_NUMBER = 18  # digits; promotions are numbered from 1

_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,100}")  # what Kafka takes in names of topics
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def checked_namespace(name: str) -> str:
    """The name, which becomes a folder's and a part of topics' names; raises SettingsError for an unusable one."""
    if not _NAMESPACE.fullmatch(name):
        raise SettingsError(
            f"namespace {name[:100]!r} (-n, --into, MOODWIRE_NAMESPACE) is not usable: take 1 to 61 lower-case letters"
            " (a to z), digits, '-' and '_', the first a letter or a digit"
        )
    return name


def checked_prefix(prefix: str) -> str:
    """The prefix of topics, groups and files of locks; raises SettingsError for an unusable one."""
    if not _PREFIX.fullmatch(prefix):
        raise SettingsError(
            f"MOODWIRE_PREFIX={prefix[:150]!r} is not usable: take at most 100 letters (a to z, A to Z), digits,"
            " '.', '-' and '_'"
        )
    return prefix


@dataclass(frozen=True, slots=True)
class NamedTopics:
    """Existing topics that are used in place of moodwire's own, under the names that they have; empty: moodwire's."""

    news: str = ""
    scored: str = ""
    alerts: str = ""
    rejects: str = ""

    def __post_init__(self) -> None:
        """Raises SettingsError for a name that Kafka would not take, and for one that two of them share."""
        given = {topic: name for topic in NAMED if (name := getattr(self, topic))}
        for topic, name in given.items():
            if not _TOPIC.fullmatch(name) or name in {".", ".."}:
                raise SettingsError(
                    f"{setting_of(topic)}={name[:260]!r} is no name of a topic: take at most 249 letters (a to z, A to"
                    " Z), digits, '.', '-' and '_'"
                )
        names = list(given.values())
        if shared := next((name for name in names if names.count(name) > 1), None):
            settings = ", ".join(setting_of(topic) for topic, name in given.items() if name == shared)
            raise SettingsError(f"{settings} are all {shared!r}: give each a topic of its own")


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one namespace of one deployment; `named` are others'."""

    prefix: str
    namespace: str
    named: NamedTopics = NamedTopics()

    def __post_init__(self) -> None:
        """Raises SettingsError for names that are not usable."""
        checked_prefix(self.prefix)
        checked_namespace(self.namespace)
        for topic in NAMED:
            if getattr(self.named, topic).startswith(own := self._own("")):
                raise SettingsError(
                    f"{setting_of(topic)}={getattr(self.named, topic)!r} begins with {own!r}, as moodwire's own topics "
                    "do: leave it unset for those, or name another topic"
                )

    def _own(self, topic: str) -> str:
        return f"{self.prefix}{self.namespace}.{topic}"

    def name(self, topic: str) -> str:
        """The name on the broker of a topic of this namespace; of "" what all that are moodwire's own begin with."""
        return self.foreign(topic) or self._own(topic)

    def foreign(self, topic: str) -> str:
        """The name of a topic that is others', empty for moodwire's own."""
        return getattr(self.named, topic) if topic in NAMED else ""

    def kind(self, name: str) -> str:
        """The opposite of `name`: `news` for whatever the topic of news is called."""
        others = {self.foreign(topic): topic for topic in NAMED if self.foreign(topic)}
        return others.get(name) or name.removeprefix(self._own(""))

    def group(self, stage: str) -> str:
        return f"{self.prefix}{self.namespace}.{stage}"

    @property
    def news(self) -> str:
        return self.name("news")

    @property
    def scored(self) -> str:
        return self.name("scored")

    @property
    def mentions(self) -> str:
        return self.name("mentions")

    @property
    def alerts(self) -> str:
        return self.name("alerts")

    @property
    def sources(self) -> dict[str, str]:
        """The topic that each stage reads, in the order of the flow."""
        return {"score": self.news, "watch": self.mentions, "deliver": self.alerts}

    @property
    def rejects(self) -> str:
        return self.name("rejects")

    @property
    def control(self) -> str:
        """What people decided, the last word of each key: promotions, shadows; and what the namespace is for."""
        return self.name("control")

    @property
    def feedback(self) -> str:
        """What people say of the scores; the last word of a person on an item."""
        return self.name("feedback")

    @property
    def progress(self) -> str:
        """On Kafka: how far publishers have come. The embedded broker keeps that in a table of its own."""
        return self.name("progress")


def promotion_number(headers: Iterable[tuple[str, bytes]]) -> int:
    """Returns the number of the promotion in the headers of mentions; 0 without one. Raises ValueError for garbage."""
    value = next((value for name, value in headers if name == PROMOTION_HEADER), b"0")
    if not value.isdigit() or len(value) > _LONGEST_NUMBER:
        raise ValueError(f"the header {PROMOTION_HEADER} is {value[:100]!r}, no number")
    return int(value)


class TopicSettings(Protocol):
    """What the settings say of topics."""

    @property
    def topics(self) -> Topics: ...

    @property
    def partitions(self) -> int: ...

    @property
    def mentions_partitions(self) -> int: ...

    @property
    def retention_hours(self) -> float: ...


def topic_specs(settings: TopicSettings) -> list[TopicSpec]:
    """The topics of a namespace, as they must exist before a stage starts."""
    topics = settings.topics
    retention_ms = int(settings.retention_hours * HOUR_MS)
    specs = [
        TopicSpec(topics.news, settings.partitions, retention_ms=retention_ms),
        TopicSpec(topics.scored, settings.partitions, retention_ms=retention_ms),
        TopicSpec(topics.mentions, settings.mentions_partitions, retention_ms=retention_ms),
        TopicSpec(topics.alerts, 1, retention_ms=retention_ms),
        TopicSpec(topics.rejects, 1, compacted=True),
        TopicSpec(topics.control, 1, compacted=True),
        TopicSpec(topics.feedback, 1, compacted=True),
    ]
    foreign = {name: topic for topic in NAMED if (name := topics.foreign(topic))}
    return [replace(spec, foreign=foreign[spec.name]) if spec.name in foreign else spec for spec in specs]
