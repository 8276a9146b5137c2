"""The Helm chart: linted and rendered by Helm; its objects judged by Kubernetes' own schemas and by moodwire."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.dockerfile import read_dockerfile
from tests.deploy.moodwire_calls import check_command, settings_from
from tests.deploy.programs import helm, kubeconform, kubernetes_schemas

CHART = ROOT / "deploy" / "helm" / "moodwire"
OWN_SCHEMAS = Path(__file__).with_name("schemas")
KUBERNETES = ("1.30.0", "1.37.0")  # the oldest and the newest that its schemas are checked for
STAGES = ("feeds", "score", "watch", "deliver", "board")

FULL: dict[str, Any] = {
    "image": {"repository": "registry.example/moodwire", "tag": "0.1.0-gpu"},
    "imagePullSecrets": [{"name": "pull"}],
    "existingSecret": "moodwire",
    "secretFiles": "moodwire-certificates",
    "modelsClaim": "moodwire-models",
    "settings": {"MOODWIRE_NAMESPACE": "live", "MOODWIRE_PREFIX": "desk.", "MOODWIRE_KAFKA_REPLICATION": 3},
    "config": {"feeds.yaml": "feeds:\n  - {name: wire, url: 'https://example.org/rss'}\n"},
    "defaults": {"nodeSelector": {"disk": "fast"}, "annotations": {"team": "desk"}},
    "stages": {
        "feeds": {"enabled": True},
        "score": {
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "nodeSelector": {"gpu": "yes"},
            "extraEnv": [{"name": "MOODWIRE_DEVICE", "value": "gpu"}],
        },
        "board": {"enabled": True},
    },
    "board": {
        "tokensSecret": "moodwire-tokens",
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "news.example",
            "path": "/mood/",
            "tlsSecret": "news-tls",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-buffering": "off"},
        },
    },
    "setup": {"kibanaUrl": "http://kibana:5601"},
    "autoscaling": {"enabled": True, "authentication": "kafka-login"},
    "metrics": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "networkPolicy": {"enabled": True},
}
LEAST: dict[str, Any] = {
    "stages": {"watch": {"enabled": False}, "deliver": {"enabled": False}},
    "setup": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "serviceAccount": {"create": False},
}
VALUES = {"default": {}, "full": FULL, "least": LEAST}


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def render(values: Mapping[str, Any], folder: Path) -> str:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(dict(values)))
    done = call("template", "news", CHART, "--values", file, "--kube-version", KUBERNETES[0], "--namespace", "desk")
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(values: Mapping[str, Any], folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What is rendered, by kind and by name without the release's."""
    found = [each for each in yaml.safe_load_all(render(values, folder)) if each]
    named = {(each["kind"], each["metadata"]["name"].removeprefix("news-moodwire").lstrip("-")): each for each in found}
    assert len(named) == len(found), "two objects of one name"
    return named


@pytest.fixture
def full(tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return objects(FULL, tmp_path)


@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_helm_lints_it(values: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = call("lint", "--strict", CHART, "--values", file, "--kube-version", KUBERNETES[0])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_kubernetes_takes_every_object(values: dict[str, Any], version: str, tmp_path: Path) -> None:
    verdict = judge(render(values, tmp_path), version)
    assert verdict["summary"]["invalid"] == verdict["summary"]["errors"] == verdict["summary"]["skipped"] == 0, verdict
    assert verdict["summary"]["valid"] >= 4


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("startupProbe:", "startUpProbe:"),
        ("replicas: 2", "replicas: two"),
        ("maxReplicaCount:", "maxReplicas:"),
        ("path: /metrics", "paths: /metrics"),
    ],
)
def test_a_misspelt_field_would_be_found(right: str, wrong: str, tmp_path: Path) -> None:
    one = next(each for each in render(FULL, tmp_path).split("\n---\n") if right in each)
    assert judge(one, KUBERNETES[-1])["summary"]["valid"] == 1
    assert judge(one.replace(right, wrong), KUBERNETES[-1])["summary"]["invalid"] == 1


