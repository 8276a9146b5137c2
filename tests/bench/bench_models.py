"""The shipped model against other ways to run the same model, and against what the machine can do at most.

Same texts, same cores, one process; all take turns, so that a busy moment hits each, and the best turn of each counts.
Peers and limit need torch, Transformers, OpenVINO and CTranslate2: `make bench-models` installs them apart. Where they
are missing our own speed is measured alone.

python -m tests.bench models      MOODWIRE_THREADS=1 for one core
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models import OnnxClassifier, normalise, shipped
from models.runtime import cores
from streams.sample import generate

TEXTS = 1024
TURNS = 6
REST_SECONDS = 0.3
"""Worker threads of some runtimes go on spinning for 0.2 s after their last work, on a core that the next one needs."""
Labels = npt.NDArray[np.int64]
Run = Callable[[], Labels]
MODEL = "finance-en-minilm-int8"


def measure() -> dict[str, float]:
    threads = int(os.environ.get("MOODWIRE_THREADS", "0")) or cores()
    texts = _texts()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        ours = stack.enter_context(OnnxClassifier.load(shipped(MODEL), threads=threads))
        runs: dict[str, Run] = {"moodwire": lambda: _ours(ours, texts)}
        figures = {"cores": float(threads), "texts": float(len(texts))}
        if _installed("torch", "transformers", "onnx"):
            runs |= _peers(ours, texts, Path(folder), threads)
        tokens = ours._tokenizer.encode_batch([normalise(text) for text in texts])
        figures["tokens a text"] = sum(len(one.ids) for one in tokens) / len(texts)
        speeds = {name: len(texts) / best for name, best in _take_turns(runs).items()}
        figures |= {f"{name}: texts/s": speed for name, speed in speeds.items()}
        peers = {name: speed for name, speed in speeds.items() if name != "moodwire"}
        figures |= {f"moodwire against {name}": speeds["moodwire"] / speed for name, speed in peers.items()}
        figures |= {f"same label as moodwire, {name}: %": share for name, share in _agreement(runs).items()}
        if _installed("onnx"):
            figures |= _limit(speeds["moodwire"], figures["tokens a text"], ours, threads)
    return figures


def _texts() -> list[str]:
    """Titles of the sample feed, all different; every other text is two of them: 20 tokens on average."""
    titles = (str(raw["title"]) for raw in generate(seed=7) if isinstance(raw.get("title"), str))
    usable = list(dict.fromkeys(normalise(title) for title in titles if 20 < len(title) < 300))
    return [
        f"{first}; {second}" if number % 2 else first
        for number, (first, second) in enumerate(zip(usable[:TEXTS], usable[TEXTS : 2 * TEXTS], strict=True))
    ]


def _ours(classifier: OnnxClassifier, texts: Sequence[str]) -> Labels:
    labels: Labels = classifier.classify(texts)["sentiment"].argmax(axis=1)
    return labels


def _peers(ours: OnnxClassifier, texts: Sequence[str], folder: Path, threads: int) -> dict[str, Run]:
    from tests.bench.model_peers import PEERS, SameModel

    same = SameModel.take_apart(ours.artifact, folder, threads)
    found: dict[str, Run] = {}
    for name, make in PEERS.items():
        try:
            peer = make(same)
        except Exception as error:  # whatever keeps a peer from loading the model is said, and the others go on
            print(f"  {name} is left out: {type(error).__name__}: {str(error).splitlines()[0][:120]}", flush=True)
            continue
        found[name] = partial(peer.labels_of, texts)
    return found


def _take_turns(runs: dict[str, Run]) -> dict[str, float]:
    """Each contender's best time in seconds over `TURNS` turns, after one to warm up."""
    best = dict.fromkeys(runs, float("inf"))
    for turn in range(TURNS + 1):
        for name, run in runs.items():
            time.sleep(REST_SECONDS)
            start = time.perf_counter()
            run()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def _agreement(runs: dict[str, Run]) -> dict[str, float]:
    own = runs["moodwire"]()
    return {name: 100 * float((run() == own).mean()) for name, run in runs.items() if name != "moodwire"}


def _limit(ours: float, tokens: float, classifier: OnnxClassifier, threads: int) -> dict[str, float]:
    """Our share of the int8 limit, counting the products with weights alone: attention and all else is loss."""
    from tests.bench.model_limit import giga_operations
    from tests.bench.model_weights import float_weights

    weights = float_weights(classifier.artifact.path / "model.onnx")
    linear = sum(one.size for name, one in weights.items() if name.startswith("encoder.") and one.ndim == 2)
    giga = 2 * linear * tokens / 1e9
    int8, fp32 = (giga_operations(kind, threads) for kind in ("int8", "fp32"))
    return {
        "int8 matrix product: GOP/s": int8,
        "fp32 matrix product: GFLOP/s": fp32,
        "int8 limit: texts/s": int8 / giga,
        "moodwire against the int8 limit: %": 100 * ours * giga / int8,
    }


def _installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)
