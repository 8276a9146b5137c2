"""`moodwire doctor`: what is set, and what happens when it is tried; exit code 1 when something is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from pydantic import SecretStr
from rich.table import Table

from streams.cli.doctor_checks import Check, Finding, State, one_hangs, run_checks
from streams.cli.doctor_feeds import feed_checks
from streams.cli.doctor_files import FILE_CHECKS
from streams.cli.doctor_servers import SERVER_CHECKS
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json
from streams.observe.logs import shown
from streams.process import seconds_since_start
from streams.settings import Settings, load_settings

DEADLINE_SECONDS = 8.0
"""From the start of the process, so that doctor ends within 10 s when nothing answers, on a slow machine too."""

_LEAST_SECONDS = 3.0

_MARKS = {State.OK: "[green]ok[/]     ", State.WARNING: "[yellow]warning[/]", State.WRONG: "[bold red]wrong[/]  "}


def doctor(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    settings = load_settings(namespace=namespace)
    checks = checks_of(settings)
    seconds = max(_LEAST_SECONDS, DEADLINE_SECONDS - seconds_since_start())
    findings = run_checks(checks, settings, seconds)
    if json:
        print_json({"settings": _shown(settings), "findings": findings})
    else:
        _show(settings, findings)
    _leave(1 if any(finding.state is State.WRONG for finding in findings) else 0)


def checks_of(settings: Settings) -> list[Check]:
    """Every check that these settings ask for."""
    checks = [*FILE_CHECKS, *SERVER_CHECKS, *feed_checks(settings)]
    if settings.on_kafka:
        from streams.cli.doctor_kafka import KAFKA_CHECKS

        checks += [Check(name, ask) for name, ask in KAFKA_CHECKS.items()]
    return checks


def _leave(code: int) -> None:
    """End at once: a check that hangs, in a resolver or a client of a dead server, would hold the process back."""
    if one_hangs():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise typer.Exit(code)


def _shown(settings: Settings) -> dict[str, str]:
    """Settings by environment variable; secrets are masked."""
    values = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        masked = "**********" if isinstance(value, SecretStr) else value
        values[f"MOODWIRE_{name.upper()}"] = "" if masked is None else shown(str(masked))
    return values


def _show(settings: Settings, findings: list[Finding]) -> None:
    table = Table("setting", "value", "what it is", box=None, header_style="bold")
    for variable, value in _shown(settings).items():
        field = Settings.model_fields[variable.removeprefix("MOODWIRE_").lower()]
        table.add_row(variable, foreign(value), field.description)
    console.print(table)
    console.print()
    _show_findings(findings)


def _show_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        said = finding.problem or "; ".join(filter(None, (finding.found, finding.warning)))
        line = f"{_MARKS[finding.state]} {foreign(finding.check)}: {foreign(said)}"
        console.print(line, highlight=False, soft_wrap=True)
        if finding.fix:
            console.print(f"        [dim]fix:[/] {foreign(finding.fix)}", highlight=False, soft_wrap=True)
