"""The names of all that moodwire exports, from the metrics themselves, and of all that a PromQL text asks for."""

from __future__ import annotations

import re
from functools import cache

import yaml
from prometheus_client import CollectorRegistry

from streams.board.metrics import BoardMetrics
from streams.observe.lag import LagCollector
from streams.observe.metrics import Metrics
from tests.conftest import ROOT

__all__ = ["asked_for", "exported_names", "recorded_names"]

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",), "info": ("_info",)}


@cache
def exported_names() -> frozenset[str]:
    """Every series name that a worker can show."""
    registry = CollectorRegistry()
    Metrics(registry)
    LagCollector(lambda: [("group", "topic", 0, 1)], registry)
    BoardMetrics(registry)
    found = set()
    for metric in registry.collect():
        found |= {f"{metric.name}{suffix}" for suffix in _SUFFIXES.get(metric.type, ("",))}
    return frozenset(found)


@cache
def recorded_names() -> frozenset[str]:
    """Every name that the recording rules make."""
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())["groups"]
    return frozenset(rule["record"] for group in groups for rule in group["rules"] if "record" in rule)


def asked_for(promql: str) -> set[str]:
    """The names in an expression that are ours or the process's."""
    return set(re.findall(r"\b((?:moodwire|process|python)[_:][a-zA-Z0-9_:]+)", promql))
