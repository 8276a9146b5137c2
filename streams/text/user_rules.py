"""rules.yaml of a user (`alerts.rule_file`), checked against a profile: its kinds of series and its signals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from alerts.rule_file import RulesDocument, WrittenRule, parts_of
from alerts.ruleset import BOTH, kind_of
from streams.text.heads import Of, unknown
from streams.text.profile import Profile
from streams.userfiles import Keys, UserFile, read_file, shaped, suggestion

__all__ = ["load_rules", "stamp_of", "unknown_watchlists", "with_both"]


def load_rules(path: Path, profile: Profile) -> RulesDocument:
    """Returns the rules of a YAML file. Raises `SettingsError` naming the file and each mistake: line, key and fix."""
    file = read_file(path)
    found = shaped(file, RulesDocument)
    for at, rule in enumerate(found.rules if found is not None else ()):
        _check(file, ("rules", at), rule, profile)
    file.refuse()
    assert found is not None
    return found


def unknown_watchlists(document: RulesDocument, profile: Profile, names: Iterable[str]) -> Iterator[str]:
    """Yields a warning for each watchlist that a rule names and that does not exist: people may add it later."""
    kinds = [kind for kind, made in profile.series.items() if made.of is Of.WATCHLISTS]
    known = list(names)
    for rule in document.rules:
        for part in (part for written in rule.series for part in parts_of(written)):
            kind, _, name = part.partition("/")
            if kind in kinds and not part.endswith("*") and name not in known:
                yield f"rule {rule.name!r}: there is no watchlist {name!r} yet; {suggestion(name, known, 'add it')}"


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Returns what is another one when the file may have changed; None while it cannot be read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def with_both(profile: Profile, document: RulesDocument) -> Profile:
    """Returns the profile with the series of items that are in several others at once, which the rules name."""
    return dataclasses.replace(profile, both=document.both)


def _check(file: UserFile, keys: Keys, rule: WrittenRule, profile: Profile) -> None:
    """Whether what the rule names is in the profile."""
    for at, name in enumerate(rule.signals):
        for _, text in unknown((), name, profile.signals):
            file.problem((*keys, "signals", at), text)
    for at, written in enumerate(rule.series):
        for part in parts_of(written):
            if problem := _wrong_series(part, profile):
                file.problem((*keys, "series", at), problem)
        if len(parts_of(written)) > 1 and BOTH in profile.series:
            file.problem((*keys, "series", at), f"the profile has a kind {BOTH!r} of its own; '&' cannot be used")
    hop = profile.rules.hop_seconds
    for at, length in enumerate(rule.windows_seconds):
        if length < hop:
            file.problem((*keys, "windows_seconds", at), f"{length} is below hop_seconds ({hop}); write that or more")


def _wrong_series(part: str, profile: Profile) -> str:
    """What is wrong with the name or pattern of a series; empty if nothing is."""
    kind = kind_of(part)
    for _, text in unknown((), kind, profile.series):
        return text
    is_one = profile.series[kind].of is Of.EVERYTHING
    if is_one and part != kind:
        return f"{kind!r} is one series, of everything; write {kind}"
    if not is_one and part == kind:
        return f'{kind!r} is a kind of series; write {kind}/NAME, or "{kind}/*" for all of them'
    return ""
