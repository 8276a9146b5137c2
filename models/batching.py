"""How texts of different lengths are cut into batches."""

import math
from collections.abc import Sequence


def token_budget_batches(lengths: Sequence[int], budget: int, max_rows: int) -> list[list[int]]:
    """Cut the texts 0, 1, … of `lengths` tokens into batches of at most `budget` tokens, padding counted.

    A batch costs its rows times its longest text, because shorter texts are padded. Texts are taken by
    length (ties by number), so that neighbours need little padding. A text longer than the budget gets a
    batch of its own. Every number is in exactly one batch; shorter batches come first.

    Raises `ValueError` when `budget` or `max_rows` is below 1.

    >>> token_budget_batches([9, 2, 3], budget=9, max_rows=8)
    [[1, 2], [0]]
    """
    if budget < 1 or max_rows < 1:
        raise ValueError(f"budget and max_rows must be at least 1, not {budget} and {max_rows}")
    batches: list[list[int]] = []
    current: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = len(current) == max_rows or (len(current) + 1) * lengths[number] > budget
        if current and full:
            batches.append(current)
            current = []
        current.append(number)
    if current:
        batches.append(current)
    return batches


def balanced_budget(lengths: Sequence[int], most: int, workers: int, *, least: int = 1) -> int:
    """Returns the tokens a batch, `least` to `most`, that give each of `workers` as many batches as the others.

    A worker that waits for the last batch of another is a core that does nothing: of few texts each worker gets its
    part, of many the last round is as full as the first. Below `least` a part is not worth the handing over.

    >>> balanced_budget([20] * 8, most=256, workers=2)
    80
    """
    tokens = sum(lengths)
    rounds = max(1, math.ceil(tokens / (most * workers)))
    return min(most, max(least, math.ceil(tokens / (rounds * workers))))
