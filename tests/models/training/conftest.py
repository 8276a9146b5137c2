"""A labelled corpus of a few words, and an encoder of a few numbers: a run takes a second."""

import random
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from tests.models.training.small_words import FILLERS, WORDS, write_tokenizer

VERDICT = {"rises": "positive", "falls": "negative", "meets": "neutral"}


@pytest.fixture
def small_data(tmp_path: Path) -> Path:
    """A folder with two data sets: texts with a sentiment, and texts with a verdict for each of two names."""
    folder = tmp_path / "data"
    folder.mkdir()
    chance = random.Random(3)
    texts = [_sentence(chance) for _ in range(300)]
    lines = [f"{text},{VERDICT[verb]}" for text, verb in texts]
    (folder / "texts.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    (folder / "texts.yaml").write_text(
        "name: texts\nlicence: MIT\nhead: sentiment\nhead_labels: [negative, neutral, positive]\nlabel: label\n"
        "label_map: {negative: negative, neutral: neutral, positive: positive}\n"
        "splits: {all: texts.csv, test_share: 0.1}\n",
        encoding="utf-8",
    )
    pairs = [_pair(chance) for _ in range(200)]
    lines = [f'{text},"{verdicts}"' for text, verdicts in pairs]
    (folder / "pairs.csv").write_text("\n".join(["title,verdicts", *lines]) + "\n", encoding="utf-8")
    (folder / "pairs.yaml").write_text(
        "name: pairs\nlicence: MIT\nkind: entities\nhead: entity\nhead_labels: [negative, neutral, positive]\n"
        "text: title\nlabel: verdicts\nlabel_map: {negative: negative, neutral: neutral, positive: positive}\n"
        "names: true\nsplits: {all: pairs.csv, test_share: 0.1}\n",
        encoding="utf-8",
    )
    return folder


def _sentence(chance: random.Random) -> tuple[str, str]:
    verb = chance.choice(list(VERDICT))
    rest = " ".join(chance.choice(FILLERS) for _ in range(chance.randint(2, 9)))
    return f"{chance.choice(['Acme', 'Oreon'])} {verb} {rest}", verb


def _pair(chance: random.Random) -> tuple[str, str]:
    one, other = chance.sample(list(VERDICT), 2)
    text = f"Acme {one} as Oreon {other} {' '.join(chance.choice(FILLERS) for _ in range(5))}"
    return text, f"{{'Acme': '{VERDICT[one]}', 'Oreon': '{VERDICT[other]}'}}"


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights: 3 layers of 16 and 66 words."""
    return _encoder(tmp_path_factory.mktemp("small-encoder"), vocab_size=len(WORDS), num_hidden_layers=3)


@pytest.fixture(scope="session")
def hiding_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with random weights, 2 layers of 16, whose tokenizer can hide words."""
    apart = 0.3  # words that differ: those that are guessed are told apart by these very vectors
    folder = tmp_path_factory.mktemp("hiding") / "small"
    _encoder(folder, vocab_size=len(WORDS) + 1, num_hidden_layers=2, initializer_range=apart)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _encoder(folder: Path, **more: Any) -> Path:
    torch = pytest.importorskip("torch", reason="training needs the extra `train`")
    transformers = pytest.importorskip("transformers", reason="training needs the extra `train`")
    torch.manual_seed(1)
    config = transformers.BertConfig(
        hidden_size=16, num_attention_heads=4, intermediate_size=32, max_position_embeddings=24, **more
    )
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    write_tokenizer(folder)
    return folder
