"""Which records are in which topic, and what their keys and headers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alerts import AlertEvent
from alerts.delivery.file import FileLine
from alerts.delivery.webhook import AlertPost, GroupPost, NoticePost
from streams.alert_log import Clock, Forwarded, Seal
from streams.feeds.rejects import RejectRecord
from streams.lifecycle.feedback import Feedback
from streams.namespaces import Declaration
from streams.records import MentionBatch, News, Scored
from streams.serving.control import Promotion, Shadow, Watched
from streams.stages.deliver_judging import Resend
from streams.topics import (
    CLOCK_HEADER,
    CUT_HEADER,
    DECISION_HEADER,
    END_HEADER,
    PROMOTION_HEADER,
    RESEND_HEADER,
    SEAL_HEADER,
    TICK_HEADER,
)

__all__ = ["CONTENTS", "DELIVERED", "Content"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a topic holds: `records` are the structs of its values, one of them each; `key` is what its keys are.

    `internal` topics are moodwire's own affair: their records are compact, and may change with any version. Of what a
    channel sends, `topic` is the channel's name in `moodwire schema`, and there are no keys.
    """

    topic: str
    title: str
    about: str
    records: tuple[type, ...]
    key: str
    headers: Mapping[str, str] = field(default_factory=dict)
    others_write: bool = False
    others_read: bool = True
    internal: bool = False


CONTENTS = (
    Content(
        "news",
        "News to be scored",
        "Any JSON object that the field map can read is taken: a title and a publisher are enough. Records in the form "
        "that this schema describes are taken as they are. What cannot be read goes to `rejects`.",
        (News,),
        "Any, or none. moodwire's own publishers send four bytes of the title's MinHash, so that copies meet.",
        {END_HEADER: "Ends a replay; progress in milliseconds since 1970, in ASCII. Ignored in a live namespace."},
        others_write=True,
    ),
    Content(
        "scored",
        "Scored items",
        "One record for each item and each revision of one. A redo after a crash may write a record again: `news.id` "
        "with `news.content` tells it.",
        (Scored,),
        "The item's id, `news.id`, in UTF-8.",
        {CUT_HEADER: "Names fields of `news` that are empty, as the record would be too large; separated by comma."},
    ),
    Content(
        "mentions",
        "What is counted of scored items",
        "Between `score` and `watch`. Records with the header moodwire-baselines are MessagePack and hold baselines.",
        (MentionBatch,),
        "None; the partition is chosen by the names of series.",
        {PROMOTION_HEADER: "Number of the promotion whose model scored the items, in ASCII."},
        others_read=False,
        internal=True,
    ),
    Content(
        "alerts",
        "Alerts",
        "One record for each change of an alert's state. A reader keeps the highest `revision` of an `id`. The events "
        "of an alert are in order. Records with a header named below but moodwire-tick are no events: pass them over; "
        "most have no value.",
        (AlertEvent,),
        "The series, in UTF-8.",
        {
            TICK_HEADER: "The partition of `mentions` that the event comes from, in ASCII.",
            SEAL_HEADER: "All events of a partition of `mentions` up to a tick are before this record, in JSON (Seal).",
            CLOCK_HEADER: "The time, where a partition of `mentions` is not waited for, in JSON (Clock).",
            DECISION_HEADER: "What a person decided, forwarded from `control`, in JSON (Forwarded).",
            RESEND_HEADER: "Asks for a notification again, in JSON (Resend).",
        },
    ),
    Content(
        "rejects",
        "Records that could not be processed",
        "Compacted by key. A record without a value takes the one of its key back: it was sent again.",
        (RejectRecord,),
        "The record's `id`, in UTF-8.",
    ),
    Content(
        "control",
        "Decisions about a running pipeline",
        "Compacted by key; the last record of a key holds, and of a namespace's declarations the first. What people "
        "decide about alerts is under `decision/ID`; `deliver` forwards it to `alerts`, in order.",
        (Promotion, Shadow, Watched, Declaration),
        "`model/LANGUAGE` (Promotion), `shadow/LANGUAGE` (Shadow), `watchlist/NAME` (Watched), `namespace` "
        "(Declaration) or `decision/ID`.",
        others_read=False,
        internal=True,
    ),
    Content(
        "feedback",
        "Corrections of scores",
        "Compacted by key: a person's last word on a head or an entity of an item holds. One without labels takes back "
        "all that the person said of the item before.",
        (Feedback,),
        "The item's id, the person's name and, unless all is taken back, the head or `entity/NAME`: in UTF-8, with a "
        "NUL between them.",
        others_write=True,
    ),
)

DELIVERED = (
    Content(
        "webhook",
        "What the webhook posts",
        "One post for each message about alerts, as Standard Webhooks asks, and for the start and the "
        "end of a trouble of moodwire itself. A post may come again under its `webhook-id`.",
        (AlertPost, GroupPost, NoticePost),
        "",
        {
            "webhook-id": "Names the notification, the same in every attempt.",
            "webhook-timestamp": "When the attempt was made, in seconds since 1970, in ASCII.",
            "webhook-signature": "`v1,` and base64 of the HMAC-SHA256 of id, timestamp and body, joined by dots; "
            "absent without a secret.",
        },
    ),
    Content(
        "alerts-file",
        "Lines of the alerts file",
        "One JSON object a line: an event of an alert but `ongoing` ones, a message about several, or the start or the "
        "end of a trouble of moodwire itself.",
        (FileLine,),
        "",
    ),
)
"""What leaves through channels; the terminal has no format."""

EMBEDDED: tuple[type, ...] = (Resend, Seal, Clock, Forwarded)
"""Structs that are the value of a header."""
