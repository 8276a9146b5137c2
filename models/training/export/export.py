"""Turn a trained network into artifacts: written, compared with the network, calibrated, measured, described.

    network ─ graph ─> model.onnx ─┬─ parity: refused when it answers otherwise than the network
                                   ├─ dev: scaling and thresholds ────> artifact.json
                                   └─ held-out sets, behaviour ─> metrics.json, MODEL_CARD.md

All of it happens in a folder beside the target, which is put in its place when nothing was refused.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import onnx
from tokenizers import Tokenizer

from models.artifact import MANIFEST, NETWORK, TOKENIZER, Head, format_for, load_artifact
from models.classifier import OnnxClassifier
from models.dataset import DataSet
from models.evaluation import (
    BehaviourList,
    Evaluation,
    LabelledNames,
    LabelledSet,
    evaluate_artifact,
)
from models.text import normalise
from models.training.data.corpus import load_corpus
from models.training.data.dataset import shipped_datasets
from models.training.data.heads import read_heads
from models.training.data.labelled import dev_sets, held_out_sets
from models.training.encoder import network as networks
from models.training.errors import TrainingError
from models.training.export.parity import HeadParity, compare, refuse_if_apart, trained_classifier
from models.training.graph import ACTIVATIONS, BertShape, Precision, Weights, build, build_traced
from models.training.reports.card import model_card

__all__ = ["ExportPlan", "export", "onnx_of", "read_weights", "write_artifact"]

METRICS, CARD = "metrics.json", "MODEL_CARD.md"
LICENCE = "Apache-2.0"
REQUIRES = {"onnxruntime": ">=1.24", "tokenizers": ">=0.21", "numpy": ">=2.1"}


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is made of which network. `run` is the folder that training wrote, or that of a network itself.

    The folder `out` becomes the artifact; its name is the model's. With `data` the artifact is compared,
    calibrated and measured on `sets`; without, its logits stay as they are.
    """

    run: Path
    out: Path
    version: str
    precision: Precision = "int8"
    language: str = "en"
    base_model: str = ""
    licence: str = LICENCE
    max_tokens: int = 0
    """Tokens kept of a text; 0: as many as the run was trained with."""
    data: Path | None = None
    sets: Sequence[DataSet] = field(default_factory=shipped_datasets)
    behaviour: BehaviourList | None = None
    """The tests of behaviour that it is measured by."""
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By head the places of its labels from -1 to 1, for heads with a direction."""
    traced: bool = False
    """Trace also what could be written by hand."""

    @property
    def network(self) -> Path:
        """The folder that holds the network's weights."""
        return self.run / "best" if (self.run / "best").is_dir() else self.run

    @property
    def record(self) -> dict[str, Any]:
        """What training noted of the run; empty where it noted nothing."""
        path = self.run / "run.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    @property
    def smoothing(self) -> float:
        """The label smoothing that it was taught with."""
        return float(self.record.get("plan", {}).get("label_smoothing", 0.0))

    @property
    def tokens(self) -> int:
        """Tokens kept of a text."""
        return self.max_tokens or int(self.record.get("plan", {}).get("max_tokens", 96))


def export(plan: ExportPlan) -> dict[str, Any]:
    """Makes the artifact in `plan.out` and returns its metrics.

    Raises `TrainingError` when the network cannot be read, or when the exported one answers otherwise than its
    precision allows: then `plan.out` stays as it was.
    """
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=plan.out.parent) as beside:
        made = Path(beside) / plan.out.name
        write_artifact(plan, made, _plain_heads(plan))
        metrics: dict[str, Any] = {"name": plan.out.name, "version": plan.version, "precision": plan.precision}
        if plan.data is not None:
            metrics |= _proven(plan, made, plan.data)
        metrics["training"] = plan.record
        _write_json(made / METRICS, metrics)
        card = model_card(metrics, load_artifact(made), base_model=plan.base_model, licence=plan.licence)
        (made / CARD).write_text(card, encoding="utf-8")
        _put_in_place(made, plan.out)
    return metrics


