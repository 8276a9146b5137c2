"""Adapters, topics added afterwards, and a search for plans. Needs the extra `train`."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("transformers", reason="training needs the extra `train`")
pytest.importorskip("tensorboard", reason="training needs the extra `train`")
pytest.importorskip("peft", reason="training needs the extra `train`")
pytest.importorskip("optuna", reason="training needs the extra `train`")

import numpy as np
import torch

from models.training.data.corpus import load_corpus
from models.training.encoder import network as networks
from models.training.encoder.device import Machine
from models.training.encoder.lora import add_adapters, folded
from models.training.errors import TrainingError
from models.training.learning.plan import Plan
from models.training.learning.train import train
from models.training.learning.tune import tune
from models.training.topics.heads import Known, add_topic, added_topics, remove_topic
from tests.models.training.small_runs import setup

PLAN = Plan(epochs=2, batch_rows=16, max_tokens=24, learning_rate=1e-3, head_learning_rate=1e-2)
CPU = Machine(torch.device("cpu"))


def test_folded_adapters_answer_as_adapters_do(small_encoder: Path) -> None:
    network = networks.from_pretrained(small_encoder, {})
    names = set(network.state_dict())
    add_adapters(network, 4, 0.0)
    with torch.no_grad():
        for name, one in network.named_parameters():
            if "lora_B" in name:
                one.normal_()
    ids = torch.randint(4, 60, (3, 7))
    network.eval()
    whole = folded(network)
    assert set(whole.state_dict()) == names
    torch.testing.assert_close(
        whole.hidden(ids, torch.ones_like(ids)), network.hidden(ids, torch.ones_like(ids)), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("freeze_layers", [0, 2])
def test_a_run_with_adapters_leaves_a_network_as_any_other(
    freeze_layers: int, small_data: Path, small_encoder: Path, tmp_path: Path
) -> None:
    plan = replace(PLAN, lora_rank=4, freeze_layers=freeze_layers)
    train(setup(small_data, small_encoder, tmp_path / "run", restart=True), plan)
    before = networks.from_pretrained(small_encoder, {}).state_dict()
    after = networks.load(tmp_path / "run" / "best").state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert all(name.endswith("weight") and ".layer." in name and "LayerNorm" not in name for name in changed)
    if freeze_layers:
        assert all(".layer.2." in name for name in changed)


def test_a_topic_from_examples_is_a_head_and_can_be_taken_out(
    small_data: Path, small_encoder: Path, tmp_path: Path
) -> None:
    run = setup(small_data, small_encoder, tmp_path / "run", restart=True)
    train(run, replace(PLAN, epochs=10, patience=10))
    corpus = load_corpus(run.sets, run.data)
    rising = [one.text for one in corpus.train if one.labels.get("sentiment") == 2]
    before = Known.open(run.out, CPU)
    answers = before.network(torch.tensor([[2, 4, 6, 3]]), torch.ones(1, 4, dtype=torch.int64))
    add_topic(run.out, "Rises", rising[:16], corpus, CPU)
    assert added_topics(run.out) == ["Rises"]
    after = Known.open(run.out, CPU)
    again = after.network(torch.tensor([[2, 4, 6, 3]]), torch.ones(1, 4, dtype=torch.int64))
    assert torch.equal(answers["sentiment"], again["sentiment"])
    with pytest.raises(TrainingError, match="a label that is there already"):
        add_topic(run.out, "Rises", rising[:16], corpus, CPU)
    fresh = {one.text: one.labels.get("sentiment") == 2 for one in corpus.tests["texts"]}
    weights, bias = (one.detach().numpy().astype(np.float64) for one in after.network.heads["topic/Rises"].parameters())
    logits = (after.vectors(list(fresh)) @ weights.T + bias)[:, 1]
    of_it = np.array(list(fresh.values()))
    # A third of the background is of the topic and nobody has said so: the threshold is off, the order is not.
    assert (logits[of_it][:, None] > logits[~of_it][None, :]).mean() > 0.9
    remove_topic(run.out, "Rises")
    assert added_topics(run.out) == []
    with pytest.raises(TrainingError, match="no added topic 'Rises'"):
        remove_topic(run.out, "Rises")


def test_a_search_goes_on_where_it_was_and_beats_a_bad_plan(
    small_data: Path, small_encoder: Path, tmp_path: Path
) -> None:
    bad = replace(PLAN, learning_rate=2e-5, head_learning_rate=3e-4, epochs=3)

    def trial(plan: Plan, folder: Path, listen: object) -> object:
        return train(setup(small_data, small_encoder, folder, restart=True), plan, listen=listen)  # type: ignore[arg-type]

    for _ in range(2):
        best = tune(bad, trial, tmp_path, trials=3, names=("learning_rate", "head_learning_rate"))  # type: ignore[arg-type]
    assert len(list(tmp_path.glob("trial-*"))) == 6
    assert (best.learning_rate, best.head_learning_rate) > (2e-5, 3e-4)
    assert not list(tmp_path.glob("trial-*/resume.pt"))
    with pytest.raises(TrainingError, match="cannot tune colour"):
        tune(bad, trial, tmp_path, trials=1, names=("colour",))  # type: ignore[arg-type]
