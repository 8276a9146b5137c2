"""`moodwire rules …`: the rules of alerts, checked, tried on the archive, and compared."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from alerts import AlertConfig, AlertEvent
from alerts.records import rounded
from alerts.ruleset import AlertRule
from alerts.sections import EACH
from streams.alert_rules import alert_config, profile_of, rules_of
from streams.archive import closing_archive
from streams.cli.options import JsonOption, NamespaceOption, ProfileOption
from streams.cli.output import console, foreign, print_json, progress_bar, utc
from streams.errors import SettingsError
from streams.existing import open_existing_archive
from streams.jobs.rule_trial import Trial, changes, try_rules
from streams.settings import Settings, load_settings
from streams.text.heads import Of
from streams.text.profile import Profile
from streams.text.user_rules import unknown_watchlists
from streams.text.watchlists import load_watchlists

app = typer.Typer(no_args_is_help=True, add_completion=False)

_SHOWN: Final = 20

FileArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="YAML of rules; by default that of the settings (MOODWIRE_RULES)."),
]


@app.callback()
def _group() -> None:
    """Check rules of alerts, and try them on the archive."""


@app.command()
def check(file: FileArgument = None, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """Read the rules, print every mistake, and show what each rule watches and may cost; exit code 1 on a mistake."""
    settings = _with_file(load_settings(profile=profile), file)
    counted = profile_of(settings)
    config = alert_config(settings, counted)
    rows = [_described(rule, config, counted) for rule in config.ruleset.rules]
    lists = load_watchlists(settings.watchlists) if settings.watchlists is not None else ()
    warnings = list(unknown_watchlists(rules_of(settings, counted), counted, [one.name for one in lists]))
    if json:
        print_json({"file": str(settings.rules) if settings.rules else None, "rules": rows, "warnings": warnings})
        return
    for row in rows:
        budget = f"{row['false_alarms_per_week']:.3g} false alarms a week" if row["detector"] != EACH else "no test"
        place = foreign(", ".join(row["series"]))
        console.print(
            f"[bold]{foreign(row['name'])}[/]  {row['detector']}  {place}  {budget}", highlight=False, soft_wrap=True
        )
    for warning in warnings:
        console.print(f"[yellow]warning:[/] {foreign(warning)}", highlight=False, soft_wrap=True)


@app.command("test")
def try_on_archive(
    file: FileArgument = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Try the rules on all archived items: how often each would have fired, and the latest alerts. Sends nothing.

    A rule that opened more alerts on one day than its `often_per_day` is marked, and the exit code is 1.
    """
    settings = _with_file(load_settings(namespace=namespace, profile=profile), file)
    counted = profile_of(settings)
    [trial] = _tried(settings, [alert_config(settings, counted)], counted, quiet=json)
    rows = [_fired(rule, trial) for rule in _by_name(trial.config)]
    if json:
        print_json({"items": trial.items, "weeks": rounded(trial.weeks), "rules": rows})
    else:
        console.print(f"{trial.items:,} items in {trial.weeks:.1f} weeks", highlight=False)
        for row in rows:
            _show_fired(row)
        for event in trial.openings[-_SHOWN:]:
            _show_event("", event)
    if any(row["too_often"] for row in rows):
        raise typer.Exit(1)


