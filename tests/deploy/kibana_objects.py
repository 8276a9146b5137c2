"""Kibana's saved objects read into what Elasticsearch would be asked: Lens columns and KQL, as far as ours use them.

    moodwire.ndjson, profile ──► saved objects ──► Lens layer: columns, filter ──► a search with aggregations

What it does not know it refuses, so that a new kind of column needs its translation here first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streams.archive.elastic.dashboards import dashboards_of
from streams.cli.archive import charts_of
from streams.text.profile import load_profile

__all__ = ["fields_of", "layers_of", "query_of", "read_objects", "search_of"]

Json = dict[str, Any]
METRICS = {"average": "avg", "max": "max", "sum": "sum", "unique_count": "cardinality"}
INTERVAL = "1h"  # where Kibana would choose one


def read_objects(path: Path, profile: str = "finance") -> list[Json]:
    """The saved objects as they are for a profile, one a line."""
    filled = dashboards_of(path.read_bytes(), charts_of(load_profile(profile)))
    return [json.loads(line) for line in filled.splitlines()]


def layers_of(lens: Json) -> Iterator[tuple[str, Json]]:
    """Each layer of a Lens object by its id."""
    yield from lens["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].items()


def fields_of(saved: Json) -> set[str]:
    """Every field that a saved search, a Lens object or a dashboard's control names, those in KQL included."""
    attributes = saved["attributes"]
    if saved["type"] == "search":
        source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
        return {
            *attributes["columns"],
            *(field for field, _ in attributes["sort"]),
            *_kql_fields(source["query"]["query"]),
        }
    if saved["type"] == "dashboard":
        panels = json.loads(attributes.get("controlGroupInput", {}).get("panelsJSON", "{}"))
        return {panel["explicitInput"]["fieldName"] for panel in panels.values()}
    if saved["type"] == "lens":
        found = set(_kql_fields(attributes["state"]["query"]["query"]))
        for _, layer in layers_of(saved):
            for column in layer["columns"].values():
                found |= _column_fields(column)
        return found
    return set()


def _column_fields(column: Json) -> set[str]:
    found = set(_kql_fields(column.get("filter", {}).get("query", "")))
    if column.get("sourceField") and column["sourceField"] != "___records___":
        found.add(column["sourceField"])
    if ranked := column.get("params", {}).get("orderAgg"):
        found |= _column_fields(ranked)
    return found


def _kql_fields(kql: str) -> list[str]:
    return re.findall(r"([\w.@-]+) :", kql)


def query_of(kql: str) -> Json:
    """The query of `field : value`, `field : (a or b)`, `field : *`, each perhaps after `not`; "" is everything."""
    if not kql:
        return {"match_all": {}}
    match = re.fullmatch(r"(not )?([\w.@-]+) : (?:\(([\w]+(?: or [\w]+)*)\)|([\w]+)|(\*))", kql)
    if match is None:
        raise ValueError(f"KQL that this translation does not know: {kql}")
    negated, field, several, one, anything = match.groups()
    query: Json = (
        {"exists": {"field": field}}
        if anything
        else {"bool": {"should": [{"match": {field: value}} for value in (several or one).split(" or ")]}}
    )
    return {"bool": {"must_not": [query]}} if negated else query


def search_of(layer: Json, query: Json) -> Json:
    """The search that Lens makes of a layer: its buckets in their order, its metrics in the innermost."""
    columns: Mapping[str, Json] = layer["columns"]
    order = layer["columnOrder"]
    metrics = {name: _metric(columns[name]) for name in order if _asks(columns[name])}
    aggregations: Json = metrics
    for name in reversed([name for name in order if columns[name]["isBucketed"]]):
        inner = {**aggregations, **_ranking(columns, name)}
        aggregations = {name: {**_bucket(columns, name), "aggs": inner} if inner else _bucket(columns, name)}
    return {"size": 0, "track_total_hits": True, "query": query, "aggs": aggregations}


def _asks(column: Json) -> bool:
    """Whether the column asks Elasticsearch for something; formulas are reckoned by Kibana from their parts."""
    return not column["isBucketed"] and column["operationType"] not in {"formula", "math"}


def _metric(column: Json) -> Json:
    kind, field = column["operationType"], column["sourceField"]
    if kind == "count":
        return {"filter": query_of(column.get("filter", {}).get("query", ""))}
    if kind == "percentile":
        return {"percentiles": {"field": field, "percents": [column["params"]["percentile"]]}}
    if kind == "median":
        return {"percentiles": {"field": field, "percents": [50]}}
    return {METRICS[kind]: {"field": field}}


def _bucket(columns: Mapping[str, Json], name: str) -> Json:
    column = columns[name]
    kind, field, params = column["operationType"], column["sourceField"], column["params"]
    if kind == "date_histogram":
        return {"date_histogram": {"field": field, "fixed_interval": INTERVAL, "min_doc_count": 1}}
    if kind == "range":
        return {"histogram": {"field": field, "interval": 0.1, "min_doc_count": 0}}
    if kind == "terms":
        missing = {"missing": "(none)"} if params["missingBucket"] else {}
        order = {_ranking_path(columns, name): params["orderDirection"]}
        return {"terms": {"field": field, "size": params["size"], "order": order, **missing}}
    raise ValueError(f"a bucket that this translation does not know: {kind}")


def _ranked_by(columns: Mapping[str, Json], name: str) -> Json:
    params = columns[name]["params"]
    found: Json = (
        params["orderAgg"] if params["orderBy"]["type"] == "custom" else columns[params["orderBy"]["columnId"]]
    )
    return found


def _ranking_path(columns: Mapping[str, Json], name: str) -> str:
    """By its own count, or by what stands beside it: a filter's count and a metric are both named alone."""
    ranked, by = _ranked_by(columns, name), columns[name]["params"]["orderBy"]
    if ranked["operationType"] == "count" and "filter" not in ranked:
        return "_count"
    path: str = "ranking" if by["type"] == "custom" else by["columnId"]
    return path


def _ranking(columns: Mapping[str, Json], name: str) -> Json:
    """What a terms bucket is ordered by must stand directly in it."""
    if columns[name]["operationType"] != "terms":
        return {}
    path = _ranking_path(columns, name)
    return {} if path == "_count" else {path: _metric(_ranked_by(columns, name))}
