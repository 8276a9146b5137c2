"""What is trained is what is exported, head by head. Needs the extra `train`."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="exporting needs the extra `train`")

import onnxruntime as ort
import torch
from transformers import BertConfig, BertModel

from models.training.data.heads import TAGS, HeadSpec
from models.training.encoder import network as networks
from models.training.errors import TrainingError
from models.training.graph.bert import BertShape
from models.training.graph.written import build

HEADS = {
    "sentiment": HeadSpec("text", ("negative", "neutral", "positive")),
    "entity": HeadSpec("entity", ("negative", "neutral", "positive")),
    "names": HeadSpec("names", TAGS),
}
CONFIG = BertConfig(
    vocab_size=50,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=32,
    max_position_embeddings=12,
)


@pytest.fixture(params=["gelu", "relu"])
def checkpoint(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    torch.manual_seed(1)
    config = BertConfig.from_dict(CONFIG.to_dict(), hidden_act=request.param)
    encoder = BertModel(config, add_pooling_layer=False)
    networks.save(networks.HeadedEncoder(encoder, HEADS).eval(), tmp_path)
    return tmp_path


def test_the_exported_graph_answers_as_the_trained_network(checkpoint: Path) -> None:
    ids = torch.randint(0, 50, (4, 9))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    rows, tokens = torch.tensor([0, 1, 1]), torch.zeros(3, 9)
    tokens[0, 1:3] = tokens[1, 4] = tokens[2, 2:5] = 1
    with torch.no_grad():
        wanted = networks.load(checkpoint)(ids, mask, {"entity": (rows, tokens)})
    config = BertConfig.from_pretrained(checkpoint)
    shape = BertShape(
        layers=config.num_hidden_layers,
        attention_heads=config.num_attention_heads,
        epsilon=config.layer_norm_eps,
        max_tokens=12,
        activation=config.hidden_act,
    )
    weights = {name.removeprefix("encoder."): one.numpy() for name, one in networks.read_state(checkpoint).items()}
    graph = build(weights, HEADS, shape, precision="fp32")
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    fed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    found = dict(zip(HEADS, session.run(list(HEADS), fed), strict=True))
    each = [found["entity"][row][tokens[at].bool()].mean(axis=0) for at, row in enumerate(rows)]
    np.testing.assert_allclose(found["sentiment"], wanted["sentiment"].numpy(), atol=1e-4)
    np.testing.assert_allclose(each, wanted["entity"].numpy(), atol=1e-4)
    kept = mask.bool().numpy()
    np.testing.assert_allclose(found["names"][kept], wanted["names"].numpy()[kept], atol=1e-4)


def test_a_text_without_entities_leaves_the_entity_head_out(checkpoint: Path) -> None:
    ids = torch.randint(0, 50, (2, 5))
    assert set(networks.load(checkpoint)(ids, torch.ones_like(ids))) == {"sentiment", "names"}


def test_another_activation_takes_the_place_of_the_encoder_s(tmp_path: Path) -> None:
    BertModel(CONFIG, add_pooling_layer=False).save_pretrained(tmp_path / "encoder")
    made = networks.from_pretrained(tmp_path / "encoder", HEADS, activation="relu")
    networks.save(made, tmp_path / "kept")
    assert BertConfig.from_pretrained(tmp_path / "kept").hidden_act == "relu"
    ids = torch.randint(0, 50, (4, 9))
    own = networks.from_pretrained(tmp_path / "encoder", HEADS).eval()
    each = (own, made.eval(), networks.load(tmp_path / "kept"))
    with torch.no_grad():
        bent, cut, kept = (one.hidden(ids, torch.ones_like(ids)) for one in each)
    assert not torch.allclose(bent, cut)
    assert torch.equal(cut, kept)


def test_an_unknown_activation_is_refused_by_name(tmp_path: Path) -> None:
    BertModel(CONFIG, add_pooling_layer=False).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match=r"no activation 'relo'.*relu"):
        networks.from_pretrained(tmp_path, HEADS, activation="relo")
