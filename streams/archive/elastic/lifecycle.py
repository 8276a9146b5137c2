"""The optional ILM policy: the server itself merges and deletes daily indices.

It deletes indices by their age alone. What moodwire knows of their items (registry, sightings) is taken away by
`moodwire archive prune`, which is therefore run now and then all the same; until then an old item that comes again
is a duplicate. The overflow index is left out: its items are of any age.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

__all__ = ["policy"]

_FILE = Path(__file__).with_name("lifecycle.json")


def policy(retention_days: int) -> dict[str, Any]:
    """The policy's body; indices are deleted when they are `retention_days` and a day old."""
    body: dict[str, Any] = msgspec.json.decode(_FILE.read_bytes())
    body["policy"]["phases"]["delete"]["min_age"] = f"{retention_days + 1}d"
    return body
