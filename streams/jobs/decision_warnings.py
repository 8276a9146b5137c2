"""What a decision names and nothing has. It is sent anyway, since it may come later; whoever decides hears of it."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.judge import Decision
from alerts.judge.decisions import Maintenance, Silence, Subscribe
from alerts.judge.mutes import compiled
from alerts.matchers import MatcherError
from alerts.rule_file import RESERVED
from alerts.wording import languages
from streams.errors import SettingsError
from streams.jobs.judge_state import JudgeState
from streams.settings import Settings
from streams.text.profile import load_profile
from streams.text.user_rules import load_rules
from streams.text.watchlists import load_watchlists
from streams.userfiles import suggestion

__all__ = ["warnings_of"]


def warnings_of(decision: Decision, state: JudgeState, settings: Settings) -> list[str]:
    """Returns a sentence for each watchlist that does not exist, each label that no alert can have, and a language.

    Files of the settings with a mistake are no reason to refuse or to warn. Reads files: not for an event loop.
    """
    try:
        return [
            *_of_watchlists(decision, state, settings),
            *_of_labels(decision, state, settings),
            *_of_language(decision),
        ]
    except (SettingsError, MatcherError):  # named where it matters: by the worker, and by the judge's answer
        return []


def _of_watchlists(decision: Decision, state: JudgeState, settings: Settings) -> Iterator[str]:
    wanted = decision.watchlists if isinstance(decision, Subscribe) else ()
    if any(name not in state.watchlists for name in wanted):
        of_file = load_watchlists(settings.watchlists) if settings.watchlists else ()
        known = [*state.watchlists, *(one.name for one in of_file)]
        for name in wanted:
            if name not in known:
                yield f"there is no watchlist {name!r} yet; {suggestion(name, known, 'make it')}"


def _of_labels(decision: Decision, state: JudgeState, settings: Settings) -> Iterator[str]:
    named = _labels(decision)
    known = {*RESERVED, *(label for row in state.alerts.values() for label in row.labels)}
    if named - known and settings.rules is not None:
        rules = load_rules(settings.rules, load_profile(settings.profile)).rules
        known |= {label for rule in rules for label in rule.labels}
    for label in sorted(named - known):
        yield f"no alert has the label {label!r}; {suggestion(label, sorted(known))}"


def _of_language(decision: Decision) -> Iterator[str]:
    language = decision.language if isinstance(decision, Subscribe) else ""
    if language and language not in languages():
        fix = suggestion(language, languages())
        yield f"there are no messages in {language!r}, so they come in the profile's language; {fix}"


def _labels(decision: Decision) -> set[str]:
    match decision:
        case Silence() | Maintenance():
            return {matcher.name for matcher in compiled(decision.matchers)}
        case Subscribe():
            return {*decision.group_by, *(matcher.name for matcher in compiled(decision.matchers))}
        case _:
            return set()