def write_artifact(plan: ExportPlan, folder: Path, heads: Mapping[str, Head]) -> None:
    """Writes the network, the tokenizer and the manifest that vouches for them to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx_of(plan), str(folder / NETWORK))
    tokenizer = Tokenizer.from_file(str(_tokenizer_of(plan)))
    tokenizer.no_padding()
    tokenizer.enable_truncation(plan.tokens)
    tokenizer.save(str(folder / TOKENIZER), pretty=False)
    _write_manifest(plan, folder, heads)


def onnx_of(plan: ExportPlan) -> onnx.ModelProto:
    """Returns the plan's network as ONNX: a BERT written by hand, another encoder traced."""
    folder, heads = plan.network, read_heads(plan.network)
    weights = read_weights(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "bert" or config["hidden_act"] not in ACTIVATIONS or plan.traced:
        return build_traced(networks.load(folder).encoder, weights, heads, precision=plan.precision)
    shape = BertShape(
        layers=config["num_hidden_layers"],
        attention_heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        max_tokens=plan.tokens,
        activation=config["hidden_act"],
    )
    examples = _examples(plan) if plan.precision == "int8" else ()
    return build(weights, heads, shape, precision=plan.precision, examples=examples)


def _examples(plan: ExportPlan) -> list[list[int]]:
    """Token numbers of texts like those to come: the behaviour's, and dev's where there is data."""
    behaviour = plan.behaviour
    texts = [text for test in behaviour.tests for text in test.texts] if behaviour else []
    if plan.data is not None:
        texts += [example.text for example in load_corpus(plan.sets, plan.data).dev]
    tokenizer = Tokenizer.from_file(str(_tokenizer_of(plan)))
    tokenizer.no_padding()
    return [encoding.ids for encoding in tokenizer.encode_batch([normalise(text) for text in texts])]


def read_weights(folder: Path) -> Weights:
    """Reads a network's weights under the names that `graph.build` expects."""
    state = networks.read_state(folder)
    return {name.removeprefix("encoder."): tensor.float().numpy() for name, tensor in state.items()}


def _proven(plan: ExportPlan, made: Path, data: Path) -> dict[str, Any]:
    artifact = load_artifact(made)
    sets, names = held_out_sets(plan.sets, data, artifact)
    parity = _parity(plan, made, sets)
    refuse_if_apart(parity, plan.precision)
    heads = _calibrated(plan, made, dev_sets(plan.sets, data, artifact), artifact.heads)
    _write_manifest(plan, made, heads)
    return {
        "parity": [asdict(one) for one in parity],
        "scaling": {name: asdict(head.scaling) for name, head in heads.items()},
        **_figures(made, sets, names, plan),
    }


def _parity(plan: ExportPlan, made: Path, sets: Sequence[LabelledSet]) -> list[HeadParity]:
    trained = trained_classifier(load_artifact(made), networks.load(plan.network), _tokenizer_of(plan))
    with OnnxClassifier.load(made) as exported:
        return compare(trained, exported, sets)


def _calibrated(plan: ExportPlan, made: Path, dev: Sequence[LabelledSet], heads: Mapping[str, Head]) -> dict[str, Head]:
    calibration = evaluate_artifact(made, [], dev=dev, smoothings=(0.0, plan.smoothing)).calibration
    fitted = {one.head: replace(heads[one.head], scaling=one.fitted, threshold=one.threshold) for one in calibration}
    return {**heads, **fitted}


def _figures(
    made: Path, sets: Sequence[LabelledSet], names: Sequence[LabelledNames], plan: ExportPlan
) -> dict[str, Any]:
    """The evaluation without the errors to read: texts of the sets are not ours to ship."""
    evaluation: Evaluation = evaluate_artifact(made, sets, behaviour=plan.behaviour, names=names, values=plan.values)
    silent = replace(evaluation, sets=[replace(one, errors=[]) for one in evaluation.sets])
    return asdict(silent)


def _plain_heads(plan: ExportPlan) -> dict[str, Head]:
    return {name: Head(spec.labels, kind=spec.kind) for name, spec in read_heads(plan.network).items()}


def _write_manifest(plan: ExportPlan, folder: Path, heads: Mapping[str, Head]) -> None:
    manifest = {
        "format": format_for(heads),
        "name": plan.out.name,
        "version": plan.version,
        "language": plan.language,
        "precision": plan.precision,
        "max_tokens": plan.tokens,
        "heads": {name: _stated_head(head) for name, head in heads.items()},
        "files": {file: _stated_file(folder / file) for file in (NETWORK, TOKENIZER)},
        "requires": REQUIRES,
        "licence": plan.licence,
        "base_model": plan.base_model,
    }
    _write_json(folder / MANIFEST, manifest)


def _stated_head(head: Head) -> dict[str, Any]:
    stated: dict[str, Any] = {"labels": list(head.labels), "temperature": head.scaling.temperature}
    if head.kind != "text":
        stated["kind"] = head.kind
    measured = {"threshold": head.threshold, "smoothing": head.scaling.smoothing, "bias": list(head.scaling.bias)}
    return stated | {name: value for name, value in measured.items() if value}


def _stated_file(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _tokenizer_of(plan: ExportPlan) -> Path:
    for folder in (plan.network, plan.run):
        if (folder / TOKENIZER).is_file():
            return folder / TOKENIZER
    raise TrainingError(f"neither {plan.network} nor {plan.run} has a {TOKENIZER}; name the folder that training wrote")


def _put_in_place(made: Path, out: Path) -> None:
    """The new folder, or the old one: never a mixture."""
    old = out.with_name(f".old-{out.name}")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    made.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
