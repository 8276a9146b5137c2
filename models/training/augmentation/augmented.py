"""Texts in which an encoder that guesses hidden words has put others: what `moodwire model distil --rewritten` makes.

    text ─ some words hidden ─> guesses, the word itself left out ─ one drawn for each ─> text ─ twice more ─> new text

Words that fit their place, not words that are alike (Kobayashi 2018, arXiv 1805.06201): a new text reads much like
news, and says something else. So nothing is known of it, and the teachers alone answer for it, on a text that none of
them has learnt.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Encoding

from models.training.augmentation.synonyms import cased
from models.training.data.batches import Encoded, bucketed, collate
from models.training.data.example import Example
from models.training.encoder.device import EVALUATION_ROWS, Machine, autocast
from models.training.encoder.masked_lm import MaskedLM
from models.training.errors import TrainingError
from models.training.reports.record import write_json
from models.training.reports.reporter import Reporter

__all__ = ["augmented", "chosen"]

_ROUNDS = 3
_SHARE = 0.15
"""Of a text's words, those that are hidden in a round: what is left still says what fits."""

_LIKELIEST = 20
_MOST_TOKENS = 96
_WORD = re.compile(r"[^\W\d_]{2,}")


def chosen(examples: Sequence[Example], share: float, chance: random.Random) -> list[Example]:
    """Returns `share` of the examples; above 1, each of them so many times."""
    rounds = int(share) + 1
    return [one for number in range(rounds) for one in examples if chance.random() < share - number]


def augmented(
    examples: Sequence[Example], encoder: Path, folder: Path, seed: int, machine: Machine, reporter: Reporter
) -> list[Example]:
    """Returns the examples in other words that fit, and all that was known of them gone.

    `folder` keeps the texts: a run that goes on learns from the same ones. Raises `TrainingError` when `encoder`
    guesses no words.
    """
    texts = [one.text for one in examples]
    path = folder / f"rewritten-{_digest(encoder, texts, seed)}.json"
    if path.exists():
        new = json.loads(path.read_text(encoding="utf-8"))
    else:
        new = _Writer(encoder, machine).rewrite(texts, seed, reporter)
        write_json(path, new)
    return [Example(text, source=one.source) for text, one in zip(new, examples, strict=True)]


class _Writer:
    def __init__(self, encoder: Path, machine: Machine) -> None:
        self._masked_lm, self._machine = MaskedLM(encoder), machine
        if self._masked_lm.fresh:
            raise TrainingError(f"{encoder} was not taught to guess words; let moodwire model pretrain do it")
        self._masked_lm.network.to(machine.device).eval()
        self._tokenizer = self._masked_lm.words
        self._tokenizer.no_padding()
        config = self._masked_lm.network.config
        self._tokenizer.enable_truncation(min(_MOST_TOKENS, int(config.max_position_embeddings)))
        self._pieces = [self._tokenizer.id_to_token(number) or "" for number in range(int(config.vocab_size))]
        barred = [0.0 if _WORD.fullmatch(piece) else -torch.inf for piece in self._pieces]
        self._barred = torch.tensor(barred, device=machine.device)
        self._drawn_from = min(_LIKELIEST, barred.count(0.0) - 1)

    def rewrite(self, texts: Sequence[str], seed: int, reporter: Reporter) -> list[str]:
        """Returns the texts after all rounds."""
        new = list(texts)
        with reporter.bar("rewritten: texts", _ROUNDS * len(new)) as advance:
            for turn in range(_ROUNDS):
                encodings = self._tokenizer.encode_batch(new)
                lengths = [len(one.ids) for one in encodings]
                for count, numbers in enumerate(bucketed(lengths, EVALUATION_ROWS, None)):
                    chance = random.Random(f"{seed} rewritten {turn} {count}")
                    self._rewrite(new, encodings, numbers, chance)
                    advance(len(numbers), "")
        return new

    @torch.no_grad()
    def _rewrite(
        self, texts: list[str], encodings: Sequence[Encoding], numbers: Sequence[int], chance: random.Random
    ) -> None:
        """Replaces some words of the texts `numbers`, in place."""
        hidden = [_hidden(encodings[number], chance) for number in numbers]
        batch = collate([Encoded(number, encodings[number].ids) for number in numbers], {}, self._masked_lm.pad)
        ids, mask = (torch.from_numpy(one).to(self._machine.device) for one in (batch.ids, batch.mask))
        rows = torch.tensor([row for row, places in enumerate(hidden) for _ in places], device=ids.device)
        places = torch.tensor([place for each in hidden for place in each], device=ids.device)
        if not len(places):
            return
        own = ids[rows, places]
        ids[rows, places] = self._masked_lm.mask
        with autocast(self._machine.precision, self._machine.device):
            guesses = self._masked_lm.logits(ids, mask, rows, places) + self._barred
        guesses[torch.arange(len(own)), own] = -torch.inf
        likely, words = guesses.topk(self._drawn_from, dim=-1)
        drawn = iter(zip(likely.softmax(-1).cpu().tolist(), words.cpu().tolist(), strict=True))
        for number, each in zip(numbers, hidden, strict=True):
            found = [chance.choices(pieces, shares)[0] for shares, pieces in (next(drawn) for _ in each)]
            spans = [encodings[number].offsets[place] for place in each]
            texts[number] = _put(texts[number], spans, [self._pieces[one] for one in found])


def _hidden(encoding: Encoding, chance: random.Random) -> list[int]:
    """Draws places of whole words."""
    return [place for place in _whole_words(encoding) if chance.random() < _SHARE]


def _whole_words(encoding: Encoding) -> Iterator[int]:
    """Yields the places of words that are one token, of letters alone."""
    words, tokens = encoding.word_ids, encoding.tokens
    for place, word in enumerate(words):
        alone = word not in (words[place - 1], words[(place + 1) % len(words)])
        if word is not None and alone and _WORD.fullmatch(tokens[place]):
            yield place


def _put(text: str, spans: Sequence[tuple[int, int]], words: Sequence[str]) -> str:
    """Puts each of `words` into the place of a span of the text; it takes the case of what was there."""
    for (start, end), word in sorted(zip(spans, words, strict=True), reverse=True):
        text = text[:start] + cased(word, text[start:end]) + text[end:]
    return text


def _digest(encoder: Path, texts: Sequence[str], seed: int) -> str:
    weights = (encoder / "model.safetensors").read_bytes()
    settings: list[Any] = [_ROUNDS, _SHARE, _LIKELIEST, seed, *texts]
    return hashlib.blake2b(json.dumps(settings).encode() + weights, digest_size=8).hexdigest()