def judge(manifests: str, version: str) -> dict[str, Any]:
    done = subprocess.run(
        [kubeconform(), "-strict", "-summary", "-n", "1", "-output", "json", "-kubernetes-version", version,
         "-schema-location", kubernetes_schemas(version),
         "-schema-location", f"{OWN_SCHEMAS}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json", "-"],
        input=manifests, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict


def test_the_schema_of_the_values_knows_every_default() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) - {"global"} == set(yaml.safe_load((CHART / "values.yaml").read_text()))


@pytest.mark.parametrize(
    ("mistake", "named"),
    [
        ({"replicas": 3}, "replicas"),
        ({"broker": {"url": "http://kafka:9092"}}, "/broker/url"),
        ({"archive": {"url": "https://user:password@elasticsearch:9200"}}, "/archive/url"),
        ({"settings": {"MOODWIRE_KAFKA_PASSWORD": "in clear"}}, "MOODWIRE_KAFKA_PASSWORD"),
        ({"settings": {"PARTITIONS": 3}}, "PARTITIONS"),
        ({"stages": {"feeds": {"replicas": 2}}}, "/stages/feeds/replicas"),
        ({"board": {"ingress": {"enabled": True}}}, "/board/ingress/host"),
    ],
)
def test_helm_refuses_values_that_cannot_be(mistake: dict[str, Any], named: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(mistake))
    done = call("template", "news", CHART, "--values", file, "--kube-version", KUBERNETES[0])
    assert done.returncode != 0
    assert named in done.stderr


@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_each_stage_starts_with_a_command_and_settings_of_moodwire(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = objects(values, tmp_path)
    shared = found["ConfigMap", "settings"]["data"]
    image = read_dockerfile(ROOT / "deploy" / "docker" / "Dockerfile").environment
    deployments = {name: each for (kind, name), each in found.items() if kind == "Deployment"}
    for stage, deployment in deployments.items():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["run", "--stage", stage]
        check_command(container["args"])
        own = {each["name"]: each.get("value", "2") for each in container.get("env") or []}
        settings = settings_from({**image, **shared, **own}, monkeypatch)
        assert settings.on_kafka
        assert settings.http_host == "0.0.0.0"
        board_port = [settings.board_port] if stage == "board" else []
        assert [port["containerPort"] for port in container["ports"]] == [settings.http_port, *board_port]
    if values is FULL:
        assert set(deployments) == set(STAGES)
        check_command(found["Job", "setup"]["spec"]["template"]["spec"]["containers"][0]["args"])


def test_probes_ask_what_moodwire_answers(full: dict[tuple[str, str], dict[str, Any]]) -> None:
    for stage in STAGES:
        (container,) = full["Deployment", stage]["spec"]["template"]["spec"]["containers"]
        paths = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
        assert paths == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}


def test_selectors_find_their_pods_and_no_others(full: dict[tuple[str, str], dict[str, Any]]) -> None:
    labels = {stage: full["Deployment", stage]["spec"]["template"]["metadata"]["labels"] for stage in STAGES}
    for stage in STAGES:
        for selector in (
            full["Deployment", stage]["spec"]["selector"]["matchLabels"],
            full["Service", stage]["spec"]["selector"],
            full["PodDisruptionBudget", stage]["spec"]["selector"]["matchLabels"],
        ):
            assert [name for name in STAGES if selector.items() <= labels[name].items()] == [stage]
    monitor = full["ServiceMonitor", ""]["spec"]["selector"]["matchLabels"]
    assert all(monitor.items() <= full["Service", stage]["metadata"]["labels"].items() for stage in STAGES)
    assert all(monitor.items() <= labels[stage].items() for stage in STAGES)


