"""What moodwire says about itself, through the same channels as alerts: it cannot work, or it can again."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["Notice"]

NOTICE_VERSION: Final = 2


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """The start (`change` is ``opened``) or the end (``resolved``) of one episode of trouble.

    `reason` is a short stable code, `subject` which part it is about (may be empty), `detail` is for people,
    `instance` names the process. An episode keeps its `id`; `revision` is 1 at its start and 2 at its end.
    """

    id: str
    revision: int
    change: str
    reason: str
    subject: str
    detail: str
    instance: str
    since_ms: int
    updated_ms: int
    schema: int = NOTICE_VERSION
