"""The schemas of topics: every field has words, every number a unit and bounds; the committed files are up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from typer.testing import CliRunner

from streams.cli import app
from streams.schemas.asyncapi import asyncapi_document
from streams.schemas.contents import CONTENTS, DELIVERED, EMBEDDED, Content
from streams.schemas.describing import LARGEST, described, stale, structs_of, undescribed
from streams.schemas.files import schema_files
from streams.schemas.json_schema import topic_schema
from streams.settings import Settings
from streams.topics import NAMED, topic_specs
from tests.conftest import ROOT

ALL = (*CONTENTS, *DELIVERED)
STRUCTS = [kind for content in ALL for kind in content.records] + list(EMBEDDED)
PUBLIC = [content for content in ALL if not content.internal]
DEFAULTS = Settings.model_construct()
FOLDER = ROOT / "deploy" / "schemas"


def ids(content: Content) -> str:
    return content.topic


def test_every_field_has_words_and_every_number_a_unit() -> None:
    missing = undescribed(STRUCTS)
    assert missing == [], f"write what they mean into streams/schemas/fields.yaml: {', '.join(missing)}"
    assert stale(STRUCTS) == [], "no struct has these any more: take them out of streams/schemas/fields.yaml"


def test_a_new_field_is_missed_until_it_has_words() -> None:
    class TopItem(msgspec.Struct):
        id: str
        mood: float

    assert undescribed([TopItem]) == ["TopItem.mood"]


def test_every_topic_of_a_namespace_is_described() -> None:
    names = {DEFAULTS.topics.kind(spec.name) for spec in topic_specs(DEFAULTS)}
    assert names == {content.topic for content in CONTENTS}
    assert set(NAMED) <= {content.topic for content in PUBLIC}


@pytest.mark.parametrize("content", ALL, ids=ids)
def test_it_is_a_schema_whose_references_exist(content: Content) -> None:
    schema = topic_schema(content)
    Draft202012Validator.check_schema(schema)
    names = {reference.removeprefix("#/$defs/") for reference in references(schema)}
    assert names <= set(schema["$defs"])


@pytest.mark.parametrize("content", PUBLIC, ids=ids)
def test_no_integer_that_others_read_can_exceed_what_json_readers_keep(content: Content) -> None:
    found = list(integers(topic_schema(content)))
    assert found
    for path, schema in found:
        assert schema.get("minimum", -(2**64)) >= -LARGEST, path
        assert schema.get("maximum", 2**64) <= LARGEST, path


def test_one_field_says_the_format_and_version_is_a_models() -> None:
    for content in CONTENTS:
        for kind in content.records:
            assert "schema" in fields_of(kind), kind
    named = {name for name, kind in structs_of(STRUCTS).items() if "version" in fields_of(kind)}
    assert named == {"Promotion", "Earlier", "Shadow", "Feedback"}
    words = described(STRUCTS, "{name}")
    assert all("model" in words[name]["properties"]["version"]["description"] for name in named)


def test_records_for_others_are_objects_and_positions_have_names() -> None:
    for content in PUBLIC:
        for name, schema in topic_schema(content)["$defs"].items():
            assert "enum" in schema or schema["type"] == "object", name
    assert set(described(STRUCTS, "{name}")["Position"]["properties"]) == {"epoch", "partition", "offset"}


# -- AsyncAPI


def test_asyncapi_names_topics_as_the_settings_do_and_its_references_exist() -> None:
    settings = DEFAULTS.changed(news_topic="wire.news", partitions=8)
    document = asyncapi_document(CONTENTS, settings)
    assert document["asyncapi"] == "3.0.0"
    channels = document["channels"]
    assert channels["news"]["address"] == "wire.news"
    assert channels["scored"]["address"] == "moodwire.live.scored"
    assert channels["scored"]["bindings"]["kafka"]["partitions"] == 8
    assert "partitions" not in channels["news"]["bindings"]["kafka"], "others decide them"
    for reference in references(document):
        assert resolved(document, reference) is not None, reference
    for schema in document["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
        assert "prefixItems" not in json.dumps(schema)


def test_each_channel_has_messages_and_an_operation_of_moodwires_side() -> None:
    document = asyncapi_document(CONTENTS, DEFAULTS)
    actions: dict[str, set[str]] = {}
    for operation in document["operations"].values():
        actions.setdefault(operation["channel"]["$ref"].rpartition("/")[2], set()).add(operation["action"])
    assert actions.keys() == document["channels"].keys()
    assert actions["scored"] == actions["alerts"] == {"send"}
    assert "receive" in actions["news"]
    used = {reference for channel in document["channels"].values() for reference in references(channel)}
    assert used == {f"#/components/messages/{name}" for name in document["components"]["messages"]}


# -- the command and the files


def test_the_committed_files_are_what_the_code_makes() -> None:
    wanted = schema_files(DEFAULTS)
    assert {path.name for path in FOLDER.iterdir()} == set(wanted)
    for name, text in wanted.items():
        assert (FOLDER / name).read_text() == text, f"{name} is out of date: make schemas"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["scored"], '"$id": "urn:moodwire:topic:scored:'),
        (["--asyncapi"], '"asyncapi": "3.0.0"'),
        (["alerts", "--asyncapi"], '"address": "moodwire.live.alerts"'),
        (["webhook"], '"$id": "urn:moodwire:delivery:webhook:'),
        ([], "feedback"),
    ],
    ids=" ".join,
)
def test_the_command_prints_it(words: list[str], wanted: str) -> None:
    shown = CliRunner().invoke(app, ["schema", *words])
    assert shown.exit_code == 0, shown.output
    assert wanted in shown.output


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["scord"], "take one of news, scored"),
        (["webhook", "--asyncapi"], "--asyncapi describes topics: take one of news"),
    ],
)
def test_an_unknown_name_is_a_wrong_call(words: list[str], fix: str) -> None:
    shown = CliRunner().invoke(app, ["schema", *words])
    assert shown.exit_code == 2
    assert fix in " ".join(shown.output.replace("│", " ").split())


def fields_of(kind: type) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind)}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    if isinstance(value, dict):
        for name, one in value.items():
            if name == "$ref":
                yield one
            else:
                yield from references(one)


def resolved(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def integers(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every integer's schema with its path."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from integers(one, f"{path}/{number}")
    if isinstance(value, dict):
        if value.get("type") == "integer":
            yield path, value
        for name, one in value.items():
            yield from integers(one, f"{path}/{name}")
