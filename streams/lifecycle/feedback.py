"""What people say of scores: the topic `feedback`, and its review. Pure: records in, verdicts out.

    Feedback {item, labels by head, entities, by, at} ─► a record for each head and entity
        ─► last word of each person on each ─► review ─┬─► agreed: teaches
                                                       └─► conflicts: held back

The topic is compacted by item, person and head (or entity): a person's later word on a head takes the place of the
earlier one and leaves the other heads as they are. A word without labels takes back all that the person said of the
item before. Where two people disagree on a head nothing is learnt, until they agree or somebody resolves it with a
later word of his own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from streams.engine.ports import Send
from streams.engine.runs import Record
from streams.errors import NewerVersion, Reject
from streams.logs import get_logger
from streams.records import VERSION

__all__ = ["Conflict", "Feedback", "Review", "feedback_sends", "parse_feedback", "read_feedback", "review"]

log = get_logger(__name__)

ENTITY = "entity/"
"""Before the name of an entity: what is said of it is judged like a head."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """One person's word on one item: the right label by head, and the right one by entity named in it.

    `version` is that of the model that was corrected, if known. `resolves` ends a disagreement of others. `note` is for
    people. Without labels and entities it takes all back that the person said of the item.
    """

    item: str
    by: str
    at_ms: int
    labels: Mapping[str, str] = {}
    entities: Mapping[str, str] = {}
    version: str = ""
    resolves: bool = False
    note: str = ""
    schema: int = VERSION

    @property
    def verdicts(self) -> dict[str, str]:
        """Labels and entities as one."""
        return {**self.labels, **{f"{ENTITY}{name}": label for name, label in self.entities.items()}}

    def on(self, name: str) -> Feedback:
        """Returns the part about one of the `verdicts`."""
        labels = {head: label for head, label in self.labels.items() if head == name}
        entities = {one: label for one, label in self.entities.items() if f"{ENTITY}{one}" == name}
        return msgspec.structs.replace(self, labels=labels, entities=entities)


@dataclass(frozen=True, slots=True)
class Conflict:
    """People disagree on a head of an item: who says what."""

    item: str
    head: str
    votes: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Review:
    """What may be learnt: verdicts by item, and what is held back."""

    agreed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    conflicts: Sequence[Conflict] = ()


def feedback_sends(topic: str, feedback: Feedback) -> list[Send]:
    """Returns the records: one for each head and entity, or one that takes all back.

    The key is the item and the person, and the head or `entity/NAME` unless all is taken back.
    """
    parts = [feedback.on(name) for name in feedback.verdicts] or [feedback]
    return [Send(topic, _key(part), msgspec.json.encode(part)) for part in parts]


def _key(part: Feedback) -> bytes:
    return "\0".join((part.item, part.by, *part.verdicts)).encode()


def parse_feedback(line: bytes, *, by: str, now_ms: int) -> Feedback:
    """Returns one line of NDJSON; `by` and the time are filled in where it names none.

    Empty labels take the person's word back. Raises `Reject`, also where there are neither labels nor entities.
    """
    try:
        given = msgspec.json.decode(line, type=dict[str, object])
        found = msgspec.convert({"by": by, "at_ms": now_ms} | given, type=Feedback)
    except msgspec.MsgspecError as error:
        raise Reject("bad_feedback", str(error)) from error
    if not given.keys() & {"labels", "entities"}:
        raise Reject(
            "bad_feedback", 'no labels and no entities; write {"labels": {}} to take the word on the item back'
        )
    return found


class _LastWords:
    """What a person said last of an item: by head or entity, or that all is taken back."""

    def __init__(self) -> None:
        self.withdrawal: tuple[bytes, Feedback] | None = None
        self.words: dict[str, tuple[bytes, Feedback]] = {}

    def take(self, key: bytes, word: Feedback) -> None:
        """A later word wins, of two of the same time the one that was written later."""
        taken_back = self.withdrawal[1].at_ms if self.withdrawal is not None else 0
        if word.at_ms < taken_back:
            return
        if not word.verdicts:
            self.withdrawal = key, word
            self.words = {name: known for name, known in self.words.items() if known[1].at_ms > word.at_ms}
        for name in word.verdicts:
            known = self.words.get(name)
            if known is None or word.at_ms >= known[1].at_ms:
                self.words[name] = key, word.on(name)

    def delete(self, key: bytes) -> None:
        """The record of this key is deleted."""
        self.words = {name: known for name, known in self.words.items() if known[0] != key}
        if self.withdrawal is not None and self.withdrawal[0] == key:
            self.withdrawal = None

    def found(self) -> list[Feedback]:
        """Returns the words, or the one that takes all back."""
        words = [word for _, word in self.words.values()]
        return words or ([self.withdrawal[1]] if self.withdrawal is not None else [])


def read_feedback(records: Iterable[Record]) -> list[Feedback]:
    """Returns every person's last word on each head and entity of every item, each by itself.

    A record that cannot be read is passed over with a warning. Raises `NewerVersion`, naming the offset.
    """
    last: dict[tuple[str, str], _LastWords] = {}
    owners: dict[bytes, _LastWords] = {}
    for record in records:
        if record.key is None:
            continue
        if record.value is None:
            if record.key in owners:
                owners[record.key].delete(record.key)
            continue
        found = _decoded(record)
        if found is not None:
            words = owners[record.key] = last.setdefault((found.item, found.by), _LastWords())
            words.take(record.key, found)
    return [word for words in last.values() for word in words.found()]


def _decoded(record: Record) -> Feedback | None:
    """None for what anybody may have written there and is no feedback."""
    try:
        found = msgspec.json.decode(record.value or b"", type=Feedback)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        log.warning("Unreadable feedback skipped", offset=record.offset, error=error)
        return None
    if found.schema > VERSION:
        raise NewerVersion(f"the feedback at offset {record.offset}", found.schema, VERSION)
    return found


def review(words: Iterable[Feedback]) -> Review:
    """Agreed verdicts and conflicts, of each person's last word."""
    by_item: dict[str, list[Feedback]] = {}
    for word in words:
        by_item.setdefault(word.item, []).append(word)
    agreed: dict[str, dict[str, str]] = {}
    conflicts: list[Conflict] = []
    for item, said in sorted(by_item.items()):
        for head in sorted({head for word in said for head in word.verdicts}):
            label = _agreed(head, said)
            if label is None:
                conflicts.append(Conflict(item, head, _votes(head, said)))
            else:
                agreed.setdefault(item, {})[head] = label
    return Review(agreed, conflicts)


def _agreed(head: str, said: Sequence[Feedback]) -> str | None:
    words = [word for word in said if head in word.verdicts]
    newest = max(words, key=lambda word: word.at_ms)
    labels = {word.verdicts[head] for word in words}
    if len(labels) == 1 or (newest.resolves and all(word is newest or word.at_ms < newest.at_ms for word in words)):
        return newest.verdicts[head]
    return None


def _votes(head: str, said: Sequence[Feedback]) -> dict[str, list[str]]:
    votes: dict[str, list[str]] = {}
    for word in said:
        if head in word.verdicts:
            votes.setdefault(word.verdicts[head], []).append(word.by)
    return {label: sorted(people) for label, people in sorted(votes.items())}
