"""compose.yaml: read by the Compose specification's own loader, and its words checked against what they name."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.dockerfile import read_dockerfile
from tests.deploy.moodwire_calls import check_command, settings_from
from tests.deploy.programs import compose

DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "compose.yaml"
EXAMPLE = DEPLOY / "moodwire.env.example"
JOBS = {"setup", "kibana-user"}  # run once
WORKERS = {"feeds", "score", "score-gpu", "watch", "deliver", "board"}
REQUIRED = re.compile(r"\$\{([A-Z_]+):\?[^}]*\}")


def load(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the specification's loader says; it reads no environment, so the required variables are written out."""
    file = folder / "compose.yaml"
    file.write_text(REQUIRED.sub(r"secret-of-\1", text))
    return subprocess.run(
        [compose(), "-format", "json", "-no-path-resolution", str(file)],
        capture_output=True, text=True, timeout=60, check=False, cwd=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file as Compose sees it: interpolated, anchors merged, short forms written out."""
    loaded = load(FILE.read_text(), tmp_path_factory.mktemp("compose"))
    assert loaded.returncode == 0, loaded.stderr
    found: dict[str, Any] = json.loads(loaded.stdout)
    return found


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("restart: unless-stopped", "restart: {always: 1}"),
        ("healthcheck:", "healthchecks:"),
        ("kafka: {condition: service_healthy}", "kafka: {condition: service_happy}"),
    ],
)
def test_the_loader_refuses_mistakes(right: str, wrong: str, tmp_path: Path) -> None:
    assert load(FILE.read_text().replace(right, wrong, 1), tmp_path).returncode != 0


def test_all_that_production_needs_is_there(model: dict[str, Any]) -> None:
    servers = {"kafka", "elasticsearch", "kibana", "prometheus", "grafana"}
    assert set(model["services"]) == servers | WORKERS | JOBS
    assert model["services"]["score-gpu"]["profiles"] == ["gpu"]
    (device,) = model["services"]["score-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert "gpu" in device["capabilities"]


def test_images_are_pinned_and_kafka_is_the_one_that_the_tests_run(model: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in model["services"].items()}
    for name, image in images.items():
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*", image), f"{name}: {image}"
    pom = (ROOT / "tests" / "integration" / "kafka-pom.xml").read_text()
    (kafka,) = set(re.findall(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)<", pom))
    assert images["kafka"].endswith(f":{kafka}")
    assert images["elasticsearch"].partition(":")[2] == images["kibana"].partition(":")[2]


def test_commands_and_settings_are_moodwires_own(model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*WORKERS, "setup"}:
        service = model["services"][name]
        check_command(service["command"])
        image = read_dockerfile(DEPLOY / service["build"]["dockerfile"].removeprefix("deploy/")).environment
        settings = settings_from({**image, **_text(service["environment"])}, monkeypatch)
        assert settings.on_kafka, name
        assert settings.archive.startswith("http"), name
        assert (settings.http_host, settings.http_port) == ("0.0.0.0", 8710), name
        assert settings.device == ("gpu" if name == "score-gpu" else "cpu")


def test_a_misspelt_variable_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="MOODWIRE_BROKER_ULR"):
        settings_from({"MOODWIRE_BROKER_ULR": "kafka://kafka:9092"}, monkeypatch)


def test_variables_are_explained_in_the_example_and_no_password_stands_in_the_file() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", FILE.read_text())) - {"KAFKA_CLUSTER_ID"}
    explained = set(re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))
    assert used == explained
    secrets = [line for line in FILE.read_text().splitlines() if re.search(r"(PASSWORD|SECRET|_KEY): ", line)]
    assert secrets
    assert all(re.search(r": \$\{", line) for line in secrets), secrets
    assert "deploy/moodwire.env" in (ROOT / ".gitignore").read_text()


def test_nothing_listens_beyond_this_machine_and_no_port_is_taken_twice(model: dict[str, Any]) -> None:
    ports = [port for service in model["services"].values() for port in service.get("ports", [])]
    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}
    published = [port["published"] for port in ports]
    assert len(set(published)) == len(published)


def test_what_runs_on_is_bounded_looked_after_and_waited_for(model: dict[str, Any]) -> None:
    services = model["services"]
    for name in set(services) - JOBS:
        assert set(services[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert services[name]["restart"] == "unless-stopped"
        own = services[name].get("healthcheck", {}).get("test")
        assert own or read_dockerfile(DEPLOY / "docker" / "Dockerfile").healthcheck, name
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_completed_successfully":
                assert other in JOBS, name
            else:
                assert services[other].get("healthcheck"), f"{name} waits for {other}, which nobody asks"


def test_workers_may_do_no_more_than_they_must(model: dict[str, Any]) -> None:
    for name in {*WORKERS, "setup"}:
        worker = model["services"][name]
        assert worker["read_only"] is True
        assert worker["cap_drop"] == ["ALL"]
        assert any(mount.startswith("/var/lib/moodwire:uid=10001") for mount in worker["tmpfs"])


def test_mounted_files_exist_and_named_volumes_are_declared(model: dict[str, Any]) -> None:
    for name, mount in _mounts(model):
        if mount["type"] == "bind":
            assert (DEPLOY / mount["source"]).is_dir(), f"{name}: {mount['source']}"
        else:
            assert mount["source"] in model["volumes"], name
    for name in {"board", "kafka", "elasticsearch", "prometheus", "grafana"}:
        assert any(mount["type"] == "volume" for own, mount in _mounts(model) if own == name), f"{name} forgets"


def test_prometheus_looks_where_the_workers_are(model: dict[str, Any]) -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    (job,) = [job for job in jobs if job["job_name"] == "moodwire"]
    (lookup,) = job["dns_sd_configs"]
    assert set(lookup["names"]) == WORKERS - {"score-gpu"}
    assert set(lookup["names"]) <= set(model["services"])
    assert model["services"]["score-gpu"]["networks"]["default"]["aliases"] == ["score"]
    assert [str(lookup["port"])] == read_dockerfile(DEPLOY / "docker" / "Dockerfile").exposed


def _mounts(model: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, service in model["services"].items():
        for mount in service.get("volumes", []):
            yield name, mount


def _text(environment: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in environment.items()}
