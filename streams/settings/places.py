"""Where a setting is written: `section.key` in the settings file, MOODWIRE_NAME in the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_config_path, user_data_path
from pydantic import Field
from pydantic.fields import FieldInfo

__all__ = [
    "CONFIG_VARIABLE",
    "SECTIONS",
    "default_data_dir",
    "from_home",
    "place_of",
    "places_of",
    "setting",
    "user_settings_dir",
    "variable_of",
]

CONFIG_VARIABLE = "MOODWIRE_CONFIG"
"""Names the settings file; the option --config sets it."""

SECTIONS: Mapping[str, str] = {
    "data": "where the embedded broker, the embedded archive and added models are stored",
    "broker": "where records go from stage to stage",
    "kafka": "used if broker.url names Kafka",
    "archive": "where scored items and alerts are stored; all but url is for Elasticsearch",
    "scoring": "the profile and its classifiers",
    "feeds": "where news comes from",
    "alerts": "what is watched, and the time of windows",
    "delivery": "where alerts go",
    "runs": "how much work is done at once, and how often",
    "http": "status and metrics",
    "board": "page and HTTP API",
    "network": "connections to feeds, webhooks and the watchdog",
    "logs": "log lines on standard error",
    "monitoring": "traces, the watchdog, and when something is reported as a trouble",
}
"""The sections of the settings file in its order, and what each is for."""


def setting(
    place: str, description: str, default: Any = ..., *, factory: Callable[[], Any] | None = None, **bounds: Any
) -> Any:
    """Returns a field of the settings: `place` is `section.key`; `bounds` are those of pydantic (ge, le, pattern …)."""
    given = {"default": default} if factory is None else {"default_factory": factory}
    return Field(**given, description=description, json_schema_extra={"place": place}, **bounds)


def place_of(field: FieldInfo) -> str:
    """Returns `section.key` of a field that `setting` made."""
    extra = field.json_schema_extra
    assert isinstance(extra, dict), "fields of Settings are made by `setting`"
    return str(extra["place"])


def places_of(fields: Mapping[str, FieldInfo]) -> dict[str, str]:
    """Returns the name of the field at each `section.key`."""
    return {place_of(field): name for name, field in fields.items()}


def variable_of(name: str) -> str:
    """Returns the environment variable of a field."""
    return f"MOODWIRE_{name.upper()}"


def default_data_dir() -> Path:
    """Returns the platform's folder for the user's data: on Linux ~/.local/share/moodwire, or by XDG_DATA_HOME.

    A relative path for a user without a home, which `contradictions` refuses.
    """
    return _user_path(user_data_path)


def from_home(path: Path) -> Path:
    """Returns the path with ~ or ~user expanded; as it is where no such home exists, which `contradictions` refuses."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def user_settings_dir() -> Path:
    """Returns the platform's folder for the user's settings: on Linux ~/.config/moodwire, or by XDG_CONFIG_HOME."""
    return _user_path(user_config_path)


def _user_path(path: Callable[..., Path]) -> Path:
    try:
        return path("moodwire", appauthor=False)
    except RuntimeError:  # a user without a home, as in some containers
        return Path("~") / "moodwire"
