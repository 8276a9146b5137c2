"""The page on rules: its example is a right file, and its table has every key."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from alerts.rule_file import RulesDocument, WrittenRule
from streams.text.profile import load_profile
from streams.text.user_rules import load_rules

PAGE = (Path(__file__).parents[2] / "deploy" / "rules.md").read_text(encoding="utf-8")


def test_the_example_is_a_right_file_with_every_key_of_its_top(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(PAGE.partition("```yaml\n")[2].partition("```")[0])
    found = load_rules(path, load_profile("finance"))
    assert [rule.name for rule in found.rules] == ["banks", "my bank, every story"]
    assert {field.name for field in msgspec.structs.fields(RulesDocument)} <= set(
        re.findall(r"^(\w+):", path.read_text(), re.MULTILINE)
    )


def test_the_table_has_every_key_of_a_rule_and_no_other() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    keys = {field.name for field in msgspec.structs.fields(WrittenRule)}
    assert named == keys - {"critical_hits", "critical_ratio"}
    assert {"critical_hits", "critical_ratio"} <= set(re.findall(r"`(\w+)`", PAGE))
