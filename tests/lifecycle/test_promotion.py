"""A version goes into service through the gate, back without it, and past it with a reason that is kept."""

from __future__ import annotations

from typing import Any

import pytest

from streams.engine.runs import Record
from streams.errors import NewerVersion
from streams.lifecycle.errors import PromotionRefused
from streams.lifecycle.promotion import Request, in_service, previous, promotion_of
from streams.serving.control import Control, Earlier, Promotion, Shadow, promotion_send, read_control, shadow_send
from streams.serving.follower import active_models

PROFILE = {"en": ("model", "1")}
REQUEST = Request("en", "model", "2", "ann")
PASSED = {"passed": True, "current": ["model", "1"], "checks": []}
NOW_MS = 1_750_000_000_000


def control_of(*promotions: Promotion) -> Control:
    return Control({promotion.language: promotion for promotion in promotions})


def promoted(request: Request = REQUEST, control: Control | None = None, verdict: Any = PASSED) -> Promotion:
    return promotion_of(request, control or Control(), PROFILE, verdict, NOW_MS)


def test_through_the_gate() -> None:
    promotion = promoted()
    assert (promotion.gate, promotion.number, promotion.earlier) == ("passed", NOW_MS, (Earlier("model", "1"),))
    control = control_of(promotion)
    assert in_service(control, PROFILE, "en") == Earlier("model", "2", NOW_MS)
    assert active_models(control, PROFILE).models == {"en": ("model", "2")}


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        (None, "has not judged model 2: run `moodwire model gate model 2`"),
        ({"passed": True, "current": ["model", "0"]}, "compared model 2 with model 0, and in service is model 1"),
        (
            {"passed": False, "current": ["model", "1"], "checks": [{"reason": "12 rows lost"}]},
            "refused .*12 rows lost",
        ),
    ],
)
def test_not_without_a_verdict_that_passed(verdict: Any, says: str) -> None:
    with pytest.raises(PromotionRefused, match=says):
        promoted(verdict=verdict)


def test_past_the_gate_with_a_reason_that_is_kept() -> None:
    promotion = promoted(Request("en", "model", "2", "ann", "the old one leaks names"), verdict=None)
    assert (promotion.gate, promotion.reason, promotion.by) == ("forced", "the old one leaks names", "ann")


def test_back_without_the_gate_and_the_number_grows() -> None:
    control = control_of(promoted())
    back = previous(control, "en")
    promotion = promoted(Request("en", back.name, back.version, "ann"), control, None)
    assert (promotion.gate, promotion.number) == ("rollback", NOW_MS + 1)
    assert [one.version for one in promotion.earlier] == ["1", "2"]
    again = promoted(Request("en", "model", "2", "ann"), control_of(promotion), None)
    assert again.gate == "rollback"


def rolled_back(control: Control) -> Control:
    back = previous(control, "en")
    return control_of(promoted(Request("en", back.name, back.version, "ann", rolls_back=True), control, None))


def forced(version: str, control: Control) -> Control:
    return control_of(promoted(Request("en", "model", version, "ann", "a test"), control, None))


def test_a_second_rollback_goes_one_further_back_and_never_to_what_was_rolled_back() -> None:
    control = forced("3", forced("2", Control()))
    for expected in ("2", "1"):
        control = rolled_back(control)
        assert control.promotions["en"].version == expected
    with pytest.raises(PromotionRefused, match=r"before model 1 but those that were rolled back: model 2, model 3;"):
        previous(control, "en")


def test_a_version_that_is_promoted_again_after_a_rollback_may_be_gone_back_to() -> None:
    control = forced("2", rolled_back(forced("2", Control())))
    assert previous(control, "en").version == "1"
    assert previous(forced("3", control), "en").version == "2"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(PromotionRefused, match="in service already"):
        promoted(Request("en", "model", "1", "ann"))
    with pytest.raises(PromotionRefused, match="no classifier for language 'de'; it has en"):
        promoted(Request("de", "model", "2", "ann"))
    with pytest.raises(PromotionRefused, match="nothing to go back to"):
        previous(Control(), "en")


def records(*sends: Any) -> list[Record]:
    return [Record(offset, send.key, send.value, 0) for offset, send in enumerate(sends)]


def test_control_says_the_last_word_of_each_key() -> None:
    first, second = promoted(), promoted(Request("en", "model", "3", "bob", "x"))
    shadow = Shadow(language="en", name="model", version="4", at_ms=1, by="ann")
    found = read_control(
        [
            *records(promotion_send("c", first), promotion_send("c", second), shadow_send("c", "en", shadow)),
            Record(9, b"silence/all", b"{}", 0),
        ]
    )
    assert (found.promotions["en"], found.shadows["en"]) == (second, shadow)
    assert read_control(records(shadow_send("c", "en", shadow), shadow_send("c", "en", None))).shadows == {}


def test_what_cannot_be_read_is_said() -> None:
    good = promotion_send("c", promoted())
    for garbage in (b"{", b"\xff", b"[]", b"", good.value.replace(b'"number":1', b'"number":%d' % 10**30)):  # type: ignore[union-attr]
        found = read_control([*records(good), Record(1, b"model/en", garbage, 0), Record(2, b"\xff", garbage, 0)])
        assert found.promotions["en"] == promoted(), "the last word that can be read holds"
        [problem] = found.unreadable
        assert "model/en cannot be read" in problem
    again = read_control([Record(0, b"model/en", b"{", 0), *records(good)])
    assert again.unreadable == ()
    newer = promotion_send("c", promoted()).value
    assert newer is not None
    with pytest.raises(NewerVersion):
        read_control([Record(0, b"model/en", newer.replace(b'"schema":2', b'"schema":99'), 0)])
