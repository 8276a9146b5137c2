"""The documents as text, and as the files of `deploy/schemas`: `moodwire schema --into deploy/schemas` writes them."""

from __future__ import annotations

import json
from typing import Any

from streams.schemas.asyncapi import asyncapi_document
from streams.schemas.contents import CONTENTS
from streams.schemas.json_schema import topic_schema
from streams.topics import TopicSettings

__all__ = ["document_of", "schema_files"]


def schema_files(settings: TopicSettings) -> dict[str, str]:
    """All documents by the name of their file."""
    files = {f"{content.topic}.schema.json": document_of(content.topic, settings) for content in CONTENTS}
    return files | {"asyncapi.json": document_of("", settings, asyncapi=True)}


def document_of(topic: str, settings: TopicSettings, *, asyncapi: bool = False) -> str:
    """A topic's JSON Schema; or as AsyncAPI the topic, and all topics where none is named."""
    contents = [content for content in CONTENTS if topic in ("", content.topic)]
    return _text(asyncapi_document(contents, settings) if asyncapi else topic_schema(contents[0]))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
