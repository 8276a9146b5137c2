"""Topics, their keys, headers and records as one AsyncAPI 3.0 document (https://www.asyncapi.com)."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from streams.schemas.contents import EMBEDDED, Content
from streams.schemas.describing import described
from streams.topics import TopicSettings, topic_specs
from streams.transport.broker import TopicSpec

__all__ = ["asyncapi_document"]

_BINDING = "0.5.0"  # of AsyncAPI's bindings for Kafka


def asyncapi_document(contents: Iterable[Content], settings: TopicSettings) -> dict[str, Any]:
    """The document of these topics, under the names and with the partitions that the settings give them."""
    contents = list(contents)
    specs = {settings.topics.kind(spec.name): spec for spec in topic_specs(settings)}
    kinds = [kind for content in contents for kind in content.records]
    embedded = EMBEDDED if any(content.topic == "alerts" for content in contents) else ()
    schemas = described((*kinds, *embedded), "#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "moodwire",
            "version": version("moodwire"),
            "description": "Scores news as it is published and raises alerts. Readers ignore fields that they do not "
            "know; no integer in what others read exceeds 2^53 - 1.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {content.topic: _channel(content, specs[content.topic]) for content in contents},
        "operations": {name: operation for content in contents for name, operation in _operations(content).items()},
        "components": {
            "messages": {kind.__name__: _message(content, kind) for content in contents for kind in content.records},
            "schemas": {name: _as_draft_7(schema) for name, schema in schemas.items()},
        },
    }


def _channel(content: Content, spec: TopicSpec) -> dict[str, Any]:
    kept = {"cleanup.policy": ["compact"]} if spec.compacted else {"cleanup.policy": ["delete"]}
    if spec.retention_ms is not None:
        kept |= {"retention.ms": spec.retention_ms}  # type: ignore[dict-item]
    kafka: dict[str, Any] = {"topic": spec.name, "bindingVersion": _BINDING}
    if not spec.foreign:
        kafka |= {"partitions": spec.partitions, "topicConfiguration": kept}
    return {
        "address": spec.name,
        "title": content.title,
        "description": content.about,
        "tags": [{"name": "internal" if content.internal else "public"}],
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in content.records},
        "bindings": {"kafka": kafka},
    }


def _operations(content: Content) -> dict[str, Any]:
    """What moodwire does with the topic, as AsyncAPI has it: the application's side."""
    channel = {"$ref": f"#/channels/{content.topic}"}
    name = content.topic.capitalize()
    found = {}
    if content.others_write or content.internal:
        found[f"receive{name}"] = {"action": "receive", "channel": channel, "title": f"Reads {content.topic}"}
    if content.others_read or content.internal:
        found[f"send{name}"] = {"action": "send", "channel": channel, "title": f"Writes {content.topic}"}
    return found


def _message(content: Content, kind: type) -> dict[str, Any]:
    headers = {name: {"type": "string", "description": about} for name, about in content.headers.items()}
    return {
        "name": kind.__name__,
        "title": content.title,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        **({"headers": {"type": "object", "properties": headers}} if headers else {}),
        "bindings": {"kafka": {"key": {"type": "string", "description": content.key}, "bindingVersion": _BINDING}},
    }


def _as_draft_7(schema: Any) -> Any:
    """The schema in the words of draft 7, which AsyncAPI's own schemas follow: `prefixItems` came after it."""
    if isinstance(schema, list):
        return [_as_draft_7(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _as_draft_7(value) for name, value in schema.items()}
    if "prefixItems" in changed:
        rest = {"additionalItems": changed.pop("items")} if "items" in changed else {}
        changed |= {"items": changed.pop("prefixItems"), **rest}
    return changed
