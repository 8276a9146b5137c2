"""routes.yaml becomes the judge's policy: what routes inherit, and one clear error for every mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alerts.clock import HOUR_MS, MINUTE_MS
from alerts.judge import Policy
from alerts.judge.policy import Escalation, ResolvedMessages
from streams.receivers.policy import read_policy
from streams.userfiles import WrongFile

NAMES = ("desk", "on call", "boss")
RIGHT = """
route:
  receiver: desk
  group_by: [signal]
  group_wait: 1m30s
  repeat_interval: 1d
  routes:
    - matchers: ['severity="critical"']
      receiver: on call
      continue: true
      escalate: [{after: 30m, receiver: boss}, {after: 1h, receiver: desk}]
      routes:
        - matchers: [kind=~"entity|watchlist"]
          group_by: ['...']
          resolved: each
    - matchers: ['kind="source"']
      mute_time_intervals: [nights]
inhibit_rules:
  - source_matchers: ['kind="everything"']
    target_matchers: ['kind="entity"']
    equal: [signal]
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: "22:00", end_time: "24:00"}, {start_time: "00:00", end_time: "07:00"}]
        weekdays: ["monday:friday"]
        location: Europe/Berlin
"""


def read(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "routes.yaml"
    path.write_text(text)
    return read_policy(path, NAMES)


def receivers(policy: Policy, **labels: str) -> list[str]:
    return [route.receiver for route in policy.routes_of(labels)]


def test_a_tree_with_what_it_inherits(tmp_path: Path) -> None:
    policy = read(tmp_path, RIGHT)
    assert receivers(policy, severity="critical", kind="source") == ["on call", "desk"]
    assert receivers(policy, severity="warning", kind="entity") == ["desk"]
    [leaf] = policy.routes_of({"severity": "critical", "kind": "entity", "series": "entity/a"})
    assert (leaf.receiver, leaf.group_wait_ms, leaf.group_interval_ms) == ("on call", 90_000, 5 * MINUTE_MS)
    assert (leaf.repeat_interval_ms, leaf.resolved) == (24 * HOUR_MS, ResolvedMessages.EACH)
    assert leaf.escalations == (Escalation(30 * MINUTE_MS, "boss"), Escalation(HOUR_MS, "desk"))
    assert leaf.group_labels({"kind": "entity", "series": "entity/a"}) == {"kind": "entity", "series": "entity/a"}
    [source] = policy.routes_of({"severity": "warning", "kind": "source"})
    assert source.hours.closed(1_699_999_200_000, 2)  # Tuesday, 2023-11-14 23:00 in Berlin
    assert len(policy.inhibitions) == 1
    assert len({route.key for route in policy.root.walk()}) == 4


def test_without_routes_every_receiver_gets_every_alert(tmp_path: Path) -> None:
    for policy in (read_policy(None, NAMES), read(tmp_path, "receivers: []\n")):
        assert receivers(policy, severity="warning") == list(NAMES)


def test_a_route_that_is_added_leaves_the_keys_of_others(tmp_path: Path) -> None:
    before = read(tmp_path, RIGHT)
    more = "  routes:\n    - matchers: ['team=\"x\"']\n      receiver: boss\n"
    after = read(tmp_path, RIGHT.replace("  routes:\n", more, 1))
    assert {route.key for route in before.root.walk()} < {route.key for route in after.root.walk()}
    assert before.fingerprint != after.fingerprint
    assert before.fingerprint == replace(before).fingerprint


ROUTE = "route:\n  receiver: desk\n"
INTERVAL = "time_intervals:\n  - name: nights\n    time_intervals:\n      - "


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("route:\n  group_by: [signal]\n", 1, "the key 'receiver' is missing; name who"),
        ("route:\n  receiver: dsek\n", 2, "there is no receiver 'dsek'; did you mean 'desk'?"),
        (ROUTE + "  matchers: [a=b]\n", 1, "the root route takes every alert"),
        (ROUTE + "  group_wait: 30\n", 3, "group_wait: take a text, in quotes"),
        (ROUTE + "  group_by: ['...', signal]\n", 3, "group_by: '...' is all labels already; write ['...']"),
        ("inhibit_rules:\n  - {source_matchers: [a=b], target_matchers: [a=c], equal: ['...']}\n", 2, "is no label's"),
        (ROUTE + "  group_wait: 30 seconds\n", 3, "'30 seconds' is no length of time; write one such as 30s"),
        (ROUTE + "  repeat_interval: 9000h\n", 3, "longer than a year"),
        (ROUTE + "  group_interval: 0s\n", 3, "'0s' is too short; write 1s or more"),
        (ROUTE + "  group_by: ['my label']\n", 3, "'my label' is no label's name"),
        (ROUTE + "  resolved: some\n", 3, "take all, each or never, not 'some'"),
        (ROUTE + "  routes:\n    - matchers: ['severity=']\n", 4, 'character 10: write a value, in "quotes"'),
        (ROUTE + "  routes:\n    - matchers: ['x=~\"(\"']\n", 4, "no pattern of RE2: missing )"),
        (ROUTE + "  routes:\n    - matcher: ['x=y']\n", 4, "there is no key 'matcher'; did you mean 'matchers'?"),
        (ROUTE + "  routes:\n    - receiver: bos\n", 4, "did you mean 'boss'?"),
        (ROUTE + "  escalate: [{after: 1h, receiver: nobody}]\n", 3, "there is no receiver 'nobody'"),
        (ROUTE + "  escalate: [{after: soon, receiver: boss}]\n", 3, "'soon' is no length of time"),
        (
            ROUTE + "  escalate: [{after: 1h, receiver: boss}, {after: 5m, receiver: desk}]\n",
            3,
            "each step must come later",
        ),
        (ROUTE + "  mute_time_intervals: [nigts]\n" + INTERVAL + "weekdays: [monday]\n", 3, "did you mean 'nights'?"),
        ("inhibit_rules:\n  - source_matchers: [a=b]\n", 2, "the key 'target_matchers' is missing"),
        ("inhibit_rules:\n  - source_matchers: [a=b]\n    target_matchers: []\n", 3, "is empty"),
        (INTERVAL + "times: [{start_time: '7:00', end_time: '09:00'}]\n", 4, "'7:00' is no time of day"),
        (INTERVAL + "times: [{start_time: '22:00', end_time: '07:00'}]\n", 4, "write two spans, up to 24:00"),
        (INTERVAL + "weekdays: [mon]\n", 4, "'mon' is no weekday; write one such as monday"),
        (INTERVAL + "weekdays: ['friday:monday']\n", 4, "ends before it begins"),
        (INTERVAL + "days_of_month: ['0']\n", 4, "'0' is no day of a month"),
        (INTERVAL + "months: ['13']\n", 4, "'13' is no month"),
        (INTERVAL + "years: ['24']\n", 4, "'24' is no year"),
        (INTERVAL + "location: Berlin\n", 4, "there is no time zone 'Berlin'"),
        (INTERVAL + "weekdays: [monday]\n  - name: nights\n    time_intervals: [{}]\n", 5, "give each its own name"),
    ],
)
def test_every_mistake_is_named_with_its_line_and_the_fix(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(WrongFile) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert f"routes.yaml:{line}: " in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(WrongFile) as caught:
        read(
            tmp_path,
            "route:\n  receiver: x\n  routes:\n    - receiver: y\n    - {receiver: desk, routes: [{receiver: z}]}\n",
        )
    assert str(caught.value).count("there is no receiver") == 3


def test_the_example_of_the_page_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "deploy" / "routes.md").read_text(encoding="utf-8")
    policy = read(tmp_path, page.split("```yaml\n")[1].split("```")[0])
    assert receivers(policy, severity="critical", kind="entity") == ["on call"]
