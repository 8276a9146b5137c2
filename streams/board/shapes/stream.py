"""The stream of server-sent events."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["StreamQuery"]

_TOPICS = "^(alerts|items|status)(,(alerts|items|status)){0,2}$"


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what: some of alerts, items and status, with commas between them."""

    topics: Annotated[str, Meta(pattern=_TOPICS, description="alerts,items,status")] = "alerts,items,status"
