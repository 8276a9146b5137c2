"""Corrections of scores: written to the topic `feedback`, and what people agree on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streams.archive import closing_archive
from streams.existing import open_existing, open_existing_archive, records_of
from streams.lifecycle.correctable import correctable, problem_with
from streams.lifecycle.decisions import check_profile_of, control_of, open_control
from streams.lifecycle.feedback import Feedback, Review, feedback_sends, read_feedback, review
from streams.records import Scored
from streams.settings import Settings
from streams.text.profile import load_profile

__all__ = ["TakenCorrections", "correct", "read_review"]

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class TakenCorrections:
    """The corrections that were written down, and the ids of items that the archive does not hold.

    `refused` names, by the place of a correction among those given, what the profile or its models do not have.
    """

    taken: Sequence[Feedback]
    unknown: Sequence[str]
    refused: Mapping[int, str]


def correct(settings: Settings, corrections: Sequence[Feedback]) -> TakenCorrections:
    """Writes the corrections of archived items down, each with the version of the model that it corrects.

    Raises `SettingsError` where the namespace was made with another profile than that of the settings.
    """
    profile = load_profile(settings.profile)
    check_profile_of(settings, profile)
    allowed = correctable(settings, profile, control_of(settings))
    problems = {at: problem_with(one, allowed) for at, one in enumerate(corrections)}
    refused = {at: problem for at, problem in problems.items() if problem is not None}
    usable = [one for at, one in enumerate(corrections) if at not in refused]
    known = asyncio.run(_known(settings, {one.item for one in usable})) if usable else {}
    taken = [_with_version(one, known[one.item]) for one in usable if one.item in known]
    if taken:
        _write(settings, taken)
    return TakenCorrections(taken, sorted({one.item for one in usable} - set(known)), refused)


def _write(settings: Settings, taken: Sequence[Feedback]) -> None:
    with open_control(settings) as broker:
        for start in range(0, len(taken), _PAGE):
            page = taken[start : start + _PAGE]
            broker.append([send for one in page for send in feedback_sends(settings.topics.feedback, one)])


async def _known(settings: Settings, ids: Iterable[str]) -> dict[str, Scored]:
    """Returns the items that the archive holds, by id."""
    async with closing_archive(open_existing_archive(settings)) as archive:
        asked, found = sorted(ids), dict[str, Scored]()
        for start in range(0, len(asked), _PAGE):
            found |= {one.news.id: one for one in await archive.items_by_id(asked[start : start + _PAGE])}
    return found


def _with_version(correction: Feedback, item: Scored) -> Feedback:
    version = correction.version or f"{item.model} {item.model_version}"
    return msgspec.structs.replace(correction, version=version)


def read_review(settings: Settings) -> Review:
    """Returns the review of all feedback of the namespace."""
    with open_existing(settings) as broker:
        return review(read_feedback(records_of(broker, settings.topics.feedback)))
