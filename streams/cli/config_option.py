"""The words of every command: UTF-8, with `--config FILE` before the command or behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["CommandsWithConfig", "config_first"]

_OPTION = "--config"


class CommandsWithConfig(TyperGroup):
    """The commands. `ctx` is typer's: it has a copy of click of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for number, word in enumerate(args, 1):
            if not _is_text(word):
                problem = f"word {number}, {word!a}, is not UTF-8; write it in UTF-8, or rename the file it names"
                raise typer.BadParameter(problem, ctx=ctx)
        words = config_first(args)
        if words is None:
            raise typer.BadParameter(f"write a file behind it: {_OPTION} FILE", ctx=ctx, param_hint=_OPTION)
        return super().parse_args(ctx, words)


def _is_text(word: str) -> bool:
    """False for bytes of a call that are not UTF-8: Python has a surrogate in place of each."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def config_first(words: Sequence[str]) -> list[str] | None:
    """Returns the words of a call with `--config FILE` ahead of the command; what follows `--` is text.

    None if the option is the last word, without a file.
    """
    end = words.index("--") if "--" in words else len(words)
    first: list[str] = []
    rest: list[str] = []
    left = iter(words[:end])
    for word in left:
        if word == _OPTION:
            file = next(left, None)
            if file is None:
                return None
            first += [word, file]
        else:
            (first if word.startswith(f"{_OPTION}=") else rest).append(word)
    return [*first, *rest, *words[end:]]
