"""`moodwire routes …`: the tree of routes, checked, and asked where an alert would go."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from alerts.judge import Route
from streams.cli.options import JsonOption
from streams.cli.output import console, foreign, print_json
from streams.errors import SettingsError
from streams.receivers.channels import check_routes
from streams.receivers.configured import policy_of
from streams.receivers.labels import known_labels, label_warnings, unknown_labels
from streams.settings import Settings, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False)

FileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="YAML of routes; by default that of the settings (MOODWIRE_ROUTES)."),
]


@app.callback()
def _group() -> None:
    """Check routes of alerts, and ask which an alert takes."""


@app.command()
def check(file: FileOption = None, json: JsonOption = False) -> None:
    """Read the routes, make every channel, print each mistake with its line, and show the tree.

    Nothing is sent and no server is asked; files and variables of secrets are read. The exit code is 1 on a mistake.
    """
    settings = _with_file(load_settings(), file)
    policy, warnings = check_routes(settings), label_warnings(settings)
    if json:
        print_json(
            {"receivers": sorted(policy.receivers), "route": _described(policy.root), "warnings": list(warnings)}
        )
        return
    _show(policy.root, 0)
    _warn(warnings)


@app.command("test")
def ask(
    labels: Annotated[list[str], typer.Argument(metavar="LABEL=VALUE...", help="Labels of an alert.")],
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Print the receivers that an alert with these labels goes to, and the labels that its message is known by."""
    settings, alert = _with_file(load_settings(), file), _labels(labels)
    found = [_taken(route, alert) for route in policy_of(settings).routes_of(alert)]
    warnings = list(unknown_labels(alert, known_labels(settings)))
    if json:
        print_json({"routes": found, "warnings": warnings})
        return
    for one in found:
        group = ", ".join(f"{name}={value}" for name, value in one["group"].items()) or "all alerts of the route"
        console.print(f"[bold]{foreign(one['receiver'])}[/]  one message for {foreign(group)}", highlight=False)
    _warn(warnings)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        console.print(f"[yellow]warning:[/] {foreign(warning)}", highlight=False, soft_wrap=True)


def _with_file(settings: Settings, file: Path | None) -> Settings:
    return settings if file is None else settings.model_copy(update={"routes": file})


def _labels(words: list[str]) -> dict[str, str]:
    """Raises `SettingsError` for a word that is no label."""
    pairs = [word.partition("=") for word in words]
    wrong = next((word for word, (name, sign, _) in zip(words, pairs, strict=True) if not name or not sign), None)
    if wrong is not None:
        raise SettingsError(f"{wrong!r} is no label; write NAME=VALUE, such as severity=critical")
    return {name: value for name, _, value in pairs}


def _taken(route: Route, labels: dict[str, str]) -> dict[str, Any]:
    return {"receiver": route.receiver, "group": route.group_labels(labels), "route": route.key}


def _described(route: Route) -> dict[str, Any]:
    return {
        "receiver": route.receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "group_by": list(route.group_by),
        "group_wait_seconds": route.group_wait_ms // 1000,
        "group_interval_seconds": route.group_interval_ms // 1000,
        "repeat_interval_seconds": route.repeat_interval_ms // 1000,
        "routes": [_described(below) for below in route.routes],
    }


def _show(route: Route, depth: int) -> None:
    matchers = ", ".join(str(matcher) for matcher in route.matchers) or "every alert"
    goes_on = ", then the next routes" if route.goes_on else ""
    line = f"{foreign(matchers)}  to [bold]{foreign(route.receiver)}[/]{goes_on}"
    console.print(f"{'  ' * depth}{line}", highlight=False)
    for below in route.routes:
        _show(below, depth + 1)
