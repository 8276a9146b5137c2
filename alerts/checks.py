"""What the types of the rules file cannot say: ranges, sums and words that must fit together.

rules_mistakes(file) ──► each value that makes no sense: key, problem, fix
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from alerts.sections import HORIZON_HOURS, MOST_PANES, PANES_SECONDS, RULES, RuleConfig, RulesFile

__all__ = ["RulesMistake", "rules_mistakes"]


@dataclass(frozen=True, slots=True)
class RulesMistake:
    """A value that makes no sense; `key` is its dotted path."""

    key: str
    problem: str
    fix: str


class Require(Protocol):
    def __call__(self, holds: bool, key: str, problem: str, fix: str) -> None: ...


def rules_mistakes(file: RulesFile) -> tuple[RulesMistake, ...]:
    """Returns every value that makes no sense; a rule that the file leaves out has its defaults."""
    rules = {rule: file.rules.get(rule, RuleConfig()) for rule in RULES}
    found: list[RulesMistake] = []

    def require(holds: bool, key: str, problem: str, fix: str) -> None:
        if not holds:
            found.append(RulesMistake(key, problem, fix))

    require(file.version == 1, "version", f"{file.version} is not known", "write 1")
    require(len(set(file.signals)) == len(file.signals), "signals", "lists a signal twice", "list each once")
    require(
        5 <= file.hop_seconds <= 3600 and 3600 % file.hop_seconds == 0,
        "hop_seconds",
        f"{file.hop_seconds} does not divide an hour, or is below 5",
        "write a divisor of 3600 such as 30",
    )
    require(
        0 <= file.lateness_seconds <= 3600 * HORIZON_HOURS,
        "lateness_seconds",
        f"{file.lateness_seconds} is outside 0 to 86400",
        "write the disorder to wait for, such as 5",
    )
    _check_windows(file, require)
    _check_numbers(file, require)
    _check_kinds(file, require)
    for rule in file.rules:
        require(rule in RULES, f"rules.{rule}", "no such rule", f"use one of {', '.join(RULES)}")
    for rule, settings in rules.items():
        _check_rule(f"rules.{rule}", settings, require)
    used = {rule for kind in file.kinds.values() for rule in kind.rules} | set(file.rules)
    total = sum(settings.budget_share for rule, settings in rules.items() if rule in used)
    require(total <= 1.0 + 1e-9, "rules", f"budget shares add up to {total:g}", "let them add up to 1 or less")
    return tuple(found)


def _check_windows(file: RulesFile, require: Require) -> None:
    lengths = file.windows_seconds
    require(len(lengths) > 0, "windows_seconds", "is empty", "list window lengths, such as [900, 7200, 86400]")
    require(len(set(lengths)) == len(lengths), "windows_seconds", "lists a length twice", "list each once")
    for length in lengths:
        fits = 60 <= length <= 3600 * HORIZON_HOURS and any(
            length / pane <= MOST_PANES and length % pane == 0 for pane in PANES_SECONDS
        )
        require(
            fits and length >= file.hop_seconds,
            "windows_seconds",
            f"{length} is below a minute or the hop, above a day, or no round number of panes",
            "use round lengths such as 900, 3600, 7200, 21600, 86400",
        )


def _check_numbers(file: RulesFile, require: Require) -> None:
    base, episode = file.baseline, file.episode
    positive = {
        "false_alarms_per_week": file.false_alarms_per_week,
        "baseline.half_life_days": base.half_life_days,
        "baseline.prior_hits_per_day": base.prior_hits_per_day,
        "baseline.prior_events": base.prior_events,
        "episode.update_minutes": episode.update_minutes,
    }
    for key, value in positive.items():
        require(value > 0, key, f"{value:g} is not above 0", "write a positive number")
    not_negative = {
        "warm_up_days": file.warm_up_days,
        "baseline.clumping": base.clumping,
        "baseline.day_dispersion": base.day_dispersion,
        "baseline.exclude_days": base.exclude_days,
        "episode.hold_minutes": episode.hold_minutes,
        "episode.cool_down_hours": episode.cool_down_hours,
    }
    for key, value in not_negative.items():
        require(value >= 0, key, f"{value:g} is below 0", "write 0 or more")
    probabilities = {
        "most_probable_level": file.most_probable_level,
        "baseline.prior_share": base.prior_share,
        "episode.resolve_level": episode.resolve_level,
    }
    for key, value in probabilities.items():
        require(0 < value < 1, key, f"{value:g} is not between 0 and 1", "write a probability")
    require(
        episode.hold_minutes <= 60 * HORIZON_HOURS,
        "episode.hold_minutes",
        f"{episode.hold_minutes:g} is over a day",
        "write 1440 or less, such as 30",
    )
    require(
        episode.check_seconds > 0 and (file.hop_seconds < 1 or episode.check_seconds % file.hop_seconds == 0),
        "episode.check_seconds",
        f"{episode.check_seconds} is no multiple of hop_seconds ({file.hop_seconds})",
        "write a multiple of it, such as 300",
    )


def _check_kinds(file: RulesFile, require: Require) -> None:
    require(len(file.kinds) > 0, "kinds", "no kind of series is watched", "list kinds, such as entity")
    for kind, settings in file.kinds.items():
        require(
            0 < settings.budget_share <= 1,
            f"kinds.{kind}.budget_share",
            f"{settings.budget_share:g} is outside 0 to 1",
            "write its part of false_alarms_per_week",
        )
        for rule in settings.rules:
            require(
                rule in RULES,
                f"kinds.{kind}.rules",
                f"{rule!r} is no rule",
                f"use some of {', '.join(RULES)}",
            )
        prior = settings.prior_hits_per_day
        require(
            prior is None or prior > 0,
            f"kinds.{kind}.prior_hits_per_day",
            f"{prior} is not above 0",
            "write how many hits a day a new series is expected to have",
        )
    total = sum(settings.budget_share for settings in file.kinds.values())
    require(total <= 1.0 + 1e-9, "kinds", f"budget shares add up to {total:g}", "let them add up to 1 or less")


def _check_rule(key: str, rule: RuleConfig, require: Require) -> None:
    require(rule.minimum_hits >= 1, f"{key}.minimum_hits", "is below 1", "write 1 or more, such as 3")
    require(
        1 <= rule.minimum_stories <= 10,
        f"{key}.minimum_stories",
        f"{rule.minimum_stories} is outside 1 to 10",
        "write how many different stories an alert needs",
    )
    require(0 < rule.budget_share <= 1, f"{key}.budget_share", "is outside 0 to 1", "write its part of the budget")
    require(rule.minimum_ratio >= 1, f"{key}.minimum_ratio", "is below 1", "write 1 or more, such as 1.5")
    require(
        0 < rule.critical_p_factor <= 1,
        f"{key}.critical_p_factor",
        "is outside 0 to 1",
        "write a factor such as 0.001",
    )
