"""A command derived from the options that it declares (`models.training.options`): nothing is written twice.

declared(TrainOptions) ─ one parameter an option, and --json ─> a function that Typer turns into a command
                                the words of the call ─ built ─> TrainOptions, checked ─> `run`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from inspect import Parameter, Signature
from typing import Annotated, Any, get_args, get_origin

import typer

from models.errors import ModelError
from streams.cli.options import JsonOption
from streams.errors import MoodwireError
from streams.lifecycle.training_code import import_training

__all__ = ["command_of"]


def command_of(options: type, run: Callable[..., None]) -> Callable[..., None]:
    """Returns the command that calls `run(filled, json=…)`, where `filled` are the `options` with the call's values.

    The command raises `MoodwireError` naming the option whose value is not allowed.
    """
    code = import_training("options")
    parameters = [_parameter(one) for one in code.declared(options)]
    parameters.append(Parameter("json", Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption))

    def command(json: bool, **values: Any) -> None:
        try:
            filled = code.built(options, values)
        except ModelError as error:
            raise MoodwireError(str(error)) from error
        run(filled, json=json)

    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _parameter(one: Any) -> Parameter:
    default = [] if get_origin(one.kind) is tuple and one.default == () else one.default
    shown = typer.Option(
        *one.flags,
        help=one.meta.description,
        min=one.meta.ge,
        max=one.meta.le,
        exists=bool(one.existing),
        file_okay=one.existing != "folder",
        rich_help_panel=one.panel or None,
        show_default=bool(default) or (default == 0 and not isinstance(default, bool)),
    )
    return Parameter(
        one.name,
        Parameter.KEYWORD_ONLY,
        default=Parameter.empty if default is MISSING else default,
        annotation=Annotated[_plain(one), shown],
    )


def _plain(one: Any) -> Any:
    """The type that Typer parses: a choice is a word, checked with the other values."""
    if one.choices:
        return str
    return list[get_args(one.kind)[0]] if get_origin(one.kind) is tuple else one.kind  # type: ignore[misc]
