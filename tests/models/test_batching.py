"""Every text in exactly one batch, no batch over its budget."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.batching import balanced_budget, token_budget_batches

LENGTHS = st.lists(st.integers(1, 200), max_size=200)


@given(LENGTHS, st.integers(1, 2_000), st.integers(1, 70))
def test_each_text_stands_in_exactly_one_batch(lengths: list[int], budget: int, max_rows: int) -> None:
    batches = token_budget_batches(lengths, budget, max_rows)
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    assert all(batches)


@given(LENGTHS, st.integers(1, 2_000), st.integers(1, 70))
def test_padded_size_stays_within_the_budget(lengths: list[int], budget: int, max_rows: int) -> None:
    for batch in token_budget_batches(lengths, budget, max_rows):
        longest = max(lengths[number] for number in batch)
        assert len(batch) <= max_rows
        assert len(batch) == 1 or len(batch) * longest <= budget


@given(LENGTHS, st.integers(1, 2_000), st.integers(1, 70))
def test_batches_run_from_short_to_long(lengths: list[int], budget: int, max_rows: int) -> None:
    flat = [lengths[number] for batch in token_budget_batches(lengths, budget, max_rows) for number in batch]
    assert flat == sorted(lengths)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=100), st.integers(50, 500))
def test_no_two_neighbours_would_fit_in_one_batch(lengths: list[int], budget: int) -> None:
    batches = token_budget_batches(lengths, budget, max_rows=1_000)
    for first, second in itertools.pairwise(batches):
        assert (len(first) + 1) * lengths[second[0]] > budget


def test_a_text_over_the_budget_gets_a_batch_of_its_own() -> None:
    assert token_budget_batches([5, 500, 5], budget=64, max_rows=8) == [[0, 2], [1]]


def test_no_texts_no_batches() -> None:
    assert token_budget_batches([], budget=64, max_rows=8) == []


@pytest.mark.parametrize(("budget", "max_rows"), [(0, 8), (64, 0), (-1, 8)])
def test_limits_below_one_are_refused(budget: int, max_rows: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        token_budget_batches([3], budget, max_rows)


@given(LENGTHS, st.integers(1, 2_000), st.integers(1, 16))
def test_a_balanced_budget_stays_within_the_limit_and_needs_no_more_rounds(
    lengths: list[int], most: int, workers: int
) -> None:
    budget = balanced_budget(lengths, most, workers)
    assert 1 <= budget <= most
    assert -(-sum(lengths) // (budget * workers)) <= max(1, -(-sum(lengths) // (most * workers)))


@given(st.integers(1, 60), st.integers(1, 400), st.integers(1, 8))
def test_texts_of_one_length_give_each_worker_as_many_batches(length: int, texts: int, workers: int) -> None:
    lengths = [length] * texts * workers
    batches = token_budget_batches(lengths, balanced_budget(lengths, 64 * length, workers), max_rows=1_000)
    assert len(batches) >= min(len(lengths), workers)
    assert max(map(len, batches)) <= 64


def test_what_is_not_worth_the_handing_over_stays_together() -> None:
    lengths = [20] * 6
    assert token_budget_batches(lengths, balanced_budget(lengths, 256, 4, least=128), 64) == [[0, 1, 2, 3, 4, 5]]


def test_few_texts_are_shared_among_the_workers() -> None:
    lengths = [20] * 8
    assert [len(one) for one in token_budget_batches(lengths, balanced_budget(lengths, 256, 4), 64)] == [2, 2, 2, 2]
