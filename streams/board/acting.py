"""What a person decides over HTTP: the version that was seen, the decision's id, and the answer as a status. Pure.

If-Match ─────────► seen ─┐
Idempotency-Key ──► id ───┼─► decision ─► judge ─► Outcome ─► 200, or the problem that says why not
token, proxy ─────► by ───┘
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from alerts.judge import Answer, Outcome
from streams.board.problem import Mistake, Part, Problem

__all__ = ["ANSWER_SECONDS", "accepted", "answered", "decision_header", "etag", "idempotency_key", "seen_version"]

ANSWER_SECONDS: Final = 10.0
"""How long a request waits for the judge; a worker of `deliver` answers within a second."""

_RETRY_SECONDS: Final = 30
_LONGEST_KEY: Final = 200
_TAG: Final = re.compile(r'(?:W/)?"(\d{1,15})"')

_STATUS: Final = {
    Outcome.MOVED: HTTPStatus.PRECONDITION_FAILED,
    Outcome.UNKNOWN: HTTPStatus.NOT_FOUND,
    Outcome.OVER: HTTPStatus.CONFLICT,
    Outcome.TOO_MANY: HTTPStatus.CONFLICT,
    Outcome.WRONG: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def etag(version: int) -> str:
    """Returns the version as the header `ETag` has it."""
    return f'"{version}"'


def seen_version(headers: Mapping[str, str], *, new: bool = False) -> int | None:
    """Returns the version that `If-Match` names; None for `*`, any version.

    With `new` there may be none yet: `If-None-Match: *` says so and is version 0. Raises `Problem` 428 without the
    header, 400 for another text.
    """
    if new and headers.get("If-None-Match", "").strip() == "*":
        return 0
    given = headers.get("If-Match", "").strip()
    if not given:
        fix = ", or If-None-Match: * for a new one" if new else ""
        raise Problem(
            HTTPStatus.PRECONDITION_REQUIRED,
            f'send the version that was seen: If-Match: "VERSION"{fix}; If-Match: * decides whatever the version',
            [_wrong("If-Match", "it is missing")],
        )
    if given == "*":
        return None
    tag = _TAG.fullmatch(given)
    if tag is None:
        raise Problem(HTTPStatus.BAD_REQUEST, 'If-Match takes "VERSION" or *', [_wrong("If-Match", "no version")])
    return int(tag[1])


def decision_header(headers: Mapping[str, str], by: str, at_ms: int, seen: int | None) -> dict[str, Any]:
    """Returns the fields that every decision has.

    The id is that of the person and `Idempotency-Key`, under which it is judged once; without the key a new one.
    Raises `Problem` 400 for a key that is too long.
    """
    key = idempotency_key(headers)
    name = hashlib.sha256(f"{by}\0{key}".encode()).hexdigest()[:32] if key else secrets.token_hex(8)
    return {"id": name, "by": by, "at_ms": at_ms, "seen": seen}


def idempotency_key(headers: Mapping[str, str]) -> str:
    """Returns the key, empty without one. Raises `Problem` 400 for one that is too long."""
    key = headers.get("Idempotency-Key", "").strip()
    if len(key) > _LONGEST_KEY:
        problem = _wrong("Idempotency-Key", f"it has {len(key)} characters; at most {_LONGEST_KEY} are taken")
        raise Problem(HTTPStatus.BAD_REQUEST, f"Idempotency-Key: {problem.detail}", [problem])
    return key


def answered(answer: Answer | None) -> Answer:
    """Returns the answer; raises `Problem` 503 when none came in time.

    The decision waits in the log then, and sent again under the same key it is not judged twice.
    """
    if answer is None:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "no worker of `deliver` has answered yet: the decision waits, and the next worker judges it; "
            "ask again with the same Idempotency-Key to hear its answer",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    return answer


def accepted(answer: Answer) -> Answer:
    """Returns the answer of a decision that was accepted; raises the `Problem` of any other.

    412 and the present version when it was refused as moved.
    """
    if answer.accepted:
        return answer
    tag = {"ETag": etag(answer.version)} if answer.version else {}
    raise Problem(_STATUS[answer.outcome], answer.detail or f"refused: {answer.outcome}", headers=tag)


def _wrong(name: str, detail: str) -> Mistake:
    return Mistake(part=Part.HEADER, pointer=f"/{name}", detail=detail)
