"""Dashboards on their way into Kibana: found, made to fit the prefix, and what Kibana says about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.archive.elastic.dashboards import ChartedSignal, Charts
from streams.archive.elastic.kibana import dashboard_files, import_dashboards, with_prefix
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import ArchiveError

CHARTS = Charts((ChartedSignal("negative", "negative", "sentiment", "negative"),))
VIEW = {"type": "index-pattern", "id": "v", "attributes": {"title": "moodwire-items,moodwire-alerts,other-*"}}
PANEL = {"type": "lens", "id": "l", "attributes": {"title": "moodwire-like title"}}


def ndjson(*objects: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def test_data_views_alone_follow_the_prefix() -> None:
    view, panel = map(json.loads, with_prefix(ndjson(VIEW, PANEL), "desk-").splitlines())
    assert view["attributes"]["title"] == "desk-items,desk-alerts,other-*"
    assert panel == PANEL
    assert with_prefix(ndjson(VIEW), "moodwire-") == ndjson(VIEW)


def test_a_folder_without_dashboards_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="--dashboards"):
        dashboard_files(tmp_path)
    (tmp_path / "b.ndjson").touch()
    (tmp_path / "a.ndjson").touch()
    assert [path.name for path in dashboard_files(tmp_path)] == ["a.ndjson", "b.ndjson"]


def test_a_kibana_that_is_away_is_told_without_the_password(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(ndjson(VIEW))
    with pytest.raises(ArchiveError, match=r"Kibana at http://127\.0\.0\.1:1 cannot be reached") as error:
        import_dashboards("http://ann:hush@127.0.0.1:1", [file], ElasticOptions(), CHARTS)
    assert "hush" not in str(error.value)
