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

from alerts import AlertConfig
from alerts.wording import LANGUAGE, Wording, languages
from streams.errors import SettingsError
from streams.text.heads import Head, SeriesKind, Signal, check_declarations, check_known
from streams.text.language_settings import GazetteerFile, LanguageSettings, check_languages

__all__ = ["Profile", "check_rules", "load_profile", "read_yaml"]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    default_language: str
    languages: dict[str, LanguageSettings]
    heads: dict[str, Head]
    signals: dict[str, Signal]
    series: dict[str, SeriesKind]
    messages: str = LANGUAGE
    min_language_confidence: float = 0.6
    title_limit: int = 500
    text_limit: int = 4_000


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked profile; limits in characters. `messages` is the language of what people read of alerts."""

    name: str
    folder: Path
    default_language: str
    languages: Mapping[str, LanguageSettings]
    heads: Mapping[str, Head]
    signals: Mapping[str, Signal]
    series: Mapping[str, SeriesKind]
    messages: str
    min_language_confidence: float
    title_limit: int
    text_limit: int
    alerts: Mapping[str, Any]

    @property
    def kept_heads(self) -> frozenset[str]:
        """The heads of which the probabilities of all labels are kept: those of signals, and others that ask for it."""
        used = {head for signal in self.signals.values() for head in signal.heads}
        return frozenset(used | {name for name, head in self.heads.items() if head.probabilities})

    @property
    def wording(self) -> Wording:
        """The texts of alerts in the profile's language of messages, with its words for the signals."""
        words = {
            name: signal.words[self.messages] for name, signal in self.signals.items() if self.messages in signal.words
        }
        return Wording.of(self.messages, words)

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
    check_declarations(file.heads, file.signals, file.series, str(path))
    if file.messages not in languages():
        raise SettingsError(
            f"{path}: messages: there are none in {file.messages!r}; take one of {', '.join(languages())}"
        )
    values = {field: getattr(file, field) for field in file.__struct_fields__}
    profile = Profile(folder=folder, alerts=read_yaml(folder / "alerts.yaml"), **values)
    for language in profile.languages:
        gazetteer = profile.gazetteer(language)
        if gazetteer is not None and not Path(gazetteer.file).is_file():
            raise SettingsError(f"{path}: languages: {language}: gazetteer: there is no {gazetteer.file}")
    return profile


def check_rules(profile: Profile, rules: AlertConfig) -> None:
    """Raises `SettingsError` where alerts.yaml watches a signal or a kind of series that profile.yaml lacks."""
    path = profile.folder / "alerts.yaml"
    if not rules.signals:
        raise SettingsError(f"{path}: signals: is empty; list some of {', '.join(profile.signals)}")
    for signal in rules.signals:
        check_known(str(path), "signals", signal, profile.signals)
    for kind in rules.kinds:
        check_known(str(path), "kinds", kind, profile.series)


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
