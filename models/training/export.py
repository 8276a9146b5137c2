"""Turn a training run into an artifact, measured: `python -m models.training.export --help`."""

import argparse
import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer

from models.artifact import FORMAT, MANIFEST, NETWORK, TOKENIZER
from models.classifier import OnnxClassifier
from models.training.card import model_card
from models.training.data import HEADS, UNLABELLED, load_corpus
from models.training.evaluate import HeadScore, evaluate, fitted_temperature
from models.training.graph import Precision, Weights, build

LICENCE = "Apache-2.0"
BASE_MODEL = "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)"
REQUIRES = {"onnxruntime": ">=1.20", "tokenizers": ">=0.21", "numpy": ">=2.1"}


def read_weights(checkpoint: Path) -> Weights:
    """Read a checkpoint's weights under the names that `graph.build` expects."""
    state = torch.load(checkpoint / "network.pt", map_location="cpu", weights_only=True)
    return {name.removeprefix("encoder."): tensor.numpy() for name, tensor in state.items()}


def write_artifact(
    run: Path, out: Path, *, name: str, version: str, precision: Precision, temperatures: Mapping[str, float]
) -> None:
    """Write `out/model.onnx`, `out/tokenizer.json` and the manifest that vouches for them."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    checkpoint = run / f"checkpoint-{len(record['dev'])}"
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    max_tokens = record["plan"]["max_tokens"]
    network = build(
        read_weights(checkpoint),
        HEADS,
        precision=precision,
        layers=config["num_hidden_layers"],
        attention_heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        max_tokens=max_tokens,
    )
    out.mkdir(parents=True, exist_ok=True)
    onnx.save(network, str(out / NETWORK))
    tokenizer = Tokenizer.from_file(str(run / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    tokenizer.save(str(out / TOKENIZER), pretty=False)
    manifest = {
        "format": FORMAT,
        "name": name,
        "version": version,
        "language": "en",
        "precision": precision,
        "max_tokens": max_tokens,
        "heads": {head: {"labels": list(labels), "temperature": temperatures[head]} for head, labels in HEADS.items()},
        "files": {file: _stated(out / file) for file in (NETWORK, TOKENIZER)},
        "requires": REQUIRES,
        "licence": LICENCE,
        "base_model": BASE_MODEL,
    }
    _write_json(out / MANIFEST, manifest)


def temperatures_on_dev(artifact: Path, data: Path, *, with_sentfin: bool) -> dict[str, float]:
    """Fit each head's temperature on the dev part; the artifact's own temperatures must be 1."""
    dev = load_corpus(data / "labelled", with_sentfin=with_sentfin).dev
    with OnnxClassifier.load(artifact) as classifier:
        answers = classifier.classify([row.text for row in dev])
    fitted = {}
    for head, probabilities in answers.items():
        wanted = np.array([row.labels[head] for row in dev], np.int64)
        known = wanted != UNLABELLED
        logits = np.log(np.maximum(probabilities[known].astype(np.float64), 1e-12))
        fitted[head] = fitted_temperature(logits, wanted[known])
    return fitted


def measure(artifact: Path, data: Path) -> dict[str, HeadScore]:
    """Score an artifact on the validation files."""
    with OnnxClassifier.load(artifact) as classifier:
        return {head: evaluate(classifier, data / "labelled", head) for head in HEADS}


def export(run: Path, data: Path, out: Path, version: str) -> dict[str, Any]:
    """Write the int8 artifact to `out` with its card and metrics, and return the metrics.

    A float32 twin is written to a temporary folder and measured beside it.
    """
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    neutral = dict.fromkeys(HEADS, 1.0)
    write_artifact(run, out, name=out.name, version=version, precision="int8", temperatures=neutral)
    fitted = temperatures_on_dev(out, data, with_sentfin=record["plan"]["with_sentfin"])
    write_artifact(run, out, name=out.name, version=version, precision="int8", temperatures=fitted)
    scores = {"int8": measure(out, data)}
    with tempfile.TemporaryDirectory() as folder:
        twin = Path(folder)
        write_artifact(run, twin, name=out.name, version=version, precision="fp32", temperatures=fitted)
        scores["fp32"] = measure(twin, data)
    metrics = {
        "name": out.name,
        "version": version,
        "valid": {
            precision: {head: dataclasses.asdict(one) for head, one in heads.items()}
            for precision, heads in scores.items()
        },
        "temperatures": fitted,
        "training": record,
    }
    _write_json(out / "metrics.json", metrics)
    (out / "MODEL_CARD.md").write_text(model_card(metrics, BASE_MODEL, LICENCE), encoding="utf-8")
    return metrics


def _stated(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds labelled/")
    parser.add_argument("--run", type=Path, required=True, help="folder that models.training.train wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the artifact; its name is the model's")
    parser.add_argument("--version", default="1.0.0", help="raise it whenever the weights change")
    given = parser.parse_args(arguments)
    metrics = export(given.run, given.data, given.out, given.version)
    for precision, heads in metrics["valid"].items():
        for head, one in heads.items():
            print(f"{precision} {head}: accuracy {one['accuracy']:.4f}, macro-F1 {one['macro_f1']:.4f}")


if __name__ == "__main__":
    main()
