"""A small network learns from labels and from what large ones think: what `moodwire model distil` does.

    teachers ─ label every text for every head ─> OUT/labels ─┐
    corpus, and texts made from it (other names, fewer words) ┴─> student ─> OUT/best

Hard labels where there are some, the teachers' probabilities everywhere (Hinton et al. 2015, arXiv 1503.02531).
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from models.artifact import TOKENIZER
from models.evaluation import behaviour_lists, load_behaviour_list
from models.training.augmentation.augmented import augmented, chosen
from models.training.augmentation.edits import edited, name_pool, only_new, unleaked
from models.training.augmentation.sentences import sentences
from models.training.augmentation.synonyms import Synonyms, with_synonyms
from models.training.data.batches import Encoded, encode
from models.training.data.corpus import Corpus, load_corpus
from models.training.data.example import Example
from models.training.data.heads import HeadSpec, read_heads
from models.training.data.leaks import HeldOut
from models.training.data.soft import SoftLabels, settled, sharpened, with_entities
from models.training.distillation.label import label_texts, teacher_name
from models.training.distillation.teaching import Teaching
from models.training.encoder import network as networks
from models.training.errors import TrainingError
from models.training.learning.losses import hard_loss, soft_loss
from models.training.learning.plan import Plan
from models.training.learning.run import Run, Setup, named
from models.training.reports.record import BEST

__all__ = ["distil"]


def distil(setup: Setup, plan: Plan, teaching: Teaching, *, stop_after: int | None = None) -> dict[str, Any]:
    """Teaches a student after `plan`, going on where an earlier call stopped, and returns the run's record.

    Raises `TrainingError` when a teacher is none, has other heads than the data sets, or the folder holds another run.
    """
    if not teaching.teachers:
        raise TrainingError("no teacher; name the folder of a run of moodwire model train with --teacher")
    if teaching.augment.get("rewritten") and teaching.rewriter is None:
        raise TrainingError("no rewriter; name the folder of a run of moodwire model pretrain with --rewriter")
    about = {
        "teachers": [teacher_name(teacher) for teacher in teaching.teachers],
        "soft_share": teaching.soft_share,
        "temperature": teaching.temperature,
        "augment": dict(teaching.augment),
        **({"rewriter": named(teaching.rewriter)} if teaching.rewriter else {}),
    }
    run = Run.open(setup, plan, about)
    corpus = load_corpus(setup.sets, setup.data)
    for teacher in teaching.teachers:
        _check_heads(teacher, corpus.heads)
    folder = teaching.labels or setup.out / "labels"
    texts = [*corpus.train, *_new_texts(corpus, teaching, folder, run)]
    run.reporter.say(f"{len(texts):,} texts to learn from, {len(texts) - len(corpus.train):,} of them made from others")
    thought = label_texts(teaching.teachers, texts, folder, run.machine, run.reporter)
    soft = [settled(text, one, plan.label_smoothing) for text, one in zip(texts, thought, strict=True)]
    train, dev = _encoded(setup.encoder, texts, corpus.dev, soft, plan.max_tokens, teaching.temperature)
    return run.train(corpus, train, dev, _loss(plan, teaching), stop_after)


def _check_heads(teacher: Path, heads: Mapping[str, HeadSpec]) -> None:
    known = read_heads(teacher / BEST)
    if known != heads:
        raise TrainingError(
            f"{teacher} answers {', '.join(known)}, the data sets teach {', '.join(heads)}; train the teacher on the "
            "same data sets"
        )


def _new_texts(corpus: Corpus, teaching: Teaching, folder: Path, run: Run) -> list[Example]:
    """Makes new texts; a text head with the labels of an entity head judges alike whatever the names are."""
    kinds, encoder, seed = teaching.augment, run.setup.encoder, run.plan.seed
    if not kinds:
        return []
    judging = {one.labels for one in corpus.heads.values() if one.kind == "entity"}
    kept = [name for name, one in corpus.heads.items() if one.kind == "text" and one.labels in judging]
    held_out = HeldOut([one.text for each in [*corpus.tests.values(), corpus.dev] for one in each])
    made = edited(corpus.train, kinds, held_out, random.Random(seed), kept)
    made += _sentences(corpus, kinds, seed)
    made += _synonyms(corpus, encoder, kinds, held_out, seed)
    return made + _augmented(corpus, teaching, held_out, folder, run)


def _synonyms(corpus: Corpus, encoder: Path, kinds: Mapping[str, float], held_out: HeldOut, seed: int) -> list[Example]:
    """Makes texts in other words, which are like by the student's own encoder."""
    share, chance = kinds.get("other_words", 0.0), random.Random(f"{seed} other words")
    if not share:
        return []
    like = Synonyms(*networks.word_vectors(encoder))
    made = [with_synonyms(one, like, chance) for one in corpus.train if chance.random() < share]
    return only_new(made, corpus.train, held_out)


def _augmented(corpus: Corpus, teaching: Teaching, held_out: HeldOut, folder: Path, run: Run) -> list[Example]:
    """Lets the rewriter put other words into some texts."""
    share, seed = teaching.augment.get("rewritten", 0.0), run.plan.seed
    if not share or not teaching.rewriter:
        return []
    old = chosen(corpus.train, share, random.Random(f"{seed} rewritten"))
    made = augmented(old, teaching.rewriter, folder, seed, run.machine, run.reporter)
    return only_new(made, corpus.train, held_out)


def _sentences(corpus: Corpus, kinds: Mapping[str, float], seed: int) -> list[Example]:
    """Makes sentences; none is one of those that behaviour is tested by, nor nearly so."""
    count = round(kinds.get("sentences", 0.0) * len(corpus.train))
    if not count:
        return []
    made = sentences(count, corpus.heads, name_pool(corpus.train), random.Random(seed))
    tests = [test for name in behaviour_lists() for test in load_behaviour_list(name).tests]
    tested = HeldOut(text for test in tests for text in test.texts)
    return unleaked(made, tested)


def _encoded(
    encoder: Path,
    texts: Sequence[Example],
    dev: Sequence[Example],
    soft: Sequence[SoftLabels],
    max_tokens: int,
    temperature: float,
) -> tuple[list[Encoded], list[Encoded]]:
    tokenizer = Tokenizer.from_file(str(encoder / TOKENIZER))
    asked = [with_entities(example, one) for example, one in zip(texts, soft, strict=True)]
    at = [_at_temperature(one, temperature) for one in soft]
    rows = encode(tokenizer, [*asked, *dev], max_tokens, [*at, *([None] * len(dev))])
    return rows[: len(texts)], rows[len(texts) :]


def _at_temperature(soft: SoftLabels, temperature: float) -> SoftLabels:
    if temperature == 1:
        return soft
    return SoftLabels(
        texts={head: sharpened(one, temperature) for head, one in soft.texts.items()},
        entities={
            head: {span: sharpened(one, temperature) for span, one in spans.items()}
            for head, spans in soft.entities.items()
        },
        names={start: sharpened(one, temperature) for start, one in soft.names.items()},
    )


def _loss(plan: Plan, teaching: Teaching) -> Any:
    def loss(logits: Mapping[str, torch.Tensor], batch: Any) -> torch.Tensor:
        hard = hard_loss(logits, batch, plan.head_weights, plan.label_smoothing)
        soft = soft_loss(logits, batch, plan.head_weights, teaching.temperature)
        return (1 - teaching.soft_share) * hard + teaching.soft_share * soft

    return loss
