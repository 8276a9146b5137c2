"""Rates, stopping, figures on dev, and how texts are held out."""

import numpy as np
import pytest

from models.training.data.example import UNKNOWN
from models.training.data.split import in_share
from models.training.encoder.cache import find_encoder
from models.training.errors import TrainingError
from models.training.learning.measure import HeadFigures, choice_score, figures
from models.training.learning.plan import Decay, best_of, rate_at, should_stop


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_the_learning_rate_rises_then_falls_to_nothing(decay: Decay) -> None:
    rates = [rate_at(step, 100, 10, decay) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == 0
    assert rates[55] == pytest.approx(0.5)


def test_a_run_stops_when_patience_is_spent() -> None:
    assert not should_stop([], 2)
    assert not should_stop([0.5, 0.7, 0.6], 2)
    assert should_stop([0.5, 0.7, 0.6, 0.7], 2)
    assert best_of([0.5, 0.7, 0.7]) == 1


def test_figures_leave_out_what_is_not_known() -> None:
    found = figures(np.array([0, 1, 1, 2]), np.array([0, 1, 0, UNKNOWN]), 3)
    assert found.rows == 3
    assert [found.accuracy, found.macro_f1] == pytest.approx([2 / 3, 2 / 3])
    assert figures(np.zeros(0, np.int64), np.zeros(0, np.int64), 3) == HeadFigures(0, 0.0, 0.0)
    assert choice_score({"a": HeadFigures(10, 0.9, 0.7), "b": HeadFigures(0, 0.0, 0.0)}) == pytest.approx(0.8)


def test_a_share_is_that_share_and_another_salt_draws_others() -> None:
    keys = [f"text {number}" for number in range(4_000)]
    held_out = {key for key in keys if in_share(key, 0.1)}
    assert 330 < len(held_out) < 470
    assert len(held_out & {key for key in keys if in_share(key, 0.1, "dev")}) < 80
    assert held_out < {key for key in keys if in_share(key, 0.2)}


def test_an_encoder_that_is_nowhere_comes_with_the_command_that_fetches_it(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(TrainingError, match="deploy/setup/fetch-encoder"):
        find_encoder("all-MiniLM-L6-v2")
