"""Drift: two mixes compared, what fades, and silence until there is enough to say."""

import json
from pathlib import Path

import numpy as np
import pytest

from models import OnnxClassifier
from models.classifier import Probabilities
from models.drift import ENOUGH, RECENT_ITEMS, DriftMonitor, held_out_mix, psi

LABELS = {"sentiment": ("negative", "neutral", "positive")}


def answers(
    rng: np.random.Generator, mix: tuple[float, ...], texts: int = 500, sure: float = 0.9
) -> dict[str, Probabilities]:
    rows = np.full((texts, len(mix)), (1 - sure) / (len(mix) - 1), np.float32)
    rows[np.arange(texts), rng.choice(len(mix), texts, p=mix)] = sure
    return {"sentiment": rows}


def fed(monitor: DriftMonitor, mix: tuple[float, ...], items: int, sure: float = 0.9) -> None:
    rng = np.random.default_rng(items)
    for _ in range(items // 500):
        monitor.add(answers(rng, mix, sure=sure))


def test_psi_is_that_of_the_book() -> None:
    """Shares 0.2, 0.3, 0.5 against 0.3, 0.3, 0.4, worked out by hand."""
    expected, actual = np.array([2e6, 3e6, 5e6]), np.array([3e6, 3e6, 4e6])
    by_hand = 0.1 * np.log(0.3 / 0.2) - 0.1 * np.log(0.4 / 0.5)
    assert psi(expected, actual) == pytest.approx(by_hand, rel=1e-4)
    assert psi(expected, actual) == pytest.approx(psi(actual, expected))
    assert np.isfinite(psi(np.zeros(3), np.array([0.0, 0.0, 9.0])))


def test_nothing_is_said_before_there_is_enough() -> None:
    monitor = DriftMonitor(LABELS, {"sentiment": {"negative": 15, "neutral": 65, "positive": 20}})
    fed(monitor, (0.2, 0.6, 0.2), ENOUGH - 500)
    found = monitor.of("sentiment")
    assert (found.against_usual, found.against_reference, found.recent_sureness) == (None, None, None)
    fed(monitor, (0.2, 0.6, 0.2), 500)
    assert monitor.of("sentiment").against_reference is not None
    assert monitor.of("sentiment").against_usual is None


def test_a_steady_stream_does_not_drift_and_a_change_shows_and_becomes_usual() -> None:
    monitor = DriftMonitor(LABELS)
    fed(monitor, (0.2, 0.6, 0.2), 60_000)
    steady = monitor.of("sentiment").against_usual
    assert steady is not None
    assert steady < 0.01
    fed(monitor, (0.6, 0.3, 0.1), 15_000)
    shifted = monitor.of("sentiment").against_usual
    assert shifted is not None
    assert shifted > 0.25
    fed(monitor, (0.6, 0.3, 0.1), 600_000)
    later = monitor.of("sentiment").against_usual
    assert later is not None
    assert later < 0.01


def test_a_model_that_becomes_unsure_shows() -> None:
    monitor = DriftMonitor(LABELS)
    fed(monitor, (0.2, 0.6, 0.2), 60_000, sure=0.9)
    fed(monitor, (0.2, 0.6, 0.2), 4 * RECENT_ITEMS, sure=0.5)
    found = monitor.of("sentiment")
    assert found.recent_sureness is not None
    assert found.usual_sureness is not None
    assert found.recent_sureness < found.usual_sureness - 0.1


def test_another_mix_than_on_the_held_out_rows_shows() -> None:
    monitor = DriftMonitor(LABELS, {"sentiment": {"negative": 150, "neutral": 650, "positive": 200}})
    fed(monitor, (0.15, 0.65, 0.2), 10_000)
    near = monitor.of("sentiment").against_reference
    fed(monitor, (0.6, 0.3, 0.1), 30_000)
    far = monitor.of("sentiment").against_reference
    assert near is not None
    assert far is not None
    assert near < 0.01 < 0.25 < far


def test_no_texts_and_unknown_heads_are_no_trouble() -> None:
    monitor = DriftMonitor(LABELS)
    monitor.add({"sentiment": np.zeros((0, 3), np.float32)})
    monitor.add({"topic": np.ones((1, 1), np.float32)})
    assert monitor.of("sentiment").recent_sureness is None


def test_the_shipped_models_mix_on_held_out_rows_is_known(shipped_folder: Path) -> None:
    mix = held_out_mix(shipped_folder)["sentiment"]
    assert set(mix) == {"negative", "neutral", "positive"}
    assert mix["neutral"] > mix["negative"] > 100


def test_metrics_of_both_forms_and_of_none_are_read(tmp_path: Path) -> None:
    a, b = {"rows": 4, "recall": 0.75, "precision": 0.6}, {"rows": 6, "recall": 4 / 6, "precision": 0.8}
    score = {"labels": {"a": a, "b": b}}
    assert held_out_mix(tmp_path) == {}
    for told in ({"sets": [{"head": "h", "score": score}]}, {"valid": {"int8": {"h": score}}}):
        (tmp_path / "metrics.json").write_text(json.dumps(told), encoding="utf-8")
        assert held_out_mix(tmp_path) == {"h": pytest.approx({"a": 5.0, "b": 5.0})}
    (tmp_path / "metrics.json").write_text("[]", encoding="utf-8")
    assert held_out_mix(tmp_path) == {}


def test_what_a_tokenizer_has_no_word_for_is_counted(classifier: OnnxClassifier) -> None:
    before = classifier.tally
    classifier.classify(["Snow ☃ falls", "Snow ☃ falls", "Rain"])
    after = classifier.tally
    assert after.unknown - before.unknown == 1
    assert after.characters - before.characters == len("Snow ☃ falls") + len("Rain")
    assert after.tokens - before.tokens == 3 + 2 + 1 + 2
