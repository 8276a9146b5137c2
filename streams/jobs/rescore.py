"""Scoring the archive again with the classifiers that are set now: new scores beside the old ones, nothing counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from models import Classifier
from streams.archive.elastic.documents import Scores, scored_of, scores_of
from streams.archive.elastic.rescoring import Rescorer, Target
from streams.records import Scored
from streams.stages.classify import classify_again, with_verdict
from streams.text.profile import Profile
from streams.wall_clock import wall_clock_ms

__all__ = ["rescore"]


async def rescore(
    rescorer: Rescorer,
    profile: Profile,
    classifiers: Mapping[str, Classifier],
    *,
    since_ms: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005  # nobody looks
) -> int:
    """Give every item that another model scored new scores; how many got them. `on_progress` hears (done, of all).

    `classifiers` are by language, and items in other languages stay as they are.
    """
    targets = [Target(language, model.name, model.version) for language, model in sorted(classifiers.items())]
    total = sum([await rescorer.waiting(target, since_ms) for target in targets])
    done = 0
    on_progress(0, total)
    for target in targets:
        async for hits in rescorer.pages(target, since_ms):
            items = [scored_of(hit["_source"]) for hit in hits]
            scores = await asyncio.to_thread(_scores, profile, classifiers, items)
            done += await rescorer.write(hits, scores)
            on_progress(done, total)
    return done


def _scores(profile: Profile, classifiers: Mapping[str, Classifier], items: Sequence[Scored]) -> list[Scores]:
    now_ms = wall_clock_ms()
    return [
        scores_of(with_verdict(item, verdict), now_ms)
        for item, verdict in zip(items, classify_again(profile, classifiers, items), strict=True)
    ]
