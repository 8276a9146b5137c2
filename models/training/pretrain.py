"""An encoder goes on learning its language, from the texts that it is to judge: what `moodwire model pretrain` does.

    training texts, some words hidden ─> encoder + a head that guesses them ─> OUT/best, an encoder as any other

Domain-adaptive pretraining (Gururangan et al. 2020, arXiv 2004.10964) with hidden words (Devlin et al. 2019, arXiv
1810.04805). No label is read, and no text of a test file.
"""

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from models.training.batches import Batch, Encoded, bucketed, collate
from models.training.corpus import load_corpus
from models.training.device import autocast
from models.training.errors import TrainingError
from models.training.objective import EVALUATION_ROWS, Figures, Machine
from models.training.plan import Plan
from models.training.train import TOKENIZER, Run, Setup, encoded

__all__ = ["HIDDEN_SHARE", "PLAN", "HiddenWords", "pretrain"]

HIDDEN_SHARE = 0.15
"""Of a text's tokens, those that are to be guessed."""

PLAN = Plan(batch_rows=64, learning_rate=2e-4, head_learning_rate=6e-4)
"""What an encoder of 6 layers was tried with."""

_SEEN = -100


def pretrain(setup: Setup, plan: Plan = PLAN, *, stop_after: int | None = None) -> dict[str, Any]:
    """Go on pretraining an encoder on the training texts, going on where an earlier call stopped; return the record.

    Raises `TrainingError` when its tokenizer cannot hide a word, no head for guessing them fits it, or the folder
    holds another run.
    """
    run = Run.open(setup, plan, {"objective": "hidden words", "hidden_share": HIDDEN_SHARE})
    corpus = load_corpus(setup.sets, setup.data)
    rows, dev = encoded(setup.encoder, corpus, plan.max_tokens)
    what = f"{HIDDEN_SHARE:.0%} of their words to guess"
    return run.learn(
        corpus, rows, dev, lambda: HiddenWords(setup.encoder, rows, dev, plan, run.machine), what, stop_after
    )


class HiddenWords:
    """A `models.training.objective.Objective`: guess what a text's hidden tokens were.

    A head that the encoder lacks begins fresh, and learns alone while the rate warms up: what it says at first is
    noise, and would spoil the encoder.
    """

    def __init__(
        self, encoder: Path, rows: Sequence[Encoded], dev: Sequence[Encoded], plan: Plan, machine: Machine
    ) -> None:
        self.rows, self.dev, self.plan, self.machine = rows, dev, plan, machine
        self.network, self._fresh = _with_head(encoder)
        self.fresh_first = bool(self._fresh)
        self.network.to(machine.device)
        self._head = _head_of(self.network)
        if plan.freeze_embeddings:
            self.network.base_model.embeddings.requires_grad_(False)
        tokenizer = Tokenizer.from_file(str(encoder / TOKENIZER))
        self._pad = int(self.network.config.pad_token_id or 0)
        self._special = torch.tensor([number for number, one in _special(tokenizer).items()])
        self._collator = DataCollatorForLanguageModeling(_words(tokenizer, self._pad), mlm_probability=HIDDEN_SHARE)

    def fresh(self, name: str) -> bool:
        """Return whether the encoder's folder did not hold the weight `name`."""
        return name in self._fresh

    def collate(self, rows: Sequence[Encoded]) -> Batch:
        """Return rows as a batch."""
        return collate(rows, {}, self._pad)

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the mean surprise at a hidden token, in nats."""
        guesses, wanted = self._guesses(batch)
        return cross_entropy(guesses.float(), wanted, reduction="sum") / max(1, len(wanted))

    @torch.no_grad()
    def evaluate(self) -> Figures:
        """Return how likely the hidden tokens of dev are held: the geometric mean. The same are hidden each time."""
        self.network.eval()
        surprise, hits, count = 0.0, 0, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.plan.seed)
            for numbers in bucketed([len(row.ids) for row in self.dev], EVALUATION_ROWS, None):
                with autocast(self.machine.precision, self.machine.device):
                    guesses, wanted = self._guesses(self.collate([self.dev[number] for number in numbers]))
                surprise += float(cross_entropy(guesses.float(), wanted, reduction="sum"))
                hits += int((guesses.argmax(-1) == wanted).sum())
                count += len(wanted)
        loss, right = surprise / max(1, count), hits / max(1, count)
        kept = {"hidden": count, "loss": loss, "guessed": right}
        line = f"{right:.1%} of {count:,} hidden words guessed, loss {loss:.3f}"
        return Figures(math.exp(-loss), kept, {"dev/loss": loss, "dev/guessed": right}, line)

    def save(self, folder: Path) -> None:
        """Write encoder and head."""
        self.network.save_pretrained(folder)

    def _guesses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Hide some tokens; return the head's logits for them, [hidden, vocabulary], and what they were."""
        ids = torch.from_numpy(batch.ids)
        seen, wanted = self._collator.torch_mask_tokens(ids.clone(), torch.isin(ids, self._special))
        device = self.machine.device
        places = (wanted != _SEEN).to(device)
        vectors = self.network.base_model(
            input_ids=seen.to(device), attention_mask=torch.from_numpy(batch.mask).to(device)
        ).last_hidden_state
        return self._head(vectors[places]), wanted.to(device)[places]  # a vocabulary's logits for each token cost most


def _with_head(folder: Path) -> tuple[Any, Collection[str]]:
    """Return the encoder with a head that guesses words, and the names of the weights that it did not have."""
    try:
        network, told = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"{folder} holds no encoder whose words can be hidden ({error}); pretrain first, then train"
        ) from error
    return network, frozenset(told["missing_keys"])


def _head_of(network: Any) -> nn.Module:
    others = [child for name, child in network.named_children() if name != network.base_model_prefix]
    if len(others) != 1:
        raise TrainingError(f"{type(network).__name__} has no one head; use an encoder of BERT's or MPNet's kind")
    return others[0]


def _special(tokenizer: Tokenizer) -> dict[int, str]:
    return {number: one.content for number, one in tokenizer.get_added_tokens_decoder().items() if one.special}


def _words(tokenizer: Tokenizer, pad: int) -> PreTrainedTokenizerFast:
    """The tokenizer as the collator wants it: it knows which token hides a word, and which one fills up."""
    known = _special(tokenizer)
    mask = next((one for one in known.values() if "mask" in one.casefold()), None)
    if mask is None:
        raise TrainingError(
            f"the tokenizer has no token that hides a word (it has {', '.join(known.values()) or 'none'}); take an "
            "encoder that was pretrained by hidden words"
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token=mask, pad_token=tokenizer.id_to_token(pad))
