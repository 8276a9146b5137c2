"""Prometheus' configuration and rules, read and run by Prometheus' own promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.programs import promtool
from tests.deploy.rules_cases import ALWAYS, CASES, HEALTHY, Case, Firing

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules.yaml"


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def run(*arguments: str | Path) -> str:
    done = subprocess.run([promtool(), *map(str, arguments)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_reads_the_rules_and_the_configuration() -> None:
    assert "SUCCESS" in run("check", "rules", RULES)
    assert "rules found" in run("check", "config", PROMETHEUS / "prometheus.yml")


def test_promtool_refuses_a_broken_rule(tmp_path: Path) -> None:
    broken = tmp_path / "rules.yaml"
    broken.write_text(RULES.read_text().replace("== 0", "=== 0", 1))
    with pytest.raises(AssertionError):
        run("check", "rules", broken)


def test_what_fires(tmp_path: Path) -> None:
    """One run over a file for each case; promtool names the file that fails."""
    files = [tmp_path / f"{case.name}.yaml" for case in CASES]
    for file, case in zip(files, CASES, strict=True):
        file.write_text(yaml.safe_dump(unit_test(case)))
    said = run("test", "rules", *files)
    assert said.count("SUCCESS") == len(CASES)


def test_an_alert_that_a_case_does_not_name_fails_it(tmp_path: Path) -> None:
    silent = tmp_path / "silent.yaml"
    silent.write_text(yaml.safe_dump(unit_test(Case("down", {"moodwire_broker_up": "0+0x120"}))))
    with pytest.raises(AssertionError, match="MoodwireBrokerDown"):
        run("test", "rules", silent)


def test_every_alert_fires_in_a_case() -> None:
    fired = {firing.alert for case in CASES for firing in case.firing} | {ALWAYS}
    assert fired == set(alerts())


def test_every_alert_says_how_urgent_it_is_and_has_a_section_in_the_runbook() -> None:
    runbook = (ROOT / "deploy" / "runbook.md").read_text()
    sections = {line.removeprefix("### ") for line in runbook.splitlines() if line.startswith("### Moodwire")}
    assert sections == set(alerts())
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}, name
        assert rule["annotations"]["summary"], name


def unit_test(case: Case) -> dict[str, Any]:
    """The case as promtool's unit test: the alerts of the case fire, the watchdog does, and no other."""
    series = {name: values for name, values in {**HEALTHY, **case.changes}.items() if values is not None}
    watchdog = Firing(ALWAYS, "none", alerts()[ALWAYS]["annotations"]["summary"])
    firing = (*case.firing, watchdog)
    return {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [
                    {
                        "eval_time": f"{case.minute}m",
                        "alertname": name,
                        "exp_alerts": [expected(one) for one in firing if one.alert == name],
                    }
                    for name in alerts()
                ],
            }
        ],
    }


def expected(firing: Firing) -> dict[str, Any]:
    return {
        "exp_labels": {"severity": firing.severity, **dict(firing.labels)},
        "exp_annotations": {"summary": firing.summary},
    }
