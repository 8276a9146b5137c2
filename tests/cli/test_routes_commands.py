"""`moodwire routes check|test`: the tree of routes, and where an alert would go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli import app
from streams.errors import MoodwireError, SettingsError
from streams.receivers.channels import channels_of
from streams.settings import Settings
from streams.userfiles import WrongFile

RUNNER = CliRunner()
ROUTES = """
receivers:
  - {name: on call, alertmanager: {url: "http://127.0.0.1:9093"}}
route:
  receiver: terminal
  group_by: [signal]
  routes:
    - {matchers: [severity="critical"], receiver: on call, continue: true}
    - {matchers: [kind="entity"], group_by: [series]}
"""


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return path


def run(*words: str | Path) -> str:
    done = RUNNER.invoke(app, ["routes", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def found(*words: str | Path) -> Any:
    return json.loads(run(*words, "--json"))


def test_check_shows_the_tree(routes: Path) -> None:
    lines = run("check", "--file", routes).splitlines()
    assert lines[0] == "every alert  to terminal"
    assert lines[1] == '  severity="critical"  to on call, then the next routes'
    tree = found("check", "--file", routes)
    assert tree["receivers"] == ["on call", "terminal"]
    assert [one["receiver"] for one in tree["route"]["routes"]] == ["on call", "terminal"]


def test_an_alert_is_asked_about(routes: Path) -> None:
    alert = ("severity=critical", "kind=entity", "series=entity/a", "signal=negative")
    taken = found("test", *alert, "--file", routes)["routes"]
    assert [(one["receiver"], one["group"]) for one in taken] == [
        ("on call", {"signal": "negative"}),
        ("terminal", {"series": "entity/a"}),
    ]
    assert "terminal  one message for series=entity/a" in run("test", *alert, "--file", routes)


def test_without_a_file_every_receiver_gets_every_alert() -> None:
    assert [one["receiver"] for one in found("test", "severity=warning")["routes"]] == ["terminal"]


def test_mistakes_are_named(routes: Path) -> None:
    routes.write_text(ROUTES.replace("receiver: on call, c", "receiver: on cal, c"))
    with pytest.raises(MoodwireError, match=r"routes.yaml:8: .*did you mean 'on call'"):
        run("check", "--file", routes)
    with pytest.raises(SettingsError, match="'critical' is no label; write NAME=VALUE"):
        run("test", "critical")


NO_WORKER_STARTS = {
    "a webhook that is no URL": ("webhook: {url: ftp://s3cret/}", "webhook.url", "must look like https://host/path"),
    "a webhook of a bare word": ("webhook: {url: s3cret}", "webhook.url", "must look like https://host/path"),
    "a secret that signs nothing": (
        'webhook: {url: "http://a", secret: s3cret}', "webhook.secret", "must be whsec_ followed by the base64 of 24",
    ),
    "a secret that is too short": (
        'webhook: {url: "http://a", secret: whsec_c2VjcmV0}', "webhook.secret", "base64 of 24 to 64 random bytes",
    ),
    "a scheme that is not allowed": ("apprise: {url: json://s3cret/x}", "apprise.url", "must begin with one of"),
    "an address that apprise cannot read": ("apprise: {url: slack://s3cret}", "apprise.url", "is no slack:// address"),
    "a missing file": ("webhook: {url: {file: /no/such}}", "webhook.url", "/no/such cannot be read (No such file"),
    "a folder as a file": ("webhook: {url: {file: /tmp}}", "webhook.url", "/tmp cannot be read (Is a directory)"),
    "an empty variable": ("webhook: {url: {env: NO_SUCH}}", "webhook.url", "the variable NO_SUCH is empty"),
    "an empty secret": ('pagerduty: {routing_key: ""}', "pagerduty.routing_key", "it is empty; write the value"),
    "events to no URL": ("pagerduty: {routing_key: a, url: b}", "pagerduty.url", "must look like https://host/path"),
    "an own topic": ("kafka: {topic: moodwire.live.news}", "kafka.topic", "is one of moodwire's own"),
    "a folder as a feed": ("atom: {path: /tmp}", "atom.path", "/tmp is a folder; name a file in it"),
    "a header of two lines": (
        'alertmanager: {url: "http://a", authorization: "s3cret\\nx: y"}', "alertmanager.authorization", "one line",
    ),
    "authorities that are none": (
        "email: {to: [a@b.c], from: a@b.c, host: h, ca: /no/such}", "email.ca", "/no/such holds no authorities",
    ),
    "a template from nowhere": (
        "atom: {path: /tmp/a}, templates: {text: {file: /no/such}}", "templates.text", "cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("channel", "key", "problem"), NO_WORKER_STARTS.values(), ids=NO_WORKER_STARTS)
def test_check_refuses_what_no_worker_starts_with_in_the_same_words(
    channel: str, key: str, problem: str, routes: Path
) -> None:
    routes.write_text(f"receivers:\n  - {{name: our bot, {channel}}}\n")
    with pytest.raises(WrongFile) as caught:
        run("check", "--file", routes)
    (found,) = caught.value.problems
    assert found.startswith(f"{routes}:2: receivers, entry 1: {key}: receiver 'our bot': ")
    assert problem in found
    assert "s3cret" not in found
    with pytest.raises(WrongFile) as start:
        channels_of(Settings(routes=routes))
    assert start.value.problems == caught.value.problems


def test_check_names_routes_and_receivers_that_are_wrong_together(routes: Path) -> None:
    routes.write_text(
        "receivers:\n  - {name: a, atom: {path: /tmp}}\n  - {name: b, webhook: {url: x}}\nroute: {receiver: c}\n"
    )
    with pytest.raises(WrongFile) as caught:
        run("check", "--file", routes)
    assert [text.split(":")[1] for text in caught.value.problems] == ["2", "3", "4"]


@pytest.mark.parametrize("name", ["terminal", "file", "webhook"])
def test_no_receiver_is_called_like_a_built_in_one(name: str, routes: Path) -> None:
    routes.write_text(f"receivers:\n  - {{name: {name}, atom: {{path: a}}}}\n")
    with pytest.raises(WrongFile, match=rf"routes.yaml:2: .*name: the settings have a receiver '{name}' already"):
        run("check", "--file", routes)


MISSPELT = """
receivers:
  - name: on call
    atom: {path: a.atom}
    templates: {subject: "{{ sumary }}", text: "{{ labels.sevrity }} {{ labels.team }} {{ labels.items() }}"}
