"""`moodwire archive setup --kibana`: index templates on the real Elasticsearch, dashboards through Kibana's import."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from streams.archive.elastic.kibana import import_dashboards
from streams.archive.elastic.options import ElasticOptions
from streams.archive.protocol import ArchiveError
from streams.cli import app
from streams.cli.archive import charts_of
from streams.text.profile import load_profile
from tests.conftest import ROOT
from tests.deploy.kibana_objects import read_objects
from tests.deploy.kibana_stub import running_kibana

FILE = ROOT / "deploy" / "kibana" / "moodwire.ndjson"
CHARTS = charts_of(load_profile("finance"))
OBJECTS = {(each["type"], each["id"]): each for each in read_objects(FILE)}


@pytest.mark.integration
def test_setup_writes_templates_and_imports_dashboards_and_may_be_repeated(
    elastic_url: str, elastic_prefix: str, tmp_path: Path
) -> None:
    environment = {
        "MOODWIRE_ARCHIVE_URL": elastic_url,
        "MOODWIRE_ARCHIVE_PREFIX": elastic_prefix,
        "MOODWIRE_ARCHIVE_USER": "elastic",
        "MOODWIRE_ARCHIVE_PASSWORD": "open sesame",
        "MOODWIRE_DATA_DIR": str(tmp_path),
    }
    with running_kibana(authorization="Basic ZWxhc3RpYzpvcGVuIHNlc2FtZQ==") as kibana:
        for _ in range(2):
            said = CliRunner().invoke(app, ["archive", "setup", "--kibana", kibana.url, "--json"], env=environment)
            assert said.exit_code == 0, said.output
            figures = json.loads(said.stdout)
            assert figures["objects"] == len(OBJECTS)
        assert kibana.imports == 2
        assert set(kibana.objects) == set(OBJECTS)
        titles = {each["attributes"]["title"] for (kind, _), each in kibana.objects.items() if kind == "index-pattern"}
        assert titles == {f"{elastic_prefix}{name}" for name in ("items", "alerts", "notifications")}
    known = httpx.get(f"{elastic_url}/_index_template/{elastic_prefix}*", timeout=30).json()["index_templates"]
    assert {each["name"] for each in known} == set(figures["templates"])
    patterns = [pattern for each in known for pattern in each["index_template"]["index_patterns"]]
    for title in titles:
        assert any(pattern.startswith(title) for pattern in patterns), f"{title}: no template makes it"


def test_the_default_prefix_leaves_the_objects_as_they_are() -> None:
    with running_kibana() as kibana:
        assert import_dashboards(kibana.url, [FILE], ElasticOptions(), CHARTS) == len(OBJECTS)
        assert kibana.objects == OBJECTS


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ('"id":"moodwire-negative-feed","type', '"id":"moodwire-negative-fed","type', "missing_references"),
        ('"typeMigrationVersion":"8.7.0"', '"typeMigrationVersion":"10.9.0"', "422"),
        ('"type":"index-pattern","core', '"type":"index-pattrn","core', "unsupported_type"),
    ],
)
def test_what_kibana_refuses_is_an_error_with_its_reason(right: str, wrong: str, reason: str, tmp_path: Path) -> None:
    text = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in OBJECTS.values())
    assert right in text
    broken = tmp_path / "broken.ndjson"
    broken.write_text(text.replace(right, wrong))
    with running_kibana() as kibana, pytest.raises(ArchiveError, match=reason):
        import_dashboards(kibana.url, [broken], ElasticOptions(), CHARTS)


def test_a_wrong_login_and_an_absent_kibana_are_told_apart() -> None:
    with running_kibana(authorization="ApiKey right") as kibana:
        with pytest.raises(ArchiveError, match="401"):
            import_dashboards(kibana.url, [FILE], ElasticOptions(), CHARTS)
        url = kibana.url
    with pytest.raises(ArchiveError, match="cannot be reached"):
        import_dashboards(url, [FILE], ElasticOptions(), CHARTS)
