"""`moodwire doctor`: what is set, what is there, what is wrong; exit code 1 when something is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import typer
from pydantic import SecretStr
from rich.table import Table

from alerts import AlertsError
from models import ModelError, load_artifact, processor_report, shipped
from streams.app import alert_config
from streams.archive import open_archive, open_elastic
from streams.archive.elastic.address import is_elastic
from streams.cli.doctor_kafka import KAFKA_CHECKS
from streams.cli.options import JsonOption, NamespaceOption
from streams.cli.output import console, foreign, print_json
from streams.errors import MoodwireError, SettingsError
from streams.observe.logs import shown
from streams.settings import Settings, load_settings
from streams.stages.reader import TextReader
from streams.text.profile import load_profile
from streams.transport.broker import open_broker


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `problem` is empty when all is well."""

    check: str
    found: str
    problem: str = ""


def doctor(namespace: NamespaceOption = None, json: JsonOption = False) -> None:
    settings = load_settings(namespace=namespace)
    checks = CHECKS | KAFKA_CHECKS if settings.on_kafka else CHECKS
    findings = [_try(name, check, settings) for name, check in checks.items()]
    if json:
        print_json({"settings": _shown(settings), "findings": findings})
    else:
        _show(settings, findings)
    if any(finding.problem for finding in findings):
        raise typer.Exit(1)


def _try(name: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(name, shown(check(settings)))
    except (MoodwireError, AlertsError, ModelError, OSError) as error:
        return Finding(name, "", shown(str(error)))


def _processor(settings: Settings) -> str:
    artifact = next(iter(load_profile(settings.profile).classifiers.values()))
    report = processor_report(load_artifact(shipped(artifact)))
    if report["missing"]:
        raise SettingsError(report["missing"])
    return (
        f"{report['processor']}, {report['cores']} cores, {' '.join(report['instructions'])}; "
        f"onnxruntime {report['onnxruntime']}; {report['right_here']}"
    )


def _classifier(settings: Settings) -> str:
    artifacts = sorted(set(load_profile(settings.profile).classifiers.values()))
    return ", ".join(f"{name} {load_artifact(shipped(name)).version}" for name in artifacts)


def _profile(settings: Settings) -> str:
    profile = load_profile(settings.profile)
    TextReader.build(profile, gazetteer=settings.gazetteer, watchlists=settings.watchlists)
    config = alert_config(settings, profile)
    return f"{profile.name}, hop {config.hop_ms // 1000} s, lateness {config.lateness_ms // 1000} s"


def _broker(settings: Settings) -> str:
    if not settings.broker_url and not (settings.home / "broker.db").exists():
        return f"{settings.broker}: not made yet, the first run makes it"
    with open_broker(settings.broker, settings.kafka) as broker:
        topics = settings.topics
        if topics.news not in broker.names(topics.news):
            return f"{settings.broker}: no topics of this namespace yet, the first run makes them"
        lags = [f"{stage} {broker.lag(topics.group(stage), source)}" for stage, source in topics.sources.items()]
    return f"{settings.broker}: records waiting: {', '.join(lags)}"


def _archive(settings: Settings) -> str:
    if not settings.archive_url and not (settings.home / "archive.db").exists():
        return f"{settings.archive}: not made yet, the first run makes it"

    async def stats() -> str:
        archive = open_archive(settings.archive, settings.elastic)
        try:
            found = await archive.stats()
        finally:
            await archive.close()
        return f"{found.items} items, {found.revisions} revisions, {found.duplicates} duplicates"

    server = f"{asyncio.run(_server(settings))}, " if is_elastic(settings.archive) else ""
    return f"{settings.archive}: {server}{asyncio.run(stats())}"


async def _server(settings: Settings) -> str:
    """Which Elasticsearch it is, and whether it was set up."""
    archive = open_elastic(settings.archive, settings.elastic)
    try:
        templates = "set up" if await archive.is_set_up() else "templates are missing or old, the first run makes them"
        return f"{await archive.server()}, indices {settings.elastic.prefix}*, {templates}"
    finally:
        await archive.close()


CHECKS: dict[str, Callable[[Settings], str]] = {
    "processor": _processor,
    "classifier": _classifier,
    "profile": _profile,
    "broker": _broker,
    "archive": _archive,
}


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
        mark = "[bold red]wrong[/]" if finding.problem else "[green]ok[/]   "
        console.print(
            f"{mark} {foreign(finding.check)}: {foreign(finding.problem or finding.found)}",
            highlight=False,
            soft_wrap=True,
        )
