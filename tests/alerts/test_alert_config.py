"""One mistake each: the error names the key and says what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts import AlertConfig, ConfigError
from alerts.sections import Window

FINANCE = Path(__file__).resolve().parents[2] / "streams" / "profiles" / "finance" / "alerts.yaml"

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"hopseconds": 30}, "hopseconds"),
    ({"version": 2}, "version"),
    ({"hop_seconds": 7}, "hop_seconds"),
    ({"hop_seconds": "often"}, "hop_seconds"),
    ({"lateness_seconds": -1}, "lateness_seconds"),
    ({"windows_seconds": []}, "windows_seconds"),
    ({"windows_seconds": [900, 900]}, "windows_seconds"),
    ({"windows_seconds": [172800]}, "windows_seconds"),
    ({"windows_seconds": [977]}, "windows_seconds"),
    ({"windows_seconds": [60], "hop_seconds": 300}, "windows_seconds"),
    ({"false_alarms_per_week": 0}, "false_alarms_per_week"),
    ({"warm_up_days": -1}, "warm_up_days"),
    ({"most_probable_level": 1}, "most_probable_level"),
    ({"kinds": {}}, "kinds"),
    ({"kinds": {"entity": {}}}, "kinds"),
    ({"kinds": {"entity": {"budget_share": 0}}}, "kinds.entity.budget_share"),
    ({"kinds": {"entity": {"budget_share": 0.7}, "topic": {"budget_share": 0.7}}}, "kinds"),
    ({"kinds": {"entity": {"budget_share": 1, "rules": ["sum"]}}}, "kinds.entity.rules"),
    ({"kinds": {"entity": {"budget_share": 1, "prior_hits_per_day": 0}}}, "kinds.entity.prior_hits_per_day"),
    ({"rules": {"sum": {}}}, "rules.sum"),
    ({"rules": {"volume": {"budget_share": 0.9}, "share": {"budget_share": 0.9}}}, "rules"),
    ({"rules": {"volume": {"budget_share": 0}}}, "rules.volume.budget_share"),
    ({"rules": {"volume": {"minimum_hits": 0}}}, "rules.volume.minimum_hits"),
    ({"rules": {"share": {"minimum_stories": 11}}}, "rules.share.minimum_stories"),
    ({"rules": {"share": {"minimum_ratio": 0.5}}}, "rules.share.minimum_ratio"),
    ({"rules": {"share": {"critical_p_factor": 2}}}, "rules.share.critical_p_factor"),
    ({"baseline": {"half_life_days": 0}}, "baseline.half_life_days"),
    ({"baseline": {"prior_share": 1.5}}, "baseline.prior_share"),
    ({"baseline": {"clumping": -1}}, "baseline.clumping"),
    ({"episode": {"check_seconds": 45}}, "episode.check_seconds"),
    ({"episode": {"resolve_level": 0}}, "episode.resolve_level"),
    ({"episode": {"hold_minutes": 1500}}, "episode.hold_minutes"),
    ({"episode": {"update_minutes": 0}}, "episode.update_minutes"),
]


@pytest.mark.parametrize(("change", "key"), MISTAKES, ids=[str(change) for change, _ in MISTAKES])
def test_a_mistake_is_named_with_its_key_and_its_fix(change: dict[str, Any], key: str) -> None:
    right: dict[str, Any] = {"kinds": {"entity": {"budget_share": 1.0}}}
    with pytest.raises(ConfigError) as caught:
        AlertConfig.from_mapping({**right, **change}, name="rules.yaml")
    assert caught.value.key.startswith(f"rules.yaml: {key}")
    assert "; " in str(caught.value)


def test_the_finance_profile_is_right() -> None:
    config = AlertConfig.from_mapping(yaml.safe_load(FINANCE.read_text(encoding="utf-8")), name=FINANCE.name)
    assert set(config.kinds) == {"watchlist", "entity", "topic", "all"}
    assert sum(kind.budget_share for kind in config.kinds.values()) == pytest.approx(1.0)
    assert config.hop_ms == 30_000


@pytest.mark.parametrize("seconds", [60, 900, 3600, 7200, 21_600, 43_200, 86_400])
def test_windows_are_kept_as_few_panes(seconds: int) -> None:
    window = Window.of_seconds(seconds)
    assert window.panes <= 30
    assert window.panes * window.pane_ms == window.length_ms
    for tick_ms in range(1_000_000_000_000, 1_000_000_000_000 + 2 * window.pane_ms, 30_000):
        covered = tick_ms - window.start_ms(tick_ms)
        assert window.length_ms - window.pane_ms < covered <= window.length_ms


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"kinds": {"entity": {"budget_share": "all"}}}, "kinds.entity.budget_share"),
        ({"kinds": {"entity": {"share": 1}}}, "kinds.entity.share"),
        ({"kinds": ["entity"]}, "kinds"),
        ({"kinds": {"entity": 3}}, "kinds.entity"),
        ({"rules": {"volume": {"minimum_hits": 2.5}}}, "rules.volume.minimum_hits"),
        ({"episode": {"hold": 3}}, "episode.hold"),
        ({"baseline": {"half_life_days": "two weeks"}}, "baseline.half_life_days"),
    ],
)
def test_a_wrong_type_is_named_with_its_whole_path(change: dict[str, Any], key: str) -> None:
    right: dict[str, Any] = {"kinds": {"entity": {"budget_share": 1.0}}}
    with pytest.raises(ConfigError) as caught:
        AlertConfig.from_mapping({**right, **change}, name="rules.yaml")
    assert caught.value.key == f"rules.yaml: {key}"
