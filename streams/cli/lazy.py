"""Commands whose modules are imported when they are called: `--help` and one command pay for no other.

    app = typer.Typer()
    add_lazy(app, "streams.cli.score", "score", "Score a text.")

The module holds the command as a function of that name, or as a Typer of its own called `app`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

__all__ = ["add_lazy"]


def add_lazy(app: typer.Typer, module: str, name: str, help_text: str, *, function: str = "") -> None:
    """Add the command `name` to `app`; its function in `module` is called `function`, by default as the command."""
    app.command(name, help=help_text, cls=_placeholder(module, name, help_text, function or name))(_nothing)


def _nothing() -> None:
    """What a placeholder would do; it makes way for the command before."""


def _placeholder(module: str, name: str, help_text: str, function: str) -> type[TyperCommand]:
    @cache
    def load() -> Any:
        found = import_module(module)
        return (
            _group(found.app, name, help_text)
            if hasattr(found, "app")
            else _command(getattr(found, function), name, help_text)
        )

    class Placeholder(TyperCommand):
        """Shows its name and help in a list; whoever calls it gets the command's own context."""

        def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
            return load().make_context(info_name, args, parent, **extra)

    return Placeholder


def _group(app: typer.Typer, name: str, help_text: str) -> Any:
    group = get_command(app)
    group.name, group.help = name, help_text
    return group


def _command(function: Callable[..., None], name: str, help_text: str) -> Any:
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name, help=help_text)(function)
    return get_command(alone)
