"""From a trained network to an artifact: compared, calibrated, measured, or refused. Needs the extra `train`."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("onnxscript", reason="exporting needs the extra `train`")

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import BertConfig, BertModel, MPNetConfig, MPNetModel

from models import OnnxClassifier, find_span
from models.evaluation import load_behaviour_list
from models.training.data.heads import TAGS, HeadSpec
from models.training.encoder import network as networks
from models.training.errors import TrainingError
from models.training.export import export as exporting
from models.training.export.export import ExportPlan, export
from models.training.export.parity import HeadParity, refuse_if_apart
from models.training.graph.nodes import Precision, Weights
from streams.lifecycle.training_code import read_datasets

POLES = ("negative", "neutral", "positive")
HEADS = {
    "sentiment": HeadSpec("text", POLES),
    "entity": HeadSpec("entity", POLES),
    "names": HeadSpec("names", TAGS),
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "ore", "tin", "falls", "rises", "meets", "as", *map(str, range(60))]
SIZES = {
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
}

TEXTS = """
name: texts
licence: CC0
head: sentiment
head_labels: [negative, neutral, positive]
label: verdict
label_map: {negative: negative, neutral: neutral, positive: positive}
splits: {train: train.csv, test: test.csv}
"""
ENTITIES = """
name: entities
licence: CC0
kind: entities
head: entity
head_labels: [negative, neutral, positive]
label: verdicts
label_map: {negative: negative, neutral: neutral, positive: positive}
names: true
splits: {train: entities.csv, test: entities_test.csv}
"""


def bert() -> nn.Module:
    return BertModel(BertConfig(**SIZES), add_pooling_layer=False)


def bert_with_relu() -> nn.Module:
    return BertModel(BertConfig(**SIZES, hidden_act="relu"), add_pooling_layer=False)


def mpnet() -> nn.Module:
    return MPNetModel(MPNetConfig(**SIZES), add_pooling_layer=False)


def make_run(folder: Path, encoder: Callable[[], nn.Module]) -> Path:
    """A folder as training leaves it: the network, its tokenizer, and the record."""
    torch.manual_seed(5)
    best = folder / "run" / "best"
    networks.save(networks.HeadedEncoder(encoder(), HEADS).eval(), best)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(best / "tokenizer.json"))
    (folder / "run" / "run.json").write_text(json.dumps({"plan": {"max_tokens": 24}}), encoding="utf-8")
    return folder / "run"


def make_data(folder: Path) -> Path:
    words = {"falls": "negative", "meets": "neutral", "rises": "positive"}
    for part, numbers in (("train", range(40)), ("test", range(40, 60))):
        rows = [f"ore {word} {number},{verdict}" for number in numbers for word, verdict in words.items()]
        (folder / f"{part}.csv").write_text("\n".join(["text,verdict", *rows]) + "\n", encoding="utf-8")
    for part, numbers in (("entities", range(40)), ("entities_test", range(40, 60))):
        rows = [f"ore falls as tin rises {number},\"{{'ore': 'negative', 'tin': 'positive'}}\"" for number in numbers]
        (folder / f"{part}.csv").write_text("\n".join(["text,verdicts", *rows]) + "\n", encoding="utf-8")
    (folder / "texts.yaml").write_text(TEXTS, encoding="utf-8")
    (folder / "entities.yaml").write_text(ENTITIES, encoding="utf-8")
    return folder


def plan_of(folder: Path, encoder: Callable[[], nn.Module], precision: Precision) -> ExportPlan:
    data = make_data(folder)
    sets = read_datasets([data / "texts.yaml", data / "entities.yaml"])
    return ExportPlan(
        run=make_run(folder, encoder),
        out=folder / "tiny",
        version="2.0.0",
        precision=precision,
        base_model="none (CC0)",
        data=data,
        sets=sets,
    )


@pytest.mark.parametrize("encoder", [bert, bert_with_relu, mpnet], ids=lambda one: one.__name__)
@pytest.mark.parametrize("precision", ["int8", "fp16", "fp32"])
def test_an_artifact_answers_for_every_head(
    tmp_path: Path, encoder: Callable[[], nn.Module], precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "refuse_if_apart", lambda found, kept: None)  # untrained labels stand on the fence
    metrics = export(plan_of(tmp_path, encoder, precision))
    assert [one["name"] for one in metrics["sets"]] == ["texts, sentiment", "entities, entity"]
    assert all(one["largest_difference"] < 0.05 for one in metrics["parity"])
    assert metrics["names"][0]["names"] == 40
    text = "ore falls as tin rises 7"
    with OnnxClassifier.load(tmp_path / "tiny") as model:
        assert model.artifact.max_tokens == 24
        spans = [[find_span(text, "ore"), find_span(text, "tin")]]
        assert model.classify([text], entities=spans)["entity"].shape == (2, 3)
        assert model.artifact.of_kind("names")
        assert asdict(model.artifact.heads["sentiment"].scaling) == metrics["scaling"]["sentiment"]


def test_what_is_written_vouches_for_itself_and_quotes_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "refuse_if_apart", lambda found, kept: None)
    export(plan_of(tmp_path, bert, "int8"))
    manifest = json.loads((tmp_path / "tiny" / "artifact.json").read_text(encoding="utf-8"))
    assert manifest["format"] == 2
    assert manifest["heads"]["entity"]["kind"] == "entity"
    metrics = json.loads((tmp_path / "tiny" / "metrics.json").read_text(encoding="utf-8"))
    assert all(one["errors"] == [] for one in metrics["sets"])
    card = (tmp_path / "tiny" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "# tiny 2.0.0" in card
    assert f"{metrics['sets'][0]['score']['accuracy']:.4f}" in card
    assert "ore falls" not in card


def test_a_network_that_answers_otherwise_is_refused_and_the_old_folder_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(tmp_path, bert, "fp32")
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "kept").write_text("old", encoding="utf-8")
    exact = exporting.read_weights

    def altered(folder: Path) -> Weights:
        weights = dict(exact(folder))
        weights["heads.sentiment.bias"] = weights["heads.sentiment.bias"] + np.array([1, 0, 0], np.float32)
        return weights

    monkeypatch.setattr(exporting, "read_weights", altered)
    with pytest.raises(TrainingError, match=r"fp32 network is not the trained one: on 60 rows of texts, sentiment"):
        export(plan)
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["kept"]
    assert not list(tmp_path.glob(".export-*"))


def test_without_data_an_artifact_is_written_unmeasured(tmp_path: Path) -> None:
    metrics = export(
        ExportPlan(
            run=make_run(tmp_path, bert),
            out=tmp_path / "tiny",
            version="1",
            behaviour=load_behaviour_list("finance-en"),
        )
    )
    assert "sets" not in metrics
    with OnnxClassifier.load(tmp_path / "tiny") as model:
        assert model.classify(["ore falls"])["sentiment"].shape == (1, 3)
    assert "## Scores" not in (tmp_path / "tiny" / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_run_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, bert)
    (run / "best" / "tokenizer.json").unlink()
    with pytest.raises(TrainingError, match=r"has a tokenizer.json"):
        export(ExportPlan(run=run, out=tmp_path / "tiny", version="1", behaviour=load_behaviour_list("finance-en")))


def parity(*, agreement: float = 1.0, difference: float = 0.0, lost: float = 0.0, rows: int = 1_000) -> HeadParity:
    return HeadParity("set", "head", rows, agreement, difference, 0.9 - lost, 0.9)


@pytest.mark.parametrize(
    ("precision", "good", "bad"),
    [
        ("fp32", parity(difference=0.0009), parity(difference=0.0011)),
        ("fp16", parity(agreement=0.999), parity(agreement=0.998)),
        ("int8", parity(lost=0.0049, agreement=0.98), parity(lost=0.0051)),
        ("fp16", parity(agreement=0.99, rows=100), parity(agreement=0.98, rows=100)),
        ("int8", parity(lost=0.02, rows=100), parity(lost=0.03, rows=100)),
    ],
)
def test_each_precision_has_its_own_rule(precision: Precision, good: HeadParity, bad: HeadParity) -> None:
    refuse_if_apart([good, good], precision)
    with pytest.raises(TrainingError, match="export it in another precision"):
        refuse_if_apart([good, bad], precision)
