"""Texts as numbers: an artifact's tokenizer, rows padded into a batch, and a tally of what was read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.artifact import TOKENIZER, Artifact
from models.errors import ArtifactError

__all__ = ["TokenTally", "open_tokenizer", "padded", "unknown_token"]


@dataclass(frozen=True, slots=True)
class TokenTally:
    """What a classifier has read since it was loaded: how much of it its tokenizer has no word for.

    A copy of a text in one call counts once. Text in another language or script takes more tokens a character.
    """

    characters: int = 0
    tokens: int = 0
    unknown: int = 0


def open_tokenizer(artifact: Artifact) -> Tokenizer:
    """Opens the artifact's tokenizer: no padding, cut at `max_tokens`. Raises `ArtifactError` when it is none."""
    content = artifact.read(TOKENIZER)
    try:
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.no_padding()
        tokenizer.enable_truncation(artifact.max_tokens)
    except Exception as error:  # the Rust side raises a bare Exception
        raise ArtifactError(f"{artifact.path / TOKENIZER} is no tokenizer ({error}); export the model again") from error
    return tokenizer


def unknown_token(tokenizer: Tokenizer) -> int:
    """Returns the number of what the tokenizer has no word for; -1 when it spells everything."""
    token = getattr(tokenizer.model, "unk_token", None)
    number = tokenizer.token_to_id(token) if token else None
    return -1 if number is None else int(number)


def padded(rows: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[np.int64]]:
    """Pads token numbers to the longest row: `input_ids` and `attention_mask`, int64 [rows, longest]."""
    ids = np.zeros((len(rows), max(len(row) for row in rows)), dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}