def test_what_is_referred_to_is_there(full: dict[tuple[str, str], dict[str, Any]]) -> None:
    maps = {each["metadata"]["name"] for (kind, _), each in full.items() if kind == "ConfigMap"}
    for (kind, _), each in full.items():
        if kind not in {"Deployment", "Job"}:
            continue
        pod = each["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == full["ServiceAccount", ""]["metadata"]["name"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        (container,) = pod["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        assert volumes["config"]["configMap"]["name"] in maps
        sources = container["envFrom"]
        assert sources[0]["configMapRef"]["name"] in maps
        assert sources[1]["secretRef"]["name"] == "moodwire"


def test_the_board_is_reached_by_its_ingress_alone(
    full: dict[tuple[str, str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = full["Deployment", "board"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    own = {each["name"]: each["value"] for each in container["env"]}
    settings = settings_from(own, monkeypatch)
    (rule,) = full["Ingress", ""]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (rule["host"], path["path"]) == (settings.board_hosts, settings.board_base)
    service = full["Service", "page"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    (tokens,) = [volume["secret"] for volume in pod["spec"]["volumes"] if volume["name"] == "tokens"]
    assert (tokens["secretName"], tokens["defaultMode"]) == ("moodwire-tokens", 0o440)
    (opened,) = full["NetworkPolicy", "page"]["spec"]["ingress"]
    assert [port["port"] for port in opened["ports"]] == [settings.board_port]


def test_keda_asks_for_the_group_and_topic_that_moodwire_uses(
    full: dict[tuple[str, str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = full["ConfigMap", "settings"]["data"]
    topics = settings_from(shared, monkeypatch).topics
    spec = full["ScaledObject", "score"]["spec"]
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["consumerGroup"] == topics.group("score") == "desk.live.score"
    assert trigger["metadata"]["topic"] == topics.news
    assert f"kafka://{trigger['metadata']['bootstrapServers']}" == shared["MOODWIRE_BROKER_URL"]
    assert spec["scaleTargetRef"]["name"] == full["Deployment", "score"]["metadata"]["name"]
    assert "replicas" not in full["Deployment", "score"]["spec"], "two would decide"
    assert (
        spec["maxReplicaCount"]
        <= yaml.safe_load((CHART / "values.yaml").read_text())["settings"]["MOODWIRE_PARTITIONS"]
    )


def test_keda_follows_an_existing_topic_and_a_deployment_without_a_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"MOODWIRE_PREFIX": "", "MOODWIRE_NEWS_TOPIC": "wire.news"}
    found = objects({**FULL, "settings": named}, tmp_path)
    topics = settings_from(found["ConfigMap", "settings"]["data"], monkeypatch).topics
    (trigger,) = found["ScaledObject", "score"]["spec"]["triggers"]
    assert trigger["metadata"]["topic"] == topics.news == "wire.news"
    assert trigger["metadata"]["consumerGroup"] == topics.group("score") == "live.score"


def test_the_chart_carries_the_rules_that_are_tested(full: dict[tuple[str, str], dict[str, Any]]) -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())
    assert full["PrometheusRule", ""]["spec"] == rules


def test_pods_have_no_rights(full: dict[tuple[str, str], dict[str, Any]]) -> None:
    pods = [each["spec"]["template"]["spec"] for (kind, _), each in full.items() if kind in {"Deployment", "Job"}]
    assert len(pods) == len(STAGES) + 1
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["limits"]["memory"]


def test_a_changed_file_rolls_the_pods(tmp_path: Path) -> None:
    changed = {"config": {"watchlists.yaml": "watchlists:\n  - {name: one}\n"}}
    before, after = objects({}, tmp_path), objects(changed, tmp_path)
    for stage in ("score", "watch", "deliver"):
        old, new = (each["Deployment", stage]["spec"]["template"]["metadata"] for each in (before, after))
        assert old["annotations"] != new["annotations"]


def test_chart_images_and_project_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == project
    compose = (ROOT / "deploy" / "compose.yaml").read_text()
    assert f"image: moodwire:{project}\n" in compose
    assert f"image: moodwire:{project}-gpu\n" in compose


def test_added_models_are_the_same_for_every_worker(full: dict[tuple[str, str], dict[str, Any]]) -> None:
    pod = full["Deployment", "score"]["spec"]["template"]["spec"]
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    mounted = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert claims == {"models": "moodwire-models"}
    assert full["ConfigMap", "settings"]["data"]["MOODWIRE_MODELS_DIR"] == mounted["models"]
