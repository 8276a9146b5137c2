"""Teachers label texts for every head, in parts that are kept: a run cut off goes on at the next part."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from models.spans import Span
from models.token_heads import names_of
from models.training.data.batches import Encoded, EntityTokens, bucketed, collate, encode
from models.training.data.dataset import NAMES_HEAD
from models.training.data.example import UNKNOWN, Example
from models.training.data.soft import SoftLabels, mean_of, read_soft, with_entities, write_soft
from models.training.data.tags import touched
from models.training.encoder import network as networks
from models.training.encoder.device import EVALUATION_ROWS, Machine, autocast
from models.training.encoder.tensors import Tensors, to_tensors
from models.training.errors import TrainingError
from models.training.reports.record import BEST, run_record
from models.training.reports.reporter import Reporter

__all__ = ["label_texts", "teacher_name"]

PART_ROWS = 4_096
"""Texts a file: a few minutes of a teacher's work on two cores."""

MOST_GUESSED = 4
"""Names that are judged in a text without marked names: a list of thirty tickers teaches little."""


def label_texts(
    teachers: Sequence[Path], examples: Sequence[Example], folder: Path, machine: Machine, reporter: Reporter
) -> list[SoftLabels]:
    """Returns the mean of what `teachers`, folders of runs, think of each example; `folder` keeps what each said.

    If a text's entities are not marked, the first teacher finds its names, and all judge those. Raises
    `TrainingError` when a folder holds no finished run.
    """
    asked = list(examples)
    said: list[list[SoftLabels]] = []
    for teacher in teachers:
        labels = _labels_of(teacher, asked, folder, machine, reporter)
        asked = [with_entities(example, soft) for example, soft in zip(asked, labels, strict=True)]
        said.append(labels)
    return [mean_of(each) for each in zip(*said, strict=True)]


def teacher_name(run: Path) -> str:
    """Returns a name for a teacher that changes with its weights: its encoder, step and score."""
    record = run_record(run)
    if record is None or not record.get("best"):
        raise TrainingError(f"{run} holds no trained network; name the folder that moodwire model train wrote")
    best = record["best"]
    seed = record["plan"]["seed"]
    return f"{record['encoder']}-seed{seed}-step{best['step']}-{best['score']:.4f}"


def _labels_of(
    teacher: Path, examples: Sequence[Example], folder: Path, machine: Machine, reporter: Reporter
) -> list[SoftLabels]:
    name = teacher_name(teacher)
    folder.mkdir(parents=True, exist_ok=True)
    network: networks.HeadedEncoder | None = None
    tokenizer = Tokenizer.from_file(str(teacher / BEST / "tokenizer.json"))
    max_tokens = int((run_record(teacher) or {})["plan"]["max_tokens"])
    found: list[SoftLabels] = []
    with reporter.bar(f"{name} labels: texts", len(examples)) as advance:
        for start in range(0, len(examples), PART_ROWS):
            part = examples[start : start + PART_ROWS]
            texts = [example.text for example in part]
            path = folder / f"{name}-{_digest(part)}.npz"
            if not path.exists():
                network = network or networks.load(teacher / BEST).to(machine.device)
                write_soft(path, _ask(network, tokenizer, part, max_tokens, machine), name, texts)
            found += read_soft(path, texts)
            advance(len(part), "")
    return found


@torch.no_grad()
def _ask(
    network: networks.HeadedEncoder,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    max_tokens: int,
    machine: Machine,
) -> list[SoftLabels]:
    """Asks for texts and words, then, from the same pass of the encoder, for the entities: the marked or the found."""
    network.eval()
    rows = encode(tokenizer, examples, max_tokens)
    encodings = tokenizer.encode_batch([example.text for example in examples])
    found: dict[int, SoftLabels] = {}
    for numbers in bucketed([len(row.ids) for row in rows], EVALUATION_ROWS, None):
        batch = _tensors(network, [rows[number] for number in numbers], machine)
        with autocast(machine.precision, machine.device):
            hidden = network.hidden(batch.ids, batch.mask)
            first = _shares(network.answers(hidden, batch.mask, {}))
        places = [_places(network, examples[number], encodings[number], first, at) for at, number in enumerate(numbers)]
        asked = [_asking(rows[number], encodings[number], spans) for number, spans in zip(numbers, places, strict=True)]
        again = _tensors(network, asked, machine)
        with autocast(machine.precision, machine.device):
            judged = _shares(network.answers(hidden, again.mask, again.spans))
        of_head = {head: iter(judged[head]) for head in again.entities}
        for at, number in enumerate(numbers):
            entities = {head: {span: next(of_head[head]) for span in spans} for head, spans in places[at].items()}
            texts = {head: first[head][at] for head, one in network.specs.items() if one.kind == "text"}
            words = _by_word(encodings[number], first[NAMES_HEAD][at]) if NAMES_HEAD in first else {}
            found[number] = SoftLabels(texts, entities, words)
    return [found[number] for number in range(len(examples))]


def _places(
    network: networks.HeadedEncoder, example: Example, encoding: Any, shares: Mapping[str, Any], at: int
) -> dict[str, list[Span]]:
    """Returns by entity head the places to judge: those marked, else those of the names that the network finds."""
    heads = [name for name, one in network.specs.items() if one.kind == "entity"]
    marked = {head: [one.span for one in example.entities.get(head, ())] for head in heads}
    if all(marked.values()) or NAMES_HEAD not in shares:
        return marked
    names = names_of(example.text, encoding, shares[NAMES_HEAD][at, : len(encoding.ids)])
    guessed = [name.span for name in names][:MOST_GUESSED]
    return {head: spans or guessed for head, spans in marked.items()}


def _asking(row: Encoded, encoding: Any, places: Mapping[str, Sequence[Span]]) -> Encoded:
    entities = {
        head: [EntityTokens(touched(encoding.offsets, span), UNKNOWN) for span in spans]
        for head, spans in places.items()
    }
    return replace(row, entities=entities)


def _tensors(network: networks.HeadedEncoder, rows: Sequence[Encoded], machine: Machine) -> Tensors:
    return to_tensors(collate(rows, network.specs, networks.pad_token(network)), machine.device)


def _shares(logits: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    return {name: torch.softmax(one.float(), dim=-1).cpu().numpy() for name, one in logits.items()}


def _by_word(encoding: Any, tags: Any) -> dict[int, Any]:
    found: dict[int, Any] = {}
    before: int | None = None
    for word, (start, _), tag in zip(encoding.word_ids, encoding.offsets, tags[: len(encoding.ids)], strict=True):
        if word is not None and word != before:
            found[start] = tag
        before = word
    return found


def _digest(part: Sequence[Example]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for example in part:
        places = [(head, one.span.start, one.span.end) for head, each in example.entities.items() for one in each]
        digest.update(f"{example.text}\n{places}\n".encode())
    return digest.hexdigest()
