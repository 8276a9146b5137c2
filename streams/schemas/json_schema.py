"""The records of a topic, or what a channel sends, as one JSON Schema (2020-12)."""

from __future__ import annotations

from typing import Any

from streams.records import VERSION
from streams.schemas.contents import DELIVERED, EMBEDDED, Content
from streams.schemas.describing import described

__all__ = ["DIALECT", "topic_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def topic_schema(content: Content) -> dict[str, Any]:
    """The schema of the values of a topic, or of what a channel sends.

    Fields that it does not name may come with later versions: ignore them.
    """
    embedded = EMBEDDED if content.topic == "alerts" else ()
    references = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in content.records]
    return {
        "$schema": DIALECT,
        "$id": f"urn:moodwire:{'delivery' if content in DELIVERED else 'topic'}:{content.topic}:{VERSION}",
        "title": content.title,
        "description": content.about,
        **(references[0] if len(references) == 1 else {"anyOf": references}),
        "$defs": described((*content.records, *embedded), "#/$defs/{name}"),
    }
