"""Options are declared once: a command line and a JSON request come to the same, within the same bounds."""

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.training.commands import DistilOptions, PretrainOptions, TrainOptions, TuneOptions
from models.training.errors import TrainingError
from models.training.learning.plan import Plan
from models.training.options import built, declared

COMMANDS = (TrainOptions, DistilOptions, PretrainOptions, TuneOptions)
NEEDED: dict[str, Any] = {"data": Path("data"), "out": Path("run"), "teachers": [Path("one"), Path("two")]}


def needed(command: type) -> dict[str, Any]:
    """Values of the options that have no default."""
    return {one.name: NEEDED[one.name] for one in declared(command) if one.default is MISSING}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_is_and_has_one_name(command: type) -> None:
    options = list(declared(command))
    flags = [flag for one in options for flag in one.flags]
    assert len(set(flags)) == len(flags)
    assert [one.name for one in options if not (one.meta.description or "").endswith((".", "…"))] == []
    assert [one.name for one in options if one.default is MISSING] == [
        one.name for one in options if one.name in NEEDED
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_are_those_that_the_help_shows(command: type) -> None:
    filled: Any = built(command, needed(command))
    groups = [getattr(filled, one.name) for one in fields(command)]
    given = {one.name: getattr(group, one.name) for group in groups for one in fields(group)}
    assert {one.name: given[one.name] for one in declared(command) if one.name not in NEEDED} == {
        one.name: one.default for one in declared(command) if one.name not in NEEDED
    }


def test_a_command_has_defaults_of_its_own() -> None:
    plan = built(PretrainOptions, needed(PretrainOptions) | {"epochs": 5}).plan
    assert (plan.epochs, plan.batch_rows, plan.learning_rate, plan.head_learning_rate) == (5, 64, 2e-4, 6e-4)
    assert built(TrainOptions, needed(TrainOptions)).plan == Plan()
    assert "lora_rank" not in {one.name for one in declared(DistilOptions)}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_request_in_json_is_the_command(command: type) -> None:
    filled: Any = built(command, needed(command) | {"seed": 11, "threads": 2})
    sent = msgspec.json.encode(filled, enc_hook=str)
    assert msgspec.json.decode(sent, type=command, dec_hook=lambda kind, value: kind(value)) == filled


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"epochs": 0}, "--epochs is 0: expected `int` >= 1"),
        ({"swap_names": 1.5}, "--swap-names is 1.5: expected `float` <= 1.0"),
        ({"evaluations_per_epoch": "many"}, "--evaluations is 'many': expected `int`, got `str`"),
        ({"decay": "square"}, "--decay is 'square'; it must be one of linear, cosine"),
        ({"precision": "fp8"}, "--precision is 'fp8'; it must be one of auto, fp32, bf16"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError) as refused:
        built(DistilOptions, NEEDED | given)
    assert str(refused.value) == said


def test_words_of_a_command_line_are_values_too() -> None:
    words = {"data": "d", "out": "r", "teacher": "one", "evaluations": "2", "learning-rate": "5e-5", "restart": True}
    filled = built(DistilOptions, words)
    assert filled.teaching.teachers == (Path("one"),)
    assert (filled.plan.evaluations_per_epoch, filled.plan.learning_rate) == (2, 5e-5)
    assert filled.hardware.restart


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    with pytest.raises(TrainingError, match=r"there is no option --epoch; did you mean --epochs\?"):
        built(TrainOptions, needed(TrainOptions) | {"epoch": 3})
    with pytest.raises(TrainingError, match=r"there is no option --lora-rank$"):
        built(DistilOptions, NEEDED | {"lora-rank": 3})


def test_options_without_a_value_are_named() -> None:
    with pytest.raises(TrainingError, match=r"no value for --out, --teacher$"):
        built(DistilOptions, {"data": "d"})


def test_bounds_hold_for_json_too() -> None:
    sent = json.loads(msgspec.json.encode(built(TrainOptions, needed(TrainOptions)), enc_hook=str))
    sent["plan"]["epochs"] = 0
    with pytest.raises(msgspec.ValidationError, match=r"Expected `int` >= 1 - at `\$.plan.epochs`"):
        msgspec.convert(sent, TrainOptions, dec_hook=lambda kind, value: kind(value))


def test_shares_of_new_texts_are_kept_by_kind() -> None:
    teaching = built(DistilOptions, NEEDED | {"swap_names": 0.3, "sentences": 0.06}).teaching
    assert teaching.augment == {"names": 0.3, "sentences": 0.06}
