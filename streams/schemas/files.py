"""The documents as text, and as the files of `deploy/schemas`: `moodwire schema --into deploy/schemas` writes them."""

from __future__ import annotations

import json
from typing import Any

from streams.schemas.asyncapi import asyncapi_document
from streams.schemas.contents import CONTENTS, DELIVERED
from streams.schemas.json_schema import topic_schema
from streams.topics import TopicSettings

__all__ = ["document_of", "schema_files"]


def schema_files(settings: TopicSettings) -> dict[str, str]:
    """All documents by the name of their file."""
    files = {f"{one.topic}.schema.json": document_of(one.topic, settings) for one in (*CONTENTS, *DELIVERED)}
    return files | {"asyncapi.json": document_of("", settings, asyncapi=True)}


def document_of(topic: str, settings: TopicSettings, *, asyncapi: bool = False) -> str:
    """The JSON Schema of a topic, or of what a channel sends; as AsyncAPI the topic, and all topics for an empty name.

    Raises `StopIteration` for a name that neither has.
    """
    if asyncapi:
        return _text(asyncapi_document([one for one in CONTENTS if topic in ("", one.topic)], settings))
    return _text(topic_schema(next(one for one in (*CONTENTS, *DELIVERED) if one.topic == topic)))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
