"""Profiles: everything that makes moodwire a monitor of one field, as data; checked once, at start-up.

A profile is a folder with `profile.yaml`, and beside it `alerts.yaml` (rules) and what `profile.yaml` names by a path
within the folder: gazetteers, models. What it says of each language is in `language_settings`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from alerts.checks import rules_mistakes
from alerts.sections import RulesFile
from alerts.wording import LANGUAGE, Wording, languages
from streams.errors import SettingsError
from streams.text.heads import Head, SeriesKind, Signal, declaration_mistakes, unknown
from streams.text.language_settings import GazetteerFile, LanguageSettings, language_mistakes
from streams.userfiles import Mistake, UserFile, WrongFile, read_file, shaped

__all__ = ["Profile", "load_profile", "read_yaml"]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    default_language: str
    languages: dict[str, LanguageSettings]
    heads: dict[str, Head]
    signals: dict[str, Signal]
    series: dict[str, SeriesKind]
    messages: str = LANGUAGE
    min_language_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.6
    title_limit: Annotated[int, Meta(ge=1)] = 500
    text_limit: Annotated[int, Meta(ge=0)] = 4_000

    def mistakes(self) -> Iterator[Mistake]:
        """Yields what does not fit together."""
        yield from language_mistakes(self.languages, self.default_language)
        yield from declaration_mistakes(self.heads, self.signals, self.series)
        if self.messages not in languages():
            yield ("messages",), f"there are none in {self.messages!r}; take one of {', '.join(languages())}"


@dataclass(frozen=True, slots=True)
class Profile:
    """A checked profile; limits in characters. `messages` is the language of what people read of alerts.

    `rules` are those of alerts.yaml; where that names no signals, they watch all of the profile's.
    `both` names the series of items that are in several others at once, as the rules of a user ask for.
    """

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
    rules: RulesFile
    both: tuple[str, ...] = ()

    @property
    def kept_heads(self) -> frozenset[str]:
        """The heads of which the probabilities of all labels are kept: those of signals, and others that ask for it."""
        used = {head for signal in self.signals.values() for head in signal.heads}
        return frozenset(used | {name for name, head in self.heads.items() if head.probabilities})

    @property
    def label_values(self) -> dict[str, dict[str, float]]:
        """By head the places of its labels from -1 to 1, for heads with a direction."""
        return {name: dict(head.values) for name, head in self.heads.items() if head.values}

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
    """Returns the shipped profile of that name, or the one in that folder.

    Raises `SettingsError` naming each mistake in profile.yaml and alerts.yaml: file, line, key and fix.
    """
    folder = _folder(name)
    file, rules_file = read_file(folder / "profile.yaml"), read_file(folder / "alerts.yaml")
    written = shaped(file, _File)
    profile = _profile(written, folder) if written is not None and not file.problems else None
    if profile is not None:
        _check_gazetteers(profile, file)
    rules = _rules(rules_file, profile)
    if profile is None or rules is None or file.problems or rules_file.problems:
        raise WrongFile((*file.problems, *rules_file.problems))
    return replace(profile, rules=rules)


def _profile(written: _File, folder: Path) -> Profile:
    """The profile with default rules."""
    values = {field: getattr(written, field) for field in written.__struct_fields__}
    return Profile(folder=folder, rules=RulesFile(), **values)


def _check_gazetteers(profile: Profile, file: UserFile) -> None:
    for language in profile.languages:
        gazetteer = profile.gazetteer(language)
        if gazetteer is not None and not Path(gazetteer.file).is_file():
            file.problem(("languages", language, "gazetteer"), f"there is no {gazetteer.file}; name a file beside it")


def _rules(file: UserFile, profile: Profile | None) -> RulesFile | None:
    """Returns alerts.yaml, which must be right in itself and watch what profile.yaml declares; None where it cannot be
    read, else what is wrong is in the file's problems.
    """
    rules = shaped(file, RulesFile)
    if rules is None or file.problems:
        return None
    for wrong in rules_mistakes(rules):
        file.problem(tuple(wrong.key.split(".")), f"{wrong.problem}; {wrong.fix}")
    if profile is None:
        return rules
    if "signals" not in file.plain():
        rules = msgspec.structs.replace(rules, signals=tuple(profile.signals))
    elif not rules.signals:
        file.problem(("signals",), f"is empty; list some of {', '.join(profile.signals)}")
    for key, names, known in (("signals", rules.signals, profile.signals), ("kinds", rules.kinds, profile.series)):
        for name in names:
            for keys, text in unknown((key,), name, known):
                file.problem(keys, text)
    return rules


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
    """Returns the keys and values of a YAML file. Raises `SettingsError` naming the file and the line."""
    file = read_file(path)
    file.refuse()
    return file.plain()
