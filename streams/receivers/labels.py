"""Labels and values that routes.yaml names and no alert has, and inhibit rules that face each other: warnings, for
rules may add a label later.

built-in labels, those of the profile's rules and of the user's ─► known ─┐
matchers, group_by, equal, templates of routes.yaml ──────────────────────┴─► FILE:LINE: KEY: did you mean …?
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from alerts.matchers import parse_matcher
from alerts.rule_file import RESERVED
from streams.alert_rules import alert_config, profile_of
from streams.receivers.circles import facing
from streams.receivers.entries import Receiver, RoutesFile
from streams.receivers.policy import inhibition_of
from streams.receivers.routes import RouteEntry
from streams.receivers.secrets import secret_text
from streams.receivers.templates.syntax import misspelt
from streams.settings import Settings
from streams.userfiles import Keys, UserFile, read_file, shaped, suggestion

__all__ = ["known_labels", "label_warnings", "unknown_labels"]

_OF_NOTICES = ("reason", "subject", "instance")
"""Labels of what moodwire reports about itself, which templates see and routes do not."""


def known_labels(settings: Settings) -> tuple[str, ...]:
    """Returns the labels that an alert may have by the rules in effect. Raises `SettingsError`."""
    rules = alert_config(settings, profile_of(settings)).ruleset.rules
    return tuple(dict.fromkeys([*RESERVED, *(label for rule in rules for label in rule.labels)]))


def unknown_labels(names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """Yields a warning for each name that is not known."""
    for name in dict.fromkeys(names):
        if name not in known:
            yield f"no rule gives an alert the label {name!r}; {suggestion(name, known)}"


def label_warnings(settings: Settings) -> tuple[str, ...]:
    """Returns what routes.yaml names and no alert has, and receivers that no route leads to, by line.

    The file is one without mistakes.
    """
    if settings.routes is None:
        return ()
    file, known = read_file(settings.routes), known_labels(settings)
    found = shaped(file, RoutesFile) or RoutesFile()
    if found.route is not None:
        _of_route(file, found.route, known)
    for inhibition in found.inhibit_rules:
        for key in ("source_matchers", "target_matchers"):
            _of_matchers(file, inhibition, key, known)
        _of_names(file, inhibition, "equal", known)
    _of_circles(file, found)
    for receiver in found.receivers:
        _of_templates(file, receiver, known)
        if found.route is not None and receiver.name not in _reached(found.route):
            file.problem_in(receiver, ("name",), f"no route leads to {receiver.name!r}, only subscriptions may")
    return file.problems


def _of_circles(file: UserFile, found: RoutesFile) -> None:
    for place, later in facing([inhibition_of(entry) for entry in found.inhibit_rules]):
        text = f"this rule and entry {place + 1} can hold each other's alerts back; "
        text += f"of two such alerts that of entry {place + 1} is sent; write matchers or 'equal' that tell them apart"
        file.problem_in(found.inhibit_rules[later], (), text)


def _reached(route: RouteEntry) -> set[str]:
    """Returns the receivers that the route, its escalations and those below it name."""
    found = {step.receiver for step in route.escalate or ()} | ({route.receiver} if route.receiver else set())
    return found.union(*map(_reached, route.routes))


def _of_route(file: UserFile, route: RouteEntry, known: Collection[str]) -> None:
    _of_matchers(file, route, "matchers", known)
    _of_names(file, route, "group_by", (*known, "..."))
    for below in route.routes:
        _of_route(file, below, known)


def _of_matchers(file: UserFile, entry: object, key: str, known: Collection[str]) -> None:
    for number, text in enumerate(getattr(entry, key)):
        _warn(file, entry, (key, number), parse_matcher(text).name, known)


def _of_names(file: UserFile, entry: object, key: str, known: Collection[str]) -> None:
    for number, name in enumerate(getattr(entry, key) or ()):
        _warn(file, entry, (key, number), name, known)


def _warn(file: UserFile, entry: object, keys: Keys, name: str, known: Collection[str]) -> None:
    for text in unknown_labels([name], known):
        file.problem_in(entry, keys, text)


def _of_templates(file: UserFile, receiver: Receiver, known: Collection[str]) -> None:
    entry = receiver.templates
    for key in entry.keys if entry is not None else ():
        for text in misspelt(secret_text(getattr(entry, key)), (*known, *_OF_NOTICES)):
            file.problem_in(entry, (key,), text)
