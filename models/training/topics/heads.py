"""Topics added to a trained network without training it: what `moodwire model topics` does.

A topic becomes a text head of its own, `topic/NAME`, with the labels `other` and NAME, in the run's `best/`: it is
exported and served as the others are, from the same pass of the encoder.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from models.artifact import ADDED_TOPIC
from models.text import normalise
from models.training.data.batches import bucketed, collate, encode
from models.training.data.corpus import Corpus
from models.training.data.example import Example
from models.training.data.heads import HeadSpec, read_heads
from models.training.encoder import network as networks
from models.training.encoder.device import EVALUATION_ROWS, Machine
from models.training.encoder.tensors import to_tensors
from models.training.errors import TrainingError
from models.training.reports.record import BEST
from models.training.topics.few_shot import TopicHead, Vectors, from_description, from_examples, spread_of_known

__all__ = ["OTHER", "add_described_topic", "add_topic", "added_topics", "remove_topic", "vectors_of"]

OTHER = "other"
BACKGROUND = 2_000
"""Training texts that a topic is distinguished from. With topics of the training files held out, 500 cost up to 2
points of F1; 1,000, and all of 2,500, moved it by less than half a point."""


@dataclass(frozen=True, slots=True)
class Known:
    """A trained network with what embedding needs."""

    network: networks.HeadedEncoder
    tokenizer: Tokenizer
    machine: Machine

    @classmethod
    def open(cls, run: Path, machine: Machine) -> "Known":
        """Loads the best weights of a run."""
        network = networks.load(run / BEST).to(machine.device)
        return cls(network, Tokenizer.from_file(str(run / BEST / "tokenizer.json")), machine)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Returns the texts' mean vectors, float64 [texts, width]."""
        return vectors_of(self.network, self.tokenizer, texts, self.machine)


def add_topic(run: Path, name: str, examples: Sequence[str], corpus: Corpus, machine: Machine) -> None:
    """Teaches the network of `run` the topic `name` from texts of it.

    Raises `TrainingError` for a name that is taken, and for too few different examples.
    """
    known = Known.open(run, machine)
    _check_name(known.network, name)
    texts = list(dict.fromkeys(filter(None, map(normalise, examples))))
    background = _background(corpus, but=texts)
    made = from_examples(known.vectors(texts), known.vectors([one.text for one in background]))
    _save(known.network, run, name, made)


def add_described_topic(run: Path, name: str, description: str, corpus: Corpus, machine: Machine) -> None:
    """Teaches the network of `run` the topic `name` from a sentence about it.

    How near a text must come is learned from the topics that the corpus has: how near theirs come to their names.
    """
    known = Known.open(run, machine)
    _check_name(known.network, name)
    background = _background(corpus, but=[])
    vectors = known.vectors([one.text for one in background])
    made = from_description(known.vectors([description])[0], vectors, _spread(known, corpus, background, vectors))
    _save(known.network, run, name, made)


def added_topics(run: Path) -> list[str]:
    """Returns the names of the topics added to a run."""
    return [name.removeprefix(ADDED_TOPIC) for name in read_heads(run / BEST) if name.startswith(ADDED_TOPIC)]


def remove_topic(run: Path, name: str) -> None:
    """Takes an added topic out again. Raises `TrainingError` when there is none of that name."""
    if name not in added_topics(run):
        raise TrainingError(f"no added topic {name!r} in {run}; there are: {', '.join(added_topics(run)) or 'none'}")
    network = networks.load(run / BEST)
    del network.heads[ADDED_TOPIC + name], network.specs[ADDED_TOPIC + name]
    networks.save(network, run / BEST)


@torch.no_grad()
def vectors_of(
    network: networks.HeadedEncoder, tokenizer: Tokenizer, texts: Sequence[str], machine: Machine
) -> Vectors:
    """Returns the mean of the token vectors of each text, float64 [texts, width]."""
    network.eval()
    rows = encode(tokenizer, [Example(normalise(text)) for text in texts], max_tokens=96)
    found = np.zeros((len(rows), int(network.encoder.config.hidden_size)))
    for numbers in bucketed([len(row.ids) for row in rows], EVALUATION_ROWS, None):
        padded = collate([rows[number] for number in numbers], {}, networks.pad_token(network))
        batch = to_tensors(padded, machine.device)
        hidden = network.hidden(batch.ids, batch.mask)
        mask = batch.mask.unsqueeze(-1)
        found[numbers] = ((hidden * mask).sum(dim=1) / mask.sum(dim=1)).float().cpu().numpy()
    return found


def _background(corpus: Corpus, but: Sequence[str]) -> list[Example]:
    texts = [one for one in corpus.train if one.text not in set(but)]
    return random.Random(7).sample(texts, min(BACKGROUND, len(texts)))


def _spread(known: Known, corpus: Corpus, background: Sequence[Example], vectors: Any) -> float:
    """Takes the text heads whose labels are names of topics: those with more labels than a scale of moods has."""
    described: list[Any] = []
    members: list[Any] = []
    for head, one in corpus.heads.items():
        if one.kind == "text" and len(one.labels) > 5:
            described += list(known.vectors(one.labels))
            members += [
                np.array([each.labels.get(head) == number for each in background]) for number in range(len(one.labels))
            ]
    if not described:
        raise TrainingError("the data sets have no topics to learn from how near is near; give examples instead")
    return spread_of_known(described, members, vectors)


def _check_name(network: networks.HeadedEncoder, name: str) -> None:
    known = {label for one in network.specs.values() for label in one.labels}
    if not name or "." in name or name in known:
        raise TrainingError(f"a topic cannot be called {name!r}: empty, with a dot, or a label that is there already")


def _save(network: networks.HeadedEncoder, run: Path, name: str, made: TopicHead) -> None:
    head = nn.Linear(len(made.weights), 2)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(np.stack([np.zeros_like(made.weights), made.weights])))
        head.bias.copy_(torch.tensor([0.0, made.bias]))
    network.heads[ADDED_TOPIC + name] = head
    network.specs[ADDED_TOPIC + name] = HeadSpec("text", (OTHER, name))
    networks.save(network.cpu(), run / BEST)
