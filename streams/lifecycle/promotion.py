"""Whether a version may go into service, and the record that says so. Pure: what is known goes in.

control, profile ─► the version in service ─┐
the gate's verdict on the candidate ────────┼─► Promotion, or PromotionRefused with what to do
--force "reason" ───────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from streams.lifecycle.errors import PromotionRefused
from streams.serving.control import EARLIER_KEPT, Control, Earlier, Promotion

__all__ = ["Request", "in_service", "previous", "promotion_of"]


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody wants a version in service. `force` is a reason to pass over the gate; empty: none is given.

    `rolls_back` is whether the one in service was found wanting.
    """

    language: str
    name: str
    version: str
    by: str
    force: str = ""
    rolls_back: bool = False


def in_service(control: Control, profile: Mapping[str, tuple[str, str]], language: str) -> Earlier:
    """The version that scores the language now: what was promoted last, else the profile's.

    Raises `PromotionRefused` for a language that the profile does not have.
    """
    if language not in profile:
        raise PromotionRefused(f"the profile has no classifier for language {language!r}; it has {', '.join(profile)}")
    promotion = control.promotions.get(language)
    if promotion is not None:
        return Earlier(promotion.name, promotion.version, promotion.at_ms)
    return Earlier(*profile[language])


def previous(control: Control, language: str) -> Earlier:
    """Returns the version that was in service last, before the one now, and was not rolled back since.

    Raises `PromotionRefused` when there is none, naming those that were rolled back.
    """
    promotion = control.promotions.get(language)
    if promotion is None or not promotion.earlier:
        raise PromotionRefused(f"nothing was promoted for language {language!r}: there is nothing to go back to")
    last = {(one.name, one.version): one for one in promotion.earlier}  # the latest time that each was in service
    for one in reversed(promotion.earlier):
        model = one.name, one.version
        if model != (promotion.name, promotion.version) and not last[model].rolled_back:
            return one
    rejected = ", ".join(f"{name} {version}" for (name, version), one in last.items() if one.rolled_back)
    raise PromotionRefused(
        f"no version was in service before {promotion.name} {promotion.version} but those that were rolled back: "
        f"{rejected or 'none'}; `moodwire model promote NAME VERSION` puts one of them into service again"
    )


def promotion_of(
    request: Request,
    control: Control,
    profile: Mapping[str, tuple[str, str]],
    verdict: Mapping[str, Any] | None,
    now_ms: int,
) -> Promotion:
    """The record that puts the version into service. `verdict` is what the gate said of it, if it was asked.

    A version that was in service before needs no gate: going back must be quick. Raises `PromotionRefused`.
    """
    current = in_service(control, profile, request.language)
    wanted = request.name, request.version
    if wanted == (current.name, current.version):
        raise PromotionRefused(f"{request.name} {request.version} is in service already")
    last = control.promotions.get(request.language)
    left = msgspec.structs.replace(current, rolled_back=request.rolls_back)
    earlier = (*(last.earlier if last else ()), left)[-EARLIER_KEPT:]
    if request.force:
        gate = "forced"
    elif wanted in {(one.name, one.version) for one in earlier} | {profile[request.language]}:
        gate = "rollback"
    else:
        _check(verdict, current, request)
        gate = "passed"
    return Promotion(
        language=request.language,
        name=request.name,
        version=request.version,
        number=max(control.latest_number + 1, now_ms),
        at_ms=now_ms,
        by=request.by,
        gate=gate,
        reason=request.force,
        earlier=earlier,
    )


def _check(verdict: Mapping[str, Any] | None, current: Earlier, request: Request) -> None:
    candidate = f"{request.name} {request.version}"
    ask = f"moodwire model gate {candidate}"
    if verdict is None:
        raise PromotionRefused(
            f"the gate has not judged {candidate}: run `{ask}`, or give --force and a reason, which is recorded"
        )
    compared = tuple(verdict.get("current", ()))
    if compared != (current.name, current.version):
        raise PromotionRefused(
            f"the gate compared {candidate} with {' '.join(map(str, compared)) or 'nothing'}, and in service is "
            f"{current.name} {current.version}: run `{ask}` again"
        )
    if verdict.get("passed") is not True:
        reasons = [str(check["reason"]) for check in verdict.get("checks", ()) if not check.get("passed")]
        raise PromotionRefused(f"the gate refused {candidate}: {'; '.join(reasons)}")