route:
  receiver: on call
  group_by: [sgnal]
  routes:
    - matchers: ['severty="critical"']
inhibit_rules:
  - {source_matchers: [kynd=all], target_matchers: [kind=entity], equal: [sgnal]}
"""
UNREACHED = """
receivers:
  - {name: on call, atom: {path: a.atom}}
  - {name: boss, atom: {path: b.atom}}
  - {name: forgotten, atom: {path: c.atom}}
  - {name: below, atom: {path: d.atom}}
route:
  receiver: on call
  escalate: [{after: 30m, receiver: boss}]
  routes:
    - {matchers: ['severity="critical"'], receiver: below}
"""
NO_LABEL = "no rule gives an alert the label"
IN_TEMPLATE = "line 1 of the template"
WARNINGS = [
    f"5: receivers, entry 1: templates.subject: {IN_TEMPLATE}: there is no value 'sumary'; did you mean 'summary'?",
    f"5: receivers, entry 1: templates.text: {IN_TEMPLATE}: {NO_LABEL} 'sevrity'; did you mean 'severity'?",
    f"8: route.group_by, entry 1: {NO_LABEL} 'sgnal'; did you mean 'signal'?",
    f"10: route.routes, entry 1: matchers, entry 1: {NO_LABEL} 'severty'; did you mean 'severity'?",
    f"12: inhibit_rules, entry 1: source_matchers, entry 1: {NO_LABEL} 'kynd'; did you mean 'kind'?",
    f"12: inhibit_rules, entry 1: equal, entry 1: {NO_LABEL} 'sgnal'; did you mean 'signal'?",
]


def test_check_warns_of_labels_and_values_that_no_alert_has(routes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = routes.with_name("rules.yaml")
    rules.write_text("rules: [{name: a, series: [entity/A], labels: {team: desk}}]")
    monkeypatch.setenv("MOODWIRE_RULES", str(rules))
    routes.write_text(MISSPELT)
    assert found("check", "--file", routes)["warnings"] == [f"{routes}:{text}" for text in WARNINGS]
    assert f"warning: {routes}:{WARNINGS[2]}" in run("check", "--file", routes)


def test_check_warns_of_inhibit_rules_that_hold_each_other_back(routes: Path) -> None:
    one, other = "source_matchers: [kind=watchlist]", "target_matchers: ['kind=~\"topic|all\"']"
    back = f"{other.replace('target', 'source')}, {one.replace('source', 'target')}"
    routes.write_text(f"inhibit_rules:\n  - {{{one}, {other}}}\n  - {{{back}}}\n")
    [warning] = found("check", "--file", routes)["warnings"]
    assert warning.startswith(f"{routes}:3: inhibit_rules, entry 2: this rule and entry 1 can hold each other's alerts")


def test_check_warns_of_receivers_that_no_route_leads_to(routes: Path) -> None:
    routes.write_text(UNREACHED)
    [warning] = found("check", "--file", routes)["warnings"]
    assert warning.startswith(f"{routes}:5: receivers, entry 3: name: no route leads to 'forgotten'")


def test_a_misspelt_label_of_a_question_is_named(routes: Path) -> None:
    warning = "no rule gives an alert the label 'sevrity'; did you mean 'severity'?"
    assert found("test", "sevrity=critical", "--file", routes)["warnings"] == [warning]
    assert f"warning: {warning}" in run("test", "sevrity=critical", "--file", routes)
    assert found("test", "severity=critical", "--file", routes)["warnings"] == []
