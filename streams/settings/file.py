"""moodwire.yaml: where it is found, and what it holds, with the line of each value.

--config, MOODWIRE_CONFIG ─► ./moodwire.yaml ─► the user's folder of settings ─► /etc/moodwire/moodwire.yaml

The first one found is read, and no other.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from streams.errors import SettingsError
from streams.settings.places import CONFIG_VARIABLE, SECTIONS, place_of, places_of, user_settings_dir, variable_of
from streams.settings.wanted import is_secret
from streams.userfiles import UserFile, WrongFile, read_file
from streams.userfiles.document import MERGE_KEY, entries, is_empty, line_of
from streams.userfiles.names import nearest

__all__ = ["FILE_NAME", "SettingsFile", "find_settings_file", "read_settings_file", "searched", "user_file"]

FILE_NAME = "moodwire.yaml"
_SYSTEM_FILE = Path("/etc/moodwire") / FILE_NAME
_EVERYONE = stat.S_IROTH | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A read file: values and their lines by name of the field, paths absolute; `problems` are whole sentences."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def user_file() -> Path:
    """Returns the settings file in the user's own folder, whether or not it exists."""
    return user_settings_dir() / FILE_NAME


def searched() -> tuple[Path, ...]:
    """Returns where the file is looked for if nothing names it, the first choice first."""
    return Path(FILE_NAME).absolute(), user_file(), _SYSTEM_FILE


def find_settings_file(environment: Mapping[str, str]) -> Path | None:
    """Returns the file that is in effect. Raises SettingsError if MOODWIRE_CONFIG or --config names none."""
    named = environment.get(CONFIG_VARIABLE, "")
    if not named:
        return next((path for path in searched() if os.path.isfile(path)), None)  # noqa: PTH113  # False without rights
    path = Path(named).expanduser().absolute()
    if not path.is_file():
        raise SettingsError(
            f"the settings file {path} does not exist (--config, {CONFIG_VARIABLE}): `moodwire config init` writes one"
        )
    return path


def read_settings_file(path: Path, fields: Mapping[str, FieldInfo]) -> SettingsFile:
    """Returns what the file holds of `fields`. Raises SettingsError if it cannot be read or is not YAML."""
    file = read_file(path)
    root = file.root
    if is_empty(root):
        return SettingsFile(path)
    if not isinstance(root, yaml.MappingNode):
        file.add(root, (), f"take keys such as {', '.join([*SECTIONS][:3])}, with settings below each")
        raise WrongFile(file.problems)
    reading = _Reading(path, fields, file)
    for key, node, value in entries(root):
        reading.section(key, line_of(node), value)
    reading.refuse_open_secrets()
    return SettingsFile(path, reading.values, reading.lines, file.problems)


class _Reading:
    """One pass over the file, which collects values, lines and problems."""

    def __init__(self, path: Path, fields: Mapping[str, FieldInfo], file: UserFile) -> None:
        self._path = path
        self._file = file
        self._fields = fields
        self._places = places_of(fields)
        self._constructor = yaml.constructor.SafeConstructor()
        self.values: dict[str, Any] = {}
        self.lines: dict[str, int] = {}

    def section(self, name: str, line: int, node: yaml.Node) -> None:
        if name == MERGE_KEY:
            self._problem(line, f"`{MERGE_KEY}` is not read here: write the settings out")
        elif name not in SECTIONS:
            self._problem(line, f"unknown section `{name}`{self._suggested(name)}")
        elif isinstance(node, yaml.MappingNode):
            for key, place, value in entries(node):
                self._setting(name, key, line_of(place), value)
        elif not is_empty(node):
            self._problem(line, f"`{name}` is a section: write its settings on lines of their own below it, indented")

    def _setting(self, section: str, key: str, line: int, node: yaml.Node) -> None:
        name = self._places.get(f"{section}.{key}")
        if name is None:
            self._problem(line, f"unknown setting `{section}.{key}`{self._suggested(f'{section}.{key}')}")
        elif name not in self.lines and not is_empty(node):  # the file names what is written twice
            self.lines[name] = line
            self._take(name, line, node)

    def _take(self, name: str, line: int, node: yaml.Node) -> None:
        info = self._fields[name]
        try:
            value = self._constructor.construct_document(node)
            if isinstance(value, bool) and bool not in _types(info):
                value = str(value)  # pydantic would take true for 1
            self.values[name] = _placed(name, value, info, self._path.parent)
        except (yaml.YAMLError, ValueError, RuntimeError) as error:  # the last for the home of an unknown user
            self._problem(line, f"`{place_of(info)}` cannot be read: {error}")

    def _problem(self, line: int, text: str) -> None:
        self._file.add_at(line, (), text)

    def _suggested(self, written: str) -> str:
        """What may have been meant: a place that is spelt alike, or the place of that name or variable."""
        section, _, key = written.partition(".")
        if written in self._places:  # as one key
            return f": write `{key}` on a line of its own below `{section}:`, indented"
        by_name = {name: place for place, name in self._places.items()}
        for word in (key, section):
            if place := by_name.get(word.lower().removeprefix("moodwire_")):
                return f": write `{place}`"
        known = [*self._places] if key else [*SECTIONS]
        elsewhere = [place for place in self._places if key and place.partition(".")[2] == key]
        close = elsewhere[0] if elsewhere else nearest(written, known)
        return f": did you mean `{close}`?" if close else "; `moodwire config init` writes a file with all settings"

    def refuse_open_secrets(self) -> None:
        """A secret in a file that everyone may read is refused; a group may read it, as services need."""
        secrets = sorted(
            place_of(self._fields[name]) for name, value in self.values.items() if self._secret(name, value)
        )
        if secrets and stat.S_IMODE(self._path.stat().st_mode) & _EVERYONE:
            line = min(self.lines[self._places[place]] for place in secrets)
            variables = ", ".join(variable_of(self._places[place]) for place in secrets)
            self._problem(
                line,
                f"{', '.join(secrets)}: everyone on this machine may read or change a file with a secret in it: "
                f"chmod o-rw {self._path}, or set {variables} instead",
            )

    def _secret(self, name: str, value: Any) -> bool:
        return is_secret(self._fields[name]) or (name == "archive_url" and "@" in str(value))


def _types(info: FieldInfo) -> tuple[Any, ...]:
    return get_args(info.annotation) or (info.annotation,)


def _placed(name: str, value: Any, info: FieldInfo, folder: Path) -> Any:
    """The value as the settings take it: paths from the folder of the file, a list of words joined by commas."""
    if isinstance(value, list) and str in _types(info) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    if isinstance(value, str) and (Path in _types(info) or (name == "profile" and _is_path(value))):
        return str(folder / Path(value).expanduser())
    return value


def _is_path(profile: str) -> bool:
    return os.sep in profile or profile.startswith(("~", "."))
