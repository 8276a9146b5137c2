"""Whether an exported network answers as the trained one does, on real texts.

fp32   the same to 0.001 in every probability
fp16   the same label on 99.9 % of the rows
int8   at most 0.5 points of accuracy less
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from models.artifact import Artifact
from models.classifier import OnnxClassifier
from models.evaluation.labelled import LabelledSet
from models.runtime import Feeds, Network
from models.training.encoder import network as networks
from models.training.errors import TrainingError
from models.training.graph import Precision

__all__ = ["HeadParity", "TorchNetwork", "compare", "refuse_if_apart", "trained_classifier"]

FP32_APART = 1e-3
FP16_AGREES = 0.999
INT8_LOSES = 0.005
FEW_ROWS: Mapping[Precision, int] = {"fp16": 1, "int8": 2}
"""Rows of any set that may fall otherwise: of a hundred corrections one is a whole point, and says nothing."""


@dataclass(frozen=True, slots=True)
class HeadParity:
    """One head on one set, exported against trained."""

    set: str
    head: str
    rows: int
    agreement: float
    """Share of the rows with the same label."""
    largest_difference: float
    """Of any probability."""
    accuracy: float
    trained_accuracy: float


class TorchNetwork(Network):
    """The trained network behind the face of an exported one."""

    def __init__(self, network: networks.HeadedEncoder) -> None:
        self._torch = network

    @torch.no_grad()
    def run(self, names: Sequence[str], feeds: Feeds) -> list[npt.NDArray[np.float32]]:
        """Returns the outputs `names`; an entity head is asked for each token as if that were the entity."""
        ids, mask = (torch.from_numpy(feeds[name]) for name in ("input_ids", "attention_mask"))
        rows, tokens = ids.shape
        row_of = torch.arange(rows).repeat_interleave(tokens)
        alone = torch.eye(tokens).repeat(rows, 1)
        entity = [name for name in names if self._torch.specs[name].kind == "entity"]
        answers = self._torch(ids, mask, dict.fromkeys(entity, (row_of, alone)))
        shaped = answers | {name: answers[name].reshape(rows, tokens, -1) for name in entity}
        return [shaped[name].numpy() for name in names]


def trained_classifier(artifact: Artifact, network: networks.HeadedEncoder, tokenizer: Path) -> OnnxClassifier:
    """Returns the trained network as a classifier that reads texts as `artifact` does."""
    reader = Tokenizer.from_file(str(tokenizer))
    reader.no_padding()
    reader.enable_truncation(artifact.max_tokens)
    return OnnxClassifier(artifact, TorchNetwork(network.eval()), reader, token_budget=1024)


def compare(
    trained: OnnxClassifier, exported: OnnxClassifier, sets: Sequence[LabelledSet], *, most_rows: int = 2_500
) -> list[HeadParity]:
    """Asks both of the first `most_rows` rows of each set."""
    return [_compare(trained, exported, one.first(most_rows)) for one in sets]


def refuse_if_apart(found: Sequence[HeadParity], precision: Precision) -> None:
    """Raises `TrainingError` naming the first head that answers otherwise than its precision allows."""
    for one in found:
        lost = one.trained_accuracy - one.accuracy
        good: Mapping[Precision, bool] = {
            "fp32": one.largest_difference <= FP32_APART,
            "fp16": _within(1 - one.agreement, 1 - FP16_AGREES, one.rows, FEW_ROWS["fp16"]),
            "int8": _within(lost, INT8_LOSES, one.rows, FEW_ROWS["int8"]),
        }
        if not good[precision]:
            raise TrainingError(
                f"the exported {precision} network is not the trained one: on {one.rows:,} rows of {one.set} its "
                f"probabilities are up to {one.largest_difference:.4f} apart, {one.agreement:.2%} of its labels agree, "
                f"and it loses {100 * lost:.2f} points of accuracy; export it in another precision"
            )


def _within(share: float, limit: float, rows: int, few: int) -> bool:
    return share * rows <= max(limit * rows, few) + 1e-6


def _compare(trained: OnnxClassifier, exported: OnnxClassifier, one: LabelledSet) -> HeadParity:
    wanted = one.numbers(exported)
    exact, close = one.answers(trained), one.answers(exported)
    return HeadParity(
        set=one.name,
        head=one.head,
        rows=len(wanted),
        agreement=float((exact.argmax(axis=1) == close.argmax(axis=1)).mean()),
        largest_difference=float(np.abs(exact - close).max()),
        accuracy=float((close.argmax(axis=1) == wanted).mean()),
        trained_accuracy=float((exact.argmax(axis=1) == wanted).mean()),
    )
