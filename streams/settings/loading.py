"""Settings from all places where they are written; every problem at once, each with its place."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from streams.errors import Mistakes, SettingsError
from streams.logs import get_logger
from streams.settings.checks import contradictions
from streams.settings.earlier import earlier_data
from streams.settings.fields import Settings
from streams.settings.file import SettingsFile, find_settings_file, read_settings_file
from streams.settings.places import CONFIG_VARIABLE, place_of, variable_of
from streams.settings.source import values_of_file
from streams.settings.wanted import is_secret, wanted
from streams.topics import NamedTopics
from streams.userfiles import suggestion

__all__ = [
    "Loaded",
    "Origin",
    "Source",
    "WrongSettings",
    "load_settings",
    "named_setting",
    "read_settings",
    "usable_settings",
    "with_file",
]

log = get_logger(__name__)

_OTHER_VARIABLES = frozenset({CONFIG_VARIABLE, "MOODWIRE_SHARED_DATA"})
_PREFIX = variable_of("prefix")
_OF_TOPICS = ("news_topic", "scored_topic", "alerts_topic", "rejects_topic")  # the settings that are checked as a whole
_IN_QUOTES = {"string_type": ", in quotes"}  # what YAML takes for a number or a date
_warned: set[Path] = set()


class WrongSettings(Mistakes):
    """Settings that cannot be used."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems, "settings cannot be used: ")


class Source(StrEnum):
    """What gave a setting its value; a later one wins over an earlier one."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from; `where` is FILE:LINE or the variable."""

    source: Source
    where: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings in effect, the file that was read, and the origin of each value by name of the field."""

    settings: Settings
    file: Path | None
    origins: Mapping[str, Origin]


def load_settings(**options: object) -> Settings:
    """Returns the settings in effect; `options` of a command win, None means not given. Raises SettingsError.

    Warns once if the working folder holds data of the embedded broker that these settings do not use.
    """
    settings = read_settings(**options).settings
    if (folder := earlier_data(settings)) is not None and folder not in _warned:
        _warned.add(folder)
        log.warning(
            "Data in the working folder are not used: set MOODWIRE_DATA_DIR to that folder, or move its content",
            folder=str(folder),
            data_dir=str(settings.data_dir),
        )
    return settings


def usable_settings(**options: object) -> tuple[Settings, tuple[str, ...]]:
    """Returns settings to look at what else is wrong, and every problem; values that are refused count as unset.

    Settings that only contradict each other keep their values. Raises SettingsError where nothing can be left out.
    """
    try:
        return load_settings(**options), ()
    except WrongSettings as wrong:
        given = {name: value for name, value in options.items() if value is not None}
        return _without_refused(given), wrong.problems


def _without_refused(given: Mapping[str, object]) -> Settings:
    file = _file_in_effect(os.environ)
    kept: dict[str, object] = dict(given)
    with values_of_file(file.values if file else {}):
        for _ in range(len(Settings.model_fields)):
            try:
                return _settings(kept)
            except ValidationError as error:
                refused = {str(issue["loc"][0]) for issue in error.errors() if issue["loc"]} or set(_OF_TOPICS)
                kept |= {name: Settings.model_fields[name].get_default(call_default_factory=True) for name in refused}
    raise SettingsError("settings cannot be used, and their defaults cannot either")


def read_settings(**options: object) -> Loaded:
    """Returns the settings in effect and the origin of each. Raises SettingsError; WrongSettings has all problems."""
    given = {name: value for name, value in options.items() if value is not None}
    file = _file_in_effect(os.environ)
    origins = _origins(os.environ, given, file)
    problems = [*(file.problems if file else ()), *_unknown_variables(os.environ)]
    with values_of_file(file.values if file else {}):
        try:
            settings = _settings(given)
        except ValidationError as error:
            problems += _wrong_values(error, origins)
            problems += contradictions(_without_refused(given), lambda name: named_setting(name, origins))
            raise WrongSettings(tuple(problems)) from error
        except SettingsError as error:
            raise WrongSettings((*problems, str(error))) from error
    problems += contradictions(settings, lambda name: named_setting(name, origins))
    if problems:
        raise WrongSettings(tuple(problems))
    return Loaded(settings, file.path if file else None, origins)


def _file_in_effect(environment: Mapping[str, str]) -> SettingsFile | None:
    path = find_settings_file(environment)
    return read_settings_file(path, Settings.model_fields) if path else None


def _settings(given: Mapping[str, object]) -> Settings:
    """Existing topics belong to the configured namespace alone: a command for another one (-n) must not write there."""
    if os.environ.get(_PREFIX) == "":
        given = {"prefix": "", **given}  # an empty variable is unset, except this one: no prefix is a prefix
    settings = Settings(**given)  # type: ignore[arg-type]  # pydantic checks and converts
    if "namespace" not in given or settings.topics.named == NamedTopics():
        return settings
    configured = Settings(**{name: value for name, value in given.items() if name != "namespace"})  # type: ignore[arg-type]
    return settings if configured.namespace == settings.namespace else settings.with_own_topics()


def with_file(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables with those added that the settings file stands for; a wrong file adds nothing.

    For what must know a few settings before a command reads them all, and reports what is wrong with them.
    """
    try:
        file = _file_in_effect(environment)
    except SettingsError:
        file = None
    return {variable_of(name): str(value) for name, value in (file.values if file else {}).items()} | {
        name: value for name, value in environment.items() if value
    }


def _origins(
    environment: Mapping[str, str], options: Mapping[str, object], file: SettingsFile | None
) -> dict[str, Origin]:
    set_here = {name.upper() for name, value in environment.items() if value or name == _PREFIX}
    found = dict.fromkeys(Settings.model_fields, Origin(Source.DEFAULT))
    if file is not None:
        found |= {name: Origin(Source.FILE, f"{file.path}:{line}") for name, line in file.lines.items()}
    for name in Settings.model_fields:
        if variable_of(name) in set_here:
            found[name] = Origin(Source.ENVIRONMENT, variable_of(name))
    return found | {name: Origin(Source.OPTION) for name in options if name in found}


def named_setting(name: str, origins: Mapping[str, Origin]) -> str:
    """Returns the setting by the name that whoever set it knows: its line in the file, or its variable."""
    origin = origins[name]
    if origin.source is Source.FILE:
        return f"{origin.where}: {place_of(Settings.model_fields[name])}"
    return variable_of(name)


def _wrong_values(error: ValidationError, origins: Mapping[str, Origin]) -> Iterator[str]:
    for issue in error.errors(include_url=False):
        name = str(issue["loc"][0]) if issue["loc"] else ""
        if name not in origins:
            yield issue["msg"].removeprefix("Value error, ")
            continue
        field = Settings.model_fields[name]
        value = "(not shown)" if is_secret(field) else _shown_value(issue.get("input"))
        own = issue["type"] == "value_error"
        fix = (
            issue["msg"].removeprefix("Value error, ")
            if own
            else f"take {wanted(field)}{_IN_QUOTES.get(issue['type'], '')}"
        )
        yield f"{named_setting(name, origins)}={value}: {fix}"


def _shown_value(value: object) -> str:
    """The value as it was written: YAML makes dates of some."""
    return value.isoformat() if isinstance(value, date) else repr(value)


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    known = {variable_of(name) for name in Settings.model_fields}
    for name in sorted(environment):
        if name.startswith("MOODWIRE_") and name not in known | _OTHER_VARIABLES:
            fix = suggestion(name, known, "`moodwire config show` lists those that exist", quote="")
            yield f"unknown setting {name}: {fix}"
