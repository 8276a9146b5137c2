"""The Grafana dashboard: whole panels, queries that Prometheus reads, metrics that moodwire exports."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.exported import asked_for, exported_names, recorded_names
from tests.deploy.programs import grafana_schema, promtool

GRAFANA = ROOT / "deploy" / "grafana"
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
COLUMNS = 24


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "moodwire.json").read_text())
    return found


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    """Every query, with Grafana's variables put in."""
    texts = [target["expr"] for panel in charts(dashboard) for target in panel["targets"]]
    texts += [note["expr"] for note in dashboard["annotations"]["list"]]
    for text in texts:
        yield text.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$signal", ".*")


def charts(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def test_every_metric_that_it_asks_for_is_exported(dashboard: dict[str, Any]) -> None:
    asked = {name for text in expressions(dashboard) for name in asked_for(text)}
    assert len(asked) > 30
    assert asked - exported_names() - recorded_names() == set()


def test_every_metric_that_the_rules_ask_for_is_exported() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in asked_for(rule["expr"])}
    assert len(asked) > 20
    assert asked - exported_names() - recorded_names() == set()


def test_every_metric_of_ours_is_shown_or_judged(dashboard: dict[str, Any]) -> None:
    used = {name for text in expressions(dashboard) for name in asked_for(text)}
    used |= asked_for(RULES.read_text())
    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported_names() if name.startswith("moodwire_")}
    seen = {re.sub(r"_(bucket|count|sum)$", "", name) for name in used}
    assert ours - seen <= {"moodwire_runs_in_progress"}


def test_what_counts_by_signal_shows_one_at_a_time(dashboard: dict[str, Any]) -> None:
    asked = [text for text in expressions(dashboard) if "moodwire_alerts_total" in text]
    assert asked
    assert all('signal=~".*"' in text and "by (signal, " in text for text in asked)


def test_prometheus_reads_every_query(dashboard: dict[str, Any], tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": text} for number, text in enumerate(expressions(dashboard))]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(
        [promtool(), "check", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_it_follows_grafanas_own_schema(tmp_path: Path) -> None:
    file = GRAFANA / "dashboards" / "moodwire.json"
    done = subprocess.run([grafana_schema(), file], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
    other = tmp_path / "other.json"
    other.write_text(file.read_text().replace('"graphMode"', '"grahpMode"'))
    done = subprocess.run([grafana_schema(), other], capture_output=True, text=True, timeout=60, check=False)
    assert "options.Options: unexpected field 'grahpMode'" in done.stdout, "options of panels are read, too"


def test_panels_are_whole_and_none_covers_another(dashboard: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], int] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"], f"{panel['title']} covers another"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in charts(dashboard):
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(set(references)) == len(references)


def test_variables_and_data_sources_are_declared(dashboard: dict[str, Any]) -> None:
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps(dashboard)
    used = set(re.findall(r"\$\{?([a-z]\w*)", text)) - {"__rate_interval", "__all"}
    assert used == declared
    for panel in charts(dashboard):
        for holder in (panel, *panel["targets"]):
            assert holder["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "moodwire.yaml").read_text())["providers"]
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    host, port = re.fullmatch(r"http://([a-z]+):(\d+)", source["url"]).groups()  # type: ignore[union-attr]  # or it fails
    assert any(published.endswith(f":{port}") for published in compose[host]["ports"])
    mounts = dict(volume.split(":")[:2] for volume in compose["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./grafana/provisioning"] == "/etc/grafana/provisioning"
