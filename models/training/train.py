"""Fine-tune the encoder on all heads at once: `python -m models.training.train --help`."""

import argparse
import json
import math
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from models.training import network as networks
from models.training.data import HEADS, UNLABELLED, Row, load_corpus


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides a run's result; written beside its checkpoints."""

    seed: int = 7
    epochs: int = 3
    batch_rows: int = 32
    max_tokens: int = 96
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    label_smoothing: float = 0.05
    with_sentfin: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row as token numbers."""

    ids: Sequence[int]
    labels: Mapping[str, int]


def encode(tokenizer: Tokenizer, rows: Sequence[Row], max_tokens: int) -> list[Encoded]:
    """Tokenise `rows`, each cut at `max_tokens`, without padding."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    encodings = tokenizer.encode_batch([row.text for row in rows])
    return [Encoded(encoding.ids, row.labels) for encoding, row in zip(encodings, rows, strict=True)]


def bucketed(rows: Sequence[Encoded], batch_rows: int, chance: random.Random) -> Iterator[list[Encoded]]:
    """Yield batches of rows of similar length, in random order.

    Rows are shuffled, cut into pools of 50 batches, sorted by length inside a pool: little padding, and
    still other neighbours every epoch.
    """
    order = list(rows)
    chance.shuffle(order)
    pool = 50 * batch_rows
    batches = []
    for start in range(0, len(order), pool):
        near = sorted(order[start : start + pool], key=lambda row: len(row.ids))
        batches += [near[at : at + batch_rows] for at in range(0, len(near), batch_rows)]
    chance.shuffle(batches)
    yield from batches


def collate(batch: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Pad a batch: ids and mask int64 [rows, longest], and the labels of each head int64 [rows]."""
    longest = max(len(row.ids) for row in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for at, row in enumerate(batch):
        ids[at, : len(row.ids)] = torch.tensor(row.ids)
        mask[at, : len(row.ids)] = 1
    return ids, mask, {head: torch.tensor([row.labels[head] for row in batch]) for head in HEADS}


def head_losses(logits: Sequence[torch.Tensor], labels: Mapping[str, torch.Tensor], smoothing: float) -> torch.Tensor:
    """Sum the heads' cross entropies over the rows that carry their label, divided by the batch's rows.

    Dividing by all rows weighs every label the same, whatever mixture the batch drew.
    """
    total = torch.zeros(())
    for scores, wanted in zip(logits, labels.values(), strict=True):
        loss = nn.functional.cross_entropy(
            scores, wanted, ignore_index=UNLABELLED, label_smoothing=smoothing, reduction="sum"
        )
        total = total + loss
    return total / len(logits[0])


def optimiser_for(network: networks.HeadedEncoder, plan: Plan) -> torch.optim.AdamW:
    """AdamW with its own rate for the fresh heads; biases and norms are not decayed."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("heads."), parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": plan.head_learning_rate if fresh else plan.learning_rate,
                "weight_decay": plan.weight_decay if matrix else 0.0,
            }
            for (fresh, matrix), parameters in groups.items()
        ],
        fused=True,
    )


def rate_at(step: int, steps: int, warmup: int) -> float:
    """Return the share of the learning rate at `step`: linear warm-up, then linear decay to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup))


@torch.no_grad()
def accuracies(network: networks.HeadedEncoder, rows: Sequence[Encoded]) -> dict[str, float]:
    """Return the share of right labels of each head over `rows`."""
    network.eval()
    right = dict.fromkeys(HEADS, 0)
    seen = dict.fromkeys(HEADS, 0)
    near = sorted(rows, key=lambda row: len(row.ids))
    for start in range(0, len(near), 64):
        ids, mask, labels = collate(near[start : start + 64])
        for head, scores in zip(HEADS, network(ids, mask), strict=True):
            labelled = labels[head] != UNLABELLED
            right[head] += int((scores.argmax(-1) == labels[head])[labelled].sum())
            seen[head] += int(labelled.sum())
    network.train()
    return {head: right[head] / max(1, seen[head]) for head in HEADS}


def train(data: Path, encoder: Path, out: Path, plan: Plan, threads: int) -> None:
    """Train after `plan` and leave `out/checkpoint-N`, `out/tokenizer.json`, `out/run.json`."""
    torch.set_num_threads(threads)
    torch.manual_seed(plan.seed)
    np.random.seed(plan.seed)
    chance = random.Random(plan.seed)
    corpus = load_corpus(data / "labelled", with_sentfin=plan.with_sentfin)
    for name, count in corpus.dropped.items():
        print(f"LEAK: dropped {count:,} rows of {name}: their text stands in a validation file", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(encoder / "tokenizer.json", out / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    rows = encode(tokenizer, corpus.train, plan.max_tokens)
    dev = encode(tokenizer, corpus.dev, plan.max_tokens)
    print(f"{len(rows):,} texts to train on, {len(dev):,} for dev", flush=True)
    network = networks.from_pretrained(encoder, HEADS)
    network.encoder.embeddings.requires_grad_(False)
    optimiser = optimiser_for(network, plan)
    steps = plan.epochs * math.ceil(len(rows) / plan.batch_rows)
    warmup = max(1, round(plan.warmup_share * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, steps, warmup))
    history: list[dict[str, float]] = []
    network.train()
    started = time.monotonic()
    step, running = 0, 0.0
    for epoch in range(1, plan.epochs + 1):
        for batch in bucketed(rows, plan.batch_rows, chance):
            ids, mask, labels = collate(batch)
            loss = head_losses(network(ids, mask), labels, plan.label_smoothing)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            step += 1
            running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
            if step % 50 == 0:
                spent = time.monotonic() - started
                left = spent / step * (steps - step)
                print(
                    f"epoch {epoch} step {step}/{steps} loss {running:.3f} {spent:.0f} s, {left:.0f} s left", flush=True
                )
        networks.save(network, out / f"checkpoint-{epoch}")
        history.append(accuracies(network, dev))
        print(f"epoch {epoch} dev {history[-1]}", flush=True)
        record = {"plan": asdict(plan), "dropped": corpus.dropped, "texts": len(rows), "dev": history}
        (out / "run.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds labelled/")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the pretrained encoder")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--learning-rate", type=float, default=usual.learning_rate)
    parser.add_argument("--with-sentfin", action="store_true", help="add SEntFiN's titles as sentiment rows")
    given = parser.parse_args(arguments)
    plan = Plan(
        seed=given.seed,
        epochs=given.epochs,
        learning_rate=given.learning_rate,
        with_sentfin=given.with_sentfin,
    )
    train(given.data, given.encoder, given.out, plan, given.threads)


if __name__ == "__main__":
    main()
