"""Sentences from phrases: a phrase's ``{name}`` is a given word, a number, or a choice among a symbol's phrases."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import yaml

__all__ = ["Grammar", "load"]

_SLOT = re.compile(r"\{(\w+)\}")

_NUMBERS: Mapping[str, Callable[[random.Random], str]] = {
    "pct": lambda rng: str(rng.randint(2, 19)),
    "big": lambda rng: str(rng.randint(31, 78)),
    "decimal": lambda rng: f"{rng.randint(2, 48) / 10:.1f}",
    "cents": lambda rng: f"{rng.randint(120, 380) / 100:.2f}",
    "lower": lambda rng: f"{rng.randint(40, 118) / 100:.2f}",
    "price": lambda rng: str(rng.randint(24, 480)),
    "money": lambda rng: f"${rng.randint(11, 96) / 10:.1f} billion",
    "millions": lambda rng: f"${rng.randint(12, 480)} million",
    "count": lambda rng: f"{rng.randint(4, 90) * 50:,}",
    "count2": lambda rng: str(rng.randint(12, 60)),
    "years": lambda rng: str(rng.randint(4, 14)),
    "day": lambda rng: str(rng.randint(2, 28)),
    "day2": lambda rng: rng.choice(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")),
}


def load(name: str) -> Any:
    """Reads one of this package's YAML files."""
    return yaml.safe_load(resources.files("streams.sample").joinpath(name).read_text(encoding="utf-8"))


class Grammar:
    """Expands phrases with one stream of random choices."""

    def __init__(self, symbols: Mapping[str, Sequence[str]], rng: random.Random) -> None:
        self._symbols = symbols
        self._rng = rng

    def sentence(self, phrase: str, words: Mapping[str, str]) -> str:
        """`phrase` with every slot filled; `words` go before symbols and numbers, and keep their own spelling."""
        text = _SLOT.sub(lambda slot: self._fill(slot[1], words), phrase)
        begins_with_a_name = any(text.startswith(word) for word in words.values())
        return text if begins_with_a_name else text[:1].upper() + text[1:]

    def _fill(self, name: str, words: Mapping[str, str]) -> str:
        if name in words:
            return words[name]
        if name in _NUMBERS:
            return _NUMBERS[name](self._rng)
        return _SLOT.sub(lambda slot: self._fill(slot[1], words), self._rng.choice(self._symbols[name]))
