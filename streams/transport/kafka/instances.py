"""Two processes under one instance name: the one whose place was taken ends, and does not take it back.

aiokafka's heartbeats and commits do not name the instance, so a member that another has replaced hears that its member
id is unknown. aiokafka then forgets the id and joins as a new member, which replaces the other, and so on for ever.
Here it keeps its id for one more try: Kafka answers that it is fenced, or, where its session had only ended, that the
id is unknown, and then it joins as a new member.
"""

from __future__ import annotations

from typing import Any

from aiokafka import errors

__all__ = ["FencedInstanceId", "is_fenced", "keep_member_id"]


class FencedInstanceId(errors.BrokerResponseError):
    """The name of the instance is another member's; aiokafka does not know the code."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another member has the name of this instance."


errors.kafka_errors.setdefault(FencedInstanceId.errno, FencedInstanceId)


def keep_member_id(group: Any) -> None:
    """Has aiokafka's coordinator of a group keep its member id until Kafka has refused it twice."""
    forget = group.reset_generation

    def reset_generation() -> None:
        member_id, was_member = group.member_id, group.generation > 0
        forget()
        if was_member:
            group.member_id = member_id

    group.reset_generation = reset_generation


def is_fenced(error: BaseException) -> bool:
    """Whether it is, or tells of, a fenced instance: aiokafka wraps what it does not know as text."""
    return FencedInstanceId.__name__ in repr(error) or isinstance(error, FencedInstanceId)
