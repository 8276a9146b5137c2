"""An encoder goes on learning its language, from the texts that it is to judge: what `moodwire model pretrain` does.

    training texts, some words hidden ─> encoder + a head that guesses them ─> OUT/best, an encoder as any other

Domain-adaptive pretraining (Gururangan et al. 2020, arXiv 2004.10964) with hidden words (Devlin et al. 2019, arXiv
1810.04805). No label is read, and no text of a test file.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import DataCollatorForLanguageModeling

from models.training.data.batches import Batch, Encoded, bucketed, collate
from models.training.data.corpus import load_corpus
from models.training.encoder.device import EVALUATION_ROWS, Machine, autocast
from models.training.encoder.masked_lm import MaskedLM
from models.training.learning.objective import Figures
from models.training.learning.plan import PRETRAINING, Plan
from models.training.learning.run import Run, Setup, encoded

__all__ = ["HIDDEN_SHARE", "HiddenWords", "pretrain"]

HIDDEN_SHARE = 0.15
"""Of a text's tokens, those that are to be guessed."""

_SEEN = -100


def pretrain(setup: Setup, plan: Plan = PRETRAINING, *, stop_after: int | None = None) -> dict[str, Any]:
    """Goes on pretraining an encoder on the training texts, going on where an earlier call stopped; returns the record.

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
    """An `objective.Objective`: guess what a text's hidden tokens were.

    A head that the encoder lacks begins fresh, and learns alone while the rate warms up: what it says at first is
    noise, and would spoil the encoder.
    """

    def __init__(
        self, encoder: Path, rows: Sequence[Encoded], dev: Sequence[Encoded], plan: Plan, machine: Machine
    ) -> None:
        self.rows, self.dev, self.plan, self.machine = rows, dev, plan, machine
        self._masked_lm = MaskedLM(encoder)
        self.network = self._masked_lm.network.to(machine.device)
        self.fresh_first = bool(self._masked_lm.fresh)
        if plan.freeze_embeddings:
            self.network.base_model.embeddings.requires_grad_(False)
        self._special = torch.tensor(self._masked_lm.special)
        self._collator = DataCollatorForLanguageModeling(self._masked_lm.tokenizer, mlm_probability=HIDDEN_SHARE)

    def fresh(self, name: str) -> bool:
        """Returns whether the encoder's folder did not hold the weight `name`."""
        return name in self._masked_lm.fresh

    def collate(self, rows: Sequence[Encoded]) -> Batch:
        """Returns rows as a batch."""
        return collate(rows, {}, self._masked_lm.pad)

    def loss(self, batch: Batch) -> torch.Tensor:
        """Returns the mean surprise at a hidden token, in nats."""
        guesses, wanted = self._guesses(batch)
        return cross_entropy(guesses.float(), wanted, reduction="sum") / max(1, len(wanted))

    @torch.no_grad()
    def evaluate(self) -> Figures:
        """Returns how likely the hidden tokens of dev are held: the geometric mean. The same are hidden each time."""
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
        """Writes encoder and head."""
        self.network.save_pretrained(folder)

    def _guesses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Hides some tokens; returns the head's logits for them, [hidden, vocabulary], and what they were."""
        ids = torch.from_numpy(batch.ids)
        seen, wanted = self._collator.torch_mask_tokens(ids.clone(), torch.isin(ids, self._special))
        device = self.machine.device
        rows, places = (one.to(device) for one in torch.nonzero(wanted != _SEEN, as_tuple=True))
        guesses = self._masked_lm.logits(seen.to(device), torch.from_numpy(batch.mask).to(device), rows, places)
        return guesses, wanted.to(device)[rows, places]
