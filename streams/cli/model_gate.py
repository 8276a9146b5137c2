"""`moodwire model gate`: a version against the one in service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from streams.cli.model_options import (
    BehaviourOption,
    DataOption,
    DatasetOption,
    GoldenOption,
    LanguageOption,
    NameArgument,
    VersionArgument,
    following,
)
from streams.cli.options import ByOption, JsonOption, NamespaceOption, ProfileOption, person
from streams.cli.output import console, foreign, print_json
from streams.lifecycle.gate import GateRequest, GateResult
from streams.settings import load_settings

__all__ = ["gate", "show_result"]


def gate(
    name: NameArgument,
    version: VersionArgument,
    data: DataOption,
    dataset: DatasetOption = None,
    corrections: Annotated[
        list[Path] | None, typer.Option("--corrections", help="YAML of a data set made from feedback.", exists=True)
    ] = None,
    golden: GoldenOption = None,
    behaviour: BehaviourOption = None,
    margin: Annotated[
        float, typer.Option("--margin", help="Points of accuracy that may be lost on a held-out set.", min=0)
    ] = 1.0,
    allow_equal: Annotated[bool, typer.Option("--allow-equal", help="No worse is enough.")] = False,
    language: LanguageOption = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    request = GateRequest(
        name,
        version,
        data,
        person(by),
        datasets=tuple(dataset or ()),
        corrections=tuple(corrections or ()),
        golden=tuple(golden or ()),
        behaviour=behaviour or "",
        margin=margin,
        allow_equal=allow_equal,
        language=language or "",
    )
    with following(load_settings(namespace=namespace, profile=profile), quiet=json) as lifecycle:
        result = lifecycle.gate(request)
    if json:
        print_json(result.record())
    else:
        show_result(result)
    if not result.passed:
        raise typer.Exit(1)


def show_result(result: GateResult) -> None:
    """Prints the checks as a table, and what they amount to."""
    report = result.report
    table = Table("check", "", "what was found", header_style="bold")
    for check in report.checks:
        passed = "[green]passed[/]" if check.passed else "[red]failed[/]"
        table.add_row(foreign(check.name), passed, foreign(check.reason))
    console.print(table)
    outcome = "may take the place of" if report.passed else "may not take the place of"
    candidate, current = foreign(" ".join(report.candidate)), foreign(" ".join(report.current))
    console.print(f"[bold]{candidate}[/] {outcome} {current}", highlight=False)