@app.command()
def diff(
    file: Annotated[Path, typer.Argument(help="YAML of the new rules.")],
    against: Annotated[
        Path | None, typer.Option("--against", help="YAML of the rules before; by default that of the settings.")
    ] = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two files of rules on all archived items: the alerts that come and those that go. Sends nothing."""
    settings = load_settings(namespace=namespace, profile=profile)
    old, new = _with_file(settings, against), _with_file(settings, file)
    counted = _counted_for(old, new)
    before, after = _tried(settings, [alert_config(old, counted), alert_config(new, counted)], counted, quiet=json)
    gone, come = changes(before, after)
    if json:
        print_json({"removed": [_opening(one) for one in gone], "added": [_opening(one) for one in come]})
        return
    for sign, events in (("-", gone), ("+", come)):
        for event in events:
            _show_event(sign, event)
    console.print(f"{len(gone)} removed, {len(come)} added, of {len(before.openings)} before", highlight=False)


def _with_file(settings: Settings, file: Path | None) -> Settings:
    return settings if file is None else settings.model_copy(update={"rules": file})


def _counted_for(old: Settings, new: Settings) -> Profile:
    """The profile with the series that either file combines."""
    before, after = profile_of(old), profile_of(new)
    return dataclasses.replace(after, both=tuple(dict.fromkeys((*before.both, *after.both))))


def _tried(settings: Settings, configs: Sequence[AlertConfig], profile: Profile, *, quiet: bool) -> list[Trial]:
    async def asked() -> list[Trial]:
        with progress_bar(quiet=quiet) as bar:
            task = bar.add_task("items", total=None)
            async with closing_archive(open_existing_archive(settings)) as archive:
                return await try_rules(
                    archive,
                    configs,
                    profile,
                    partitions=settings.mentions_partitions,
                    on_progress=lambda done: bar.update(task, completed=done),
                )

    found = asyncio.run(asked())
    if not found[0].items:
        raise SettingsError(f"the archive of {settings.namespace} has no items: replay a file first, or name another")
    return found


def _described(rule: AlertRule, config: AlertConfig, profile: Profile) -> dict[str, Any]:
    kinds = len({pattern.partition("/")[0] for pattern in rule.series}) * max(len(rule.signals), 1)
    return {
        "name": rule.name,
        "detector": rule.detector,
        "signals": list(rule.signals or config.signals),
        "series": _written(rule.series, profile),
        "windows_seconds": [config.windows[at].seconds for at in rule.windows],
        "severity": "info" if rule.detector == EACH else rule.settings.severity,
        "false_alarms_per_week": rounded(config.false_alarms_per_week * rule.kind_share * rule.rule_share * kinds),
        "labels": rule.labels,
    }


def _written(patterns: Sequence[str], profile: Profile) -> list[str]:
    """The patterns as a user would write them: the profile's rules have both forms of a kind, `all` and `all/*`."""
    without = {f"{kind}/*" if made.of is Of.EVERYTHING else kind for kind, made in profile.series.items()}
    return [pattern for pattern in patterns if pattern not in without]


def _by_name(config: AlertConfig) -> list[AlertRule]:
    """One rule of each name: the profile's have one for each kind of series."""
    return list({rule.name: rule for rule in config.ruleset.rules}.values())


def _fired(rule: AlertRule, trial: Trial) -> dict[str, Any]:
    found, day = sum(event.rule == rule.name for event in trial.openings), trial.busiest_day(rule.name)
    return {
        "name": rule.name,
        "fired": found,
        "per_week": rounded(found / trial.weeks),
        "busiest_day": day,
        "often_per_day": rule.often_per_day,
        "too_often": day > rule.often_per_day,
    }


def _show_fired(row: dict[str, Any]) -> None:
    often = f"  [bold red]too often[/]: {row['busiest_day']} on one day" if row["too_often"] else ""
    text = f"[bold]{foreign(row['name'])}[/]  fired {row['fired']}, {row['per_week']:.3g} a week{often}"
    console.print(text, highlight=False, soft_wrap=True)


def _opening(event: AlertEvent) -> dict[str, Any]:
    fields = ("rule", "signal", "series", "severity")
    return {name: getattr(event, name) for name in fields} | {"onset_ms": event.onset_ms, "reasons": event.reasons}


def _show_event(sign: str, event: AlertEvent) -> None:
    reason = event.reasons[0] if event.reasons else ""
    text = f"{sign} {utc(event.onset_ms)}  {event.severity}  {event.rule}  {event.series}  {reason}".lstrip()
    console.print(foreign(text), highlight=False, soft_wrap=True)
