"""`moodwire model promote|rollback`: a version goes into service, with baselines of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli.model_options import (
    LanguageOption,
    NameArgument,
    SoleLanguageOption,
    VersionArgument,
    following,
)
from streams.cli.options import ByOption, JsonOption, NamespaceOption, ProfileOption, person
from streams.cli.output import console, foreign, print_json, utc
from streams.lifecycle.changeover import BASELINE_DAYS, Changeover, PromoteRequest, RollbackRequest
from streams.settings import Settings, load_settings

__all__ = ["promote", "rollback"]

BaselinesOption = Annotated[
    bool, typer.Option("--baselines/--no-baselines", help="Score the past again, so that base rates fit the new model.")
]
DaysOption = Annotated[
    float, typer.Option("--days", help="How much of the past: older items have lost most of their weight.", min=1)
]


def promote(
    name: NameArgument,
    version: VersionArgument,
    force: Annotated[
        str, typer.Option("--force", help="Why it goes into service without the gate; this is recorded.")
    ] = "",
    baselines: BaselinesOption = True,
    days: DaysOption = BASELINE_DAYS,
    language: LanguageOption = None,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    span_days = days if baselines else None
    with following(settings, quiet=json) as lifecycle:
        found = lifecycle.promote(PromoteRequest(name, version, person(by), language or "", force, span_days))
    _show(found, settings, json=json)


def rollback(
    language: SoleLanguageOption = None,
    baselines: BaselinesOption = True,
    days: DaysOption = BASELINE_DAYS,
    namespace: NamespaceOption = None,
    profile: ProfileOption = None,
    by: ByOption = None,
    json: JsonOption = False,
) -> None:
    settings = load_settings(namespace=namespace, profile=profile)
    with following(settings, quiet=json) as lifecycle:
        spoken = language or lifecycle.sole_language()
        found = lifecycle.roll_back(RollbackRequest(spoken, person(by), days if baselines else None))
    _show(found, settings, json=json)


def _show(found: Changeover, settings: Settings, *, json: bool) -> None:
    promotion, prepared = found.promotion, found.baselines
    if json:
        print_json({"promotion": promotion, "baselines": prepared})
        return
    before = promotion.earlier[-1]
    new, old = foreign(f"{promotion.name} {promotion.version}"), foreign(f"{before.name} {before.version}")
    console.print(
        f"[bold]{new}[/] goes into service for {foreign(promotion.language)} in namespace "
        f"{settings.namespace} ({foreign(promotion.gate)}), after {old}. Workers change over within "
        f"{settings.control_seconds:g} s and the current run; `moodwire model rollback` reverts it.",
        highlight=False,
        soft_wrap=True,
    )
    if prepared is not None:
        console.print(
            f"Its baselines were made from {prepared.items:,} items up to {utc(prepared.cut_ms)}.", highlight=False
        )
