"""What people say of scores: the topic `feedback`, and its review. Pure: records in, verdicts out.

    Feedback {item, labels by head, entities, by, at} ─► last word of each person ─► review ─┬─► agreed: teaches
                                                                                            └─► conflicts: held back

The topic is compacted by item and person: a person's later word takes the place of the earlier one, and a word without
labels takes it back. Where two people disagree on a head nothing is learnt, until they agree or somebody resolves it
with a later word of his own.
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

__all__ = ["Conflict", "Feedback", "Review", "feedback_send", "parse_feedback", "read_feedback", "review"]

log = get_logger(__name__)

ENTITY = "entity/"
"""Before the name of an entity: what is said of it is judged like a head."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """One person's word on one item: the right label by head, and the right one by entity named in it.

    `version` is that of the model that was corrected, if known. `resolves` ends a disagreement of others. Without
    labels and entities it takes the person's earlier word back.
    """

    item: str
    by: str
    at_ms: int
    labels: Mapping[str, str] = {}
    entities: Mapping[str, str] = {}
    version: str = ""
    resolves: bool = False
    schema: int = VERSION

    @property
    def verdicts(self) -> dict[str, str]:
        """Labels and entities as one."""
        return {**self.labels, **{f"{ENTITY}{name}": label for name, label in self.entities.items()}}


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


def feedback_send(topic: str, feedback: Feedback) -> Send:
    """The record; its key is the item and the person."""
    return Send(topic, f"{feedback.item}\0{feedback.by}".encode(), msgspec.json.encode(feedback))


def parse_feedback(line: bytes, *, by: str, now_ms: int) -> Feedback:
    """One line of NDJSON; `by` and the time are filled in where it names none. Raises `Reject`."""
    try:
        given = msgspec.json.decode(line, type=dict[str, object])
        return msgspec.convert({"by": by, "at_ms": now_ms} | given, type=Feedback)
    except msgspec.MsgspecError as error:
        raise Reject("bad_feedback", str(error)) from error


def read_feedback(records: Iterable[Record]) -> list[Feedback]:
    """Every person's last word on every item; a warning for each record that cannot be read, which is passed over.

    Raises `NewerVersion`, naming the offset.
    """
    last: dict[bytes, Feedback] = {}
    for record in records:
        if record.key is None:
            continue
        if record.value is None:
            last.pop(record.key, None)
            continue
        found = _decoded(record)
        known = last.get(record.key)
        if found is not None and (known is None or found.at_ms >= known.at_ms):
            last[record.key] = found
    return list(last.values())


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
