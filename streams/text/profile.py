"""Profiles: everything that makes moodwire a monitor of one field, as data; checked once, at start-up.

A profile is a folder with `profile.yaml`, and beside it `alerts.yaml` (rules) and what `profile.yaml` names by a path
within the folder: gazetteers, models. What it says of each language is in `language_settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from streams.errors import SettingsError
from streams.text.language_settings import GazetteerFile, LanguageSettings, check_languages

__all__ = ["Profile", "SentimentHead", "load_profile", "read_yaml"]


class SentimentHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which head of the classifier speaks of a text's sentiment, and which of its labels mean what.

    `entity_head` speaks in the same labels of the sentiment towards one entity; a classifier need not have it.
    """

    head: str
    negative: str
    neutral: str
    positive: str
    entity_head: str | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    default_language: str
    languages: dict[str, LanguageSettings]
    sentiment: SentimentHead
    topic_head: str | None = None
    min_language_confidence: float = 0.6
    title_limit: int = 500
    text_limit: int = 4_000


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked profile; limits in characters."""

    name: str
    folder: Path
    default_language: str
    languages: Mapping[str, LanguageSettings]
    sentiment: SentimentHead
    topic_head: str | None
    min_language_confidence: float
    title_limit: int
    text_limit: int
    alerts: Mapping[str, Any]

    @property
    def classifiers(self) -> dict[str, str]:
        """The classifier of each language that has one: a shipped model's name, or a folder beside the profile."""
        return {code: one.classifier for code, one in self.languages.items() if one.classifier is not None}

    @property
    def opposites(self) -> tuple[tuple[str, str], ...]:
        """Those of all languages."""
        return tuple(pair for language in self.languages.values() for pair in language.opposites)

    def gazetteer(self, language: str) -> GazetteerFile | None:
        """The gazetteer of a language of the profile, its file as an absolute path or one of this process."""
        named = self.languages[language].gazetteer
        if named is None:
            return None
        given = GazetteerFile(named) if isinstance(named, str) else named
        return GazetteerFile(str(self.folder / given.file), given.columns)


def load_profile(name: str) -> Profile:
    """The shipped profile of that name, or the one in that folder. Raises `SettingsError` naming file, key and fix."""
    folder = _folder(name)
    path = folder / "profile.yaml"
    raw = read_yaml(path)
    try:
        file = msgspec.convert(raw, _File)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from error
    check_languages(file.languages, file.default_language, str(path))
    values = {field: getattr(file, field) for field in file.__struct_fields__}
    profile = Profile(folder=folder, alerts=read_yaml(folder / "alerts.yaml"), **values)
    for language in profile.languages:
        gazetteer = profile.gazetteer(language)
        if gazetteer is not None and not Path(gazetteer.file).is_file():
            raise SettingsError(f"{path}: languages: {language}: gazetteer: there is no {gazetteer.file}")
    return profile


def _folder(name: str) -> Path:
    given = Path(name)
    if (given / "profile.yaml").is_file():
        return given
    shipped = Path(__file__).resolve().parents[1] / "profiles"
    if name.isidentifier() and (shipped / name / "profile.yaml").is_file():
        return shipped / name
    known = ", ".join(sorted(path.parent.name for path in shipped.glob("*/profile.yaml")))
    raise SettingsError(f"there is no profile {name!r}: take {known}, or a folder with a profile.yaml")


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises `SettingsError` naming the file and the line."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: the file must hold keys and values, not {type(value).__name__}")
    return value
