"""An encoder with a head that guesses hidden words: what is pretrained, and what writes texts anew."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModelForMaskedLM, PreTrainedTokenizerFast

from models.artifact import TOKENIZER
from models.training.errors import TrainingError

__all__ = ["MaskedLM"]


class MaskedLM:
    """The encoder in a folder; `fresh` are the names of the weights that the folder does not hold.

    `words` is its tokenizer, and `tokenizer` the same as Transformers wants it; `special` are the numbers of the tokens
    that are no words, `mask` that of the one which hides a word.
    Raises `TrainingError` when the folder holds no encoder, or one that cannot have such a head.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.network, loading = AutoModelForMaskedLM.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise TrainingError(
                f"{folder} holds no encoder whose words can be hidden ({error}); pretrain first, then train"
            ) from error
        self.fresh = frozenset(loading["missing_keys"])
        self.pad = int(self.network.config.pad_token_id or 0)
        self._head = _head_of(self.network)
        self.words = Tokenizer.from_file(str(folder / TOKENIZER))
        known = {number: one.content for number, one in self.words.get_added_tokens_decoder().items() if one.special}
        self.special = list(known)
        self.mask = _mask_of(known)
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=self.words, mask_token=known[self.mask], pad_token=self.words.id_to_token(self.pad)
        )

    def logits(self, ids: torch.Tensor, mask: torch.Tensor, rows: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Returns the logits at the `places` of the `rows`, both int64 [hidden]: float [hidden, vocabulary].

        `ids` and `mask` are int64 [texts, tokens]. Only there, for a vocabulary's logits cost more than the encoder.
        """
        vectors = self.network.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        guesses: torch.Tensor = self._head(vectors[rows, places])
        return guesses


def _head_of(network: nn.Module) -> nn.Module:
    others = [child for name, child in network.named_children() if name != network.base_model_prefix]
    if len(others) != 1:
        raise TrainingError(f"{type(network).__name__} has no one head; use an encoder of BERT's or MPNet's kind")
    return others[0]


def _mask_of(known: dict[int, str]) -> int:
    for number, token in known.items():
        if "mask" in token.casefold():
            return number
    raise TrainingError(
        f"the tokenizer has no token that hides a word (it has {', '.join(known.values()) or 'none'}); take an "
        "encoder that was pretrained by hidden words"
    )
