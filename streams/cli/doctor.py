"""`moodwire doctor`: what is set, and what happens when it is tried; exit code 1 when something is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.table import Table

from streams.cli.doctor_checks import Check, Finding, State, one_hangs, run_checks
from streams.cli.doctor_feeds import feed_checks
from streams.cli.doctor_files import FILE_CHECKS, PROFILE_CHECK
from streams.cli.doctor_http import HTTP_CHECKS
from streams.cli.doctor_servers import SERVER_CHECKS
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json
from streams.logs import SILENT, set_levels
from streams.observe.logs import shown
from streams.process import seconds_since_start
from streams.settings import Settings
from streams.settings.loading import usable_settings
from streams.settings.places import variable_of

DEADLINE_SECONDS = 8.0
"""From the start of the process, so that doctor ends within 10 s when nothing answers, on a slow machine too."""

_LEAST_SECONDS = 3.0

_LIBRARIES = ("kafka", "kafka.net.selector", "aiokafka", "elastic_transport", "elastic_transport.node_pool", "asyncio")
_MARKS = {State.OK: "[green]ok[/]     ", State.WARNING: "[yellow]warning[/]", State.WRONG: "[bold red]wrong[/]  "}


def doctor(
    namespace: NamespaceOption = None,
    feed: Annotated[
        list[str] | None, typer.Option("--feed", help="Check only this feed, by its name; may be repeated.")
    ] = None,
    json: JsonOption = False,
) -> None:
    settings, problems = usable_settings(namespace=namespace)
    checks = feed_checks(settings, feed) if feed else checks_of(settings)
    seconds = max(_LEAST_SECONDS, DEADLINE_SECONDS - seconds_since_start())
    with _quiet_libraries():
        findings = [*map(_of_setting, problems), *_besides(problems, run_checks(checks, settings, seconds))]
    if json:
        values = {variable_of(name): value for name, value in _shown(settings).items()}
        print_json({"settings": values, "findings": findings})
    else:
        _show(settings, findings)
    _leave(1 if any(finding.state is State.WRONG for finding in findings) else 0)


def checks_of(settings: Settings) -> list[Check]:
    """Every check that these settings ask for."""
    checks = [*FILE_CHECKS, *HTTP_CHECKS, *SERVER_CHECKS, *feed_checks(settings)]
    if settings.on_kafka:
        from streams.cli.doctor_kafka import KAFKA_CHECKS

        checks += [Check(name, ask) for name, ask in KAFKA_CHECKS.items()]
    return checks


def _of_setting(problem: str) -> Finding:
    return Finding("settings", "", shown(problem), fix="correct it; the other checks take it for unset where they can")


def _besides(problems: Sequence[str], findings: Sequence[Finding]) -> list[Finding]:
    """Without those that only repeat what is wrong with a setting or the profile, which says where models are."""
    known = [shown(problem) for problem in problems]
    kept: list[Finding] = []
    for one in findings:
        if not one.problem or not any(text.endswith(one.problem) for text in known):
            kept.append(one)
            known += [one.problem] if one.check == PROFILE_CHECK else []
    return kept


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keeps the log lines of clients out: what they report is in the findings, in words."""
    before = set_levels(dict.fromkeys(_LIBRARIES, SILENT))
    try:
        yield
    finally:
        if not one_hangs():
            set_levels(before)


def _leave(code: int) -> None:
    """End at once: a check that hangs, in a resolver or a client of a dead server, would hold the process back."""
    if one_hangs():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise typer.Exit(code)


def _shown(settings: Settings) -> dict[str, str]:
    """Settings by name of the field; secrets are masked."""
    values = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        masked = "**********" if isinstance(value, SecretStr) else value
        values[name] = "" if masked is None else shown(str(masked))
    return values


def _show(settings: Settings, findings: list[Finding]) -> None:
    table = Table("setting", "value", "what it is", box=None, header_style="bold")
    for name, value in _shown(settings).items():
        table.add_row(variable_of(name), foreign(value), foreign(Settings.model_fields[name].description or ""))
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
