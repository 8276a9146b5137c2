"""Documents made of the settings: the commented file, README's table and the example of compose's variables.

python -m streams.settings.documents README.md deploy/moodwire.env.example     writes them anew (`make settings`)
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streams.settings.fields import Settings
from streams.settings.places import SECTIONS, place_of, variable_of
from streams.settings.wanted import wanted

__all__ = ["commented_file", "env_example", "settings_table", "with_block"]

_HEAD = """\
# Settings of moodwire. Every setting is here at its default, behind a #: remove it from those that you change.
# Environment variables win over this file, options of a command over both; `moodwire config show` says what is in
# effect and why, `moodwire config check` reads this file without doing anything else.
# Relative paths start from the folder of this file. A file with a secret in it must not be readable by everyone.
"""
_BEGIN, _END = "settings: made by `make settings`", "end of settings"


def commented_file() -> str:
    """Returns a settings file with every setting at its default, commented out."""
    return "\n".join([_HEAD, *(_section(name) for name in SECTIONS)])


def _section(name: str) -> str:
    lines = [f"{name}:  # {SECTIONS[name]}"]
    for key, field_name, field in _fields(name):
        lines += [f"  # {field.description} ({wanted(field)}; {variable_of(field_name)})"]
        lines += [f"  #{key}: {shown_default(field)}".rstrip(), ""]
    return "\n".join(lines)


def _fields(section: str) -> Iterator[tuple[str, str, FieldInfo]]:
    """Key, name of the field, and the field, of a section's settings in their order."""
    for name, field in Settings.model_fields.items():
        of, _, key = place_of(field).partition(".")
        if of == section:
            yield key, name, field


def shown_default(field: FieldInfo) -> str:
    """Returns the default as it is written in YAML; nothing for a setting that is unset."""
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default == "":
        return ""
    return json.dumps(_plain(default))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        home = Path(os.path.expanduser("~"))  # noqa: PTH111  # raises nothing for a user without a home
        return f"~/{value.relative_to(home)}" if value.is_relative_to(home) else str(value)
    return str(value) if isinstance(value, SecretStr) else value


def settings_table() -> str:
    """Returns the table of README: settings by section, with place, variable, default and meaning."""
    lines = ["| `moodwire.yaml` | environment | default | what it is |", "|---|---|---|---|"]
    for section, meaning in SECTIONS.items():
        lines.append(f"| **{section}** | | | *{meaning}* |")
        for key, name, field in _fields(section):
            default = "" if name == "data_dir" else shown_default(field)
            cells = (f"`{section}.{key}`", f"`{variable_of(name)}`", default and f"`{default}`", field.description)
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def env_example(compose: str) -> str:
    """Returns the lines of moodwire.env.example: what compose.yaml, given as text, passes to moodwire."""
    defaults = dict(re.findall(r"\$\{(MOODWIRE_[A-Z_]+):-([^}]*)\}", compose))
    lines = []
    for name, field in Settings.model_fields.items():
        if (variable := variable_of(name)) in defaults:
            lines += [f"# {field.description}", f"{variable}={defaults[variable]}"]
    return "\n".join(lines)


def with_block(text: str, block: str) -> str:
    """Returns the text with `block` between its two marks. Raises ValueError if a mark is missing."""
    pattern = re.compile(
        rf"^([^\n]*{re.escape(_BEGIN)}[^\n]*\n).*?^([^\n]*{re.escape(_END)}[^\n]*)$", re.DOTALL | re.MULTILINE
    )
    if pattern.search(text) is None:
        raise ValueError(f"no lines `{_BEGIN}` and `{_END}` in the text")
    return pattern.sub(lambda marks: f"{marks[1]}{block}\n{marks[2]}", text)


def _write(path: Path) -> None:
    beside = path.parent / "compose.yaml"
    block = settings_table() if path.suffix == ".md" else env_example(beside.read_text(encoding="utf-8"))
    path.write_text(with_block(path.read_text(encoding="utf-8"), block), encoding="utf-8")


if __name__ == "__main__":
    for _path in sys.argv[1:]:
        _write(Path(_path))
