"""The saved objects of Kibana: whole, bound to one another, and asking for fields that the archive maps."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from streams.archive.elastic.dashboards import ChartedSignal, Charts, dashboards_of
from streams.archive.elastic.names import Names
from streams.archive.elastic.options import ElasticOptions
from streams.archive.elastic.templates import templates
from streams.text.profile import Profile, load_profile
from tests.conftest import ROOT
from tests.deploy.kibana_objects import fields_of, layers_of, query_of, read_objects, search_of

FILE = ROOT / "deploy" / "kibana" / "moodwire.ndjson"
OBJECTS = read_objects(FILE)
BY_ID = {(each["type"], each["id"]): each for each in OBJECTS}
LENSES = [each for each in OBJECTS if each["type"] == "lens"]
# The newest versions that Kibana 8.19 knows or migrates from; a newer one would be refused there.
VERSIONS = {"index-pattern": "7.11.0", "search": "7.9.3", "lens": "8.9.0", "dashboard": "8.7.0"}
COLUMNS = 48


def data_view_of(saved: dict[str, Any]) -> str:
    """The title of the one data view that a search or a Lens object reads."""
    (view,) = {each["id"] for each in saved["references"] if each["type"] == "index-pattern"}
    title: str = BY_ID["index-pattern", view]["attributes"]["title"]
    return title


def mapped_fields() -> dict[str, dict[str, str]]:
    """Field -> type, by the alias or index that a data view names."""
    names = Names("moodwire-")
    made = templates(names, ElasticOptions())
    wanted = {
        names.items: "moodwire-items",
        names.alerts: "moodwire-alerts",
        names.notifications: "moodwire-notifications",
    }
    mapped = {title: _flat(made[template]["template"]["mappings"]["properties"]) for title, template in wanted.items()}
    mapped["moodwire-items"] |= _grown(load_profile("finance"))
    return mapped


def _grown(profile: Profile) -> dict[str, str]:
    """The fields that an item of the profile adds, of the types that the dynamic templates give them."""
    found = {f"moodwire.current.hits.{signal}": "keyword" for signal in profile.signals}
    for name, head in profile.heads.items():
        path = f"moodwire.current.heads.{name}"
        found |= {f"{path}.label": "keyword", f"{path}.probability": "float", f"{path}.score": "float"}
        found |= {f"{path}.probabilities.{label}": "float" for label in head.labels}
    return found


def _flat(properties: dict[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in properties.items():
        path = f"{before}{name}"
        if "properties" in field:
            found |= _flat(field["properties"], f"{path}.")
            continue
        found[path] = field["type"]
        found |= {f"{path}.{sub}": own["type"] for sub, own in field.get("fields", {}).items()}
    return found


def test_every_object_has_an_identity_and_a_version_that_both_kibanas_take() -> None:
    assert len(BY_ID) == len(OBJECTS) > 20
    for each in OBJECTS:
        assert set(each) == {
            "id", "type", "attributes", "references", "coreMigrationVersion", "typeMigrationVersion", "managed",
        }  # fmt: skip
        assert each["id"].startswith("moodwire"), "an id of somebody else's would be overwritten"
        assert each["typeMigrationVersion"] == VERSIONS[each["type"]]
        assert each["coreMigrationVersion"] == "8.8.0"
        assert each["attributes"]["title"]


def test_references_lead_to_objects_of_the_file() -> None:
    for each in OBJECTS:
        names = [reference["name"] for reference in each["references"]]
        assert len(set(names)) == len(names), each["id"]
        for reference in each["references"]:
            assert (reference["type"], reference["id"]) in BY_ID, f"{each['id']}: {reference}"
    used = {(reference["type"], reference["id"]) for each in OBJECTS for reference in each["references"]}
    assert {key for key in BY_ID if key[0] != "dashboard"} - used == set(), "nobody shows it"


def test_what_an_object_refers_to_by_name_is_among_its_references() -> None:
    for each in OBJECTS:
        assert _names_asked_for(each) == {reference["name"] for reference in each["references"]}, each["id"]


def _names_asked_for(saved: dict[str, Any]) -> set[str]:
    attributes = saved["attributes"]
    if saved["type"] == "search":
        return {json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])["indexRefName"]}
    if saved["type"] == "lens":
        return {f"indexpattern-datasource-layer-{layer}" for layer, _ in layers_of(saved)}
    if saved["type"] == "dashboard":
        panels = {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in json.loads(attributes["panelsJSON"])}
        controls = json.loads(attributes["controlGroupInput"]["panelsJSON"])
        return panels | {f"controlGroup_{control}:optionsListDataView" for control in controls}
    return set()


def test_dashboards_show_feed_rates_alerts_and_model_health_without_overlap() -> None:
    shown = {
        dashboard["id"]: {reference["id"] for reference in dashboard["references"]}
        for dashboard in OBJECTS
        if dashboard["type"] == "dashboard"
    }
    for signal in load_profile("finance").signals:
        own = {f"moodwire-{signal}-{name}" for name in ("feed", "rate-by-label", "rate-by-entity")}
        assert {*own, "moodwire-alert-list"} <= shown[f"moodwire-{signal}"]
    assert {"moodwire-scores", "moodwire-models", "moodwire-mean-score"} <= shown["moodwire-model"]
    for name in shown:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(BY_ID["dashboard", name]["attributes"]["panelsJSON"]):
            grid = panel["gridData"]
            assert grid["i"] == panel["panelIndex"]
            assert grid["x"] + grid["w"] <= COLUMNS
            cells = {
                (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
            }
            assert not cells & taken
            taken |= cells


def test_another_profile_s_dashboards_show_its_signals_and_nothing_of_finance() -> None:
    desk = str(ROOT / "tests" / "profiles" / "service_desk")
    found = read_objects(FILE, desk)
    text = "\n".join(map(json.dumps, found))
    for word in ("negative", "sentiment", "topic", "@"):
        assert word not in text.replace("@timestamp", ""), word
    dashboards = {each["id"]: each["attributes"]["title"] for each in found if each["type"] == "dashboard"}
    assert dashboards["moodwire-urgent"] == "moodwire: urgent news"
    assert dashboards["moodwire-trouble"] == "moodwire: about trouble news"
    mapped = mapped_fields()["moodwire-items"] | _grown(load_profile(desk))
    assert {
        name for each in found if each["type"] == "lens" and "urgent" in each["id"] for name in fields_of(each)
    } <= set(mapped)


def test_what_needs_labels_is_left_out_where_no_series_are_made_of_them() -> None:
    signal = ChartedSignal("loud", 'so "loud"', "tone", "loud & clear")
    found = [json.loads(line) for line in dashboards_of(FILE.read_bytes(), Charts((signal,))).splitlines()]
    known = {(each["type"], each["id"]) for each in found}
    assert ("lens", "moodwire-loud-rate") in known
    assert ("lens", "moodwire-loud-rate-by-label") not in known
    for each in found:
        assert {(one["type"], one["id"]) for one in each["references"]} <= known
        assert _names_asked_for(each) == {one["name"] for one in each["references"]}
    assert not re.search("@[A-Za-z]+@", "".join(map(json.dumps, found)))
    (rate,) = [each for each in found if each["id"] == "moodwire-loud-rate"]
    assert rate["attributes"]["title"] == 'So "loud" rate'


@pytest.mark.parametrize("lens", LENSES, ids=lambda each: each["id"])
def test_a_lens_shows_columns_that_it_has(lens: dict[str, Any]) -> None:
    ((layer_id, layer),) = layers_of(lens)
    columns = layer["columns"]
    assert sorted(layer["columnOrder"]) == sorted(columns)
    buckets = [columns[name]["isBucketed"] for name in layer["columnOrder"]]
    assert buckets == sorted(buckets, reverse=True), "Lens wants its buckets first"
    shown = _shown(lens["attributes"]["state"]["visualization"], layer_id)
    parts = {part for column in columns.values() for part in column.get("references", ())}
    assert shown | parts == set(columns), "a column that is neither shown nor part of one"
    for column in columns.values():
        assert set(column.get("references", ())) <= set(columns)
        if column["operationType"] == "math":
            assert column["params"]["tinymathAst"]["args"] == column["references"]


def _shown(state: dict[str, Any], layer_id: str) -> set[str]:
    if "layers" in state:
        (state,) = state["layers"]
    assert state["layerId"] == layer_id
    named: set[str] = {state[key] for key in ("xAccessor", "splitAccessor", "metricAccessor") if key in state}
    named |= set(state.get("accessors", ()))
    return named | {column["columnId"] for column in state.get("columns", ())}


def test_every_field_is_mapped_as_its_use_needs() -> None:
    mapped = mapped_fields()
    for each in OBJECTS:
        if each["type"] in {"search", "lens"}:
            assert fields_of(each) - set(mapped[data_view_of(each)]) == set(), each["id"]
        elif each["type"] == "dashboard":
            assert fields_of(each) - set(mapped["moodwire-items"]) == set(), each["id"]
    for lens in LENSES:
        types = mapped[data_view_of(lens)]
        for _, layer in layers_of(lens):
            for column in layer["columns"].values():
                _check_type(column, types)


def _check_type(column: dict[str, Any], types: dict[str, str]) -> None:
    field = column.get("sourceField", "___records___")
    wanted = {
        "date_histogram": {"date"},
        "terms": {"keyword", "boolean"},
        "unique_count": {"keyword"},
    }.get(column["operationType"], {"float", "long", "integer"})
    assert field == "___records___" or types[field] in wanted, f"{column['operationType']} of {field}: {types[field]}"


def test_the_translation_refuses_what_it_does_not_know() -> None:
    for unknown in ("a : b and c : d", "a >= 3", 'a : "b c"'):
        with pytest.raises(ValueError, match="does not know"):
            query_of(unknown)
    column = {"operationType": "filters", "sourceField": "a", "isBucketed": True, "params": {}}
    with pytest.raises(ValueError, match="filters"):
        search_of({"columns": {"c": column}, "columnOrder": ["c"]}, {"match_all": {}})
