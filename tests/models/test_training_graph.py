"""The written-out graph: int8 follows float32, and nothing leaves its limits."""

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx", reason="exporting needs the extra `train`")

import onnxruntime as ort

from models.training.graph import Precision, build, quantised

HEADS = {"sentiment": ("negative", "neutral", "positive"), "topic": ("a", "b")}
WIDTH, WIDE, LAYERS, WORDS, PLACES = 16, 32, 2, 50, 12


def random_weights() -> dict[str, npt.NDArray[np.float32]]:
    chance = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (WORDS, WIDTH),
        "embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(LAYERS):
        prefix = f"encoder.layer.{number}"
        squares = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"]
        sizes = dict.fromkeys(squares, (WIDTH, WIDTH))
        sizes |= {"intermediate.dense": (WIDE, WIDTH), "output.dense": (WIDTH, WIDE)}
        for name, size in sizes.items():
            shapes |= {f"{prefix}.{name}.weight": size, f"{prefix}.{name}.bias": size[:1]}
        norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
    for name, labels in HEADS.items():
        shapes |= {f"heads.{name}.weight": (len(labels), WIDTH), f"heads.{name}.bias": (len(labels),)}
    weights = {name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name in norms:
        weights |= {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": np.zeros(WIDTH, np.float32)}
    return weights


def session(precision: Precision, folder: Path) -> ort.InferenceSession:
    network = build(
        random_weights(),
        HEADS,
        precision=precision,
        layers=LAYERS,
        attention_heads=4,
        epsilon=1e-12,
        max_tokens=PLACES,
    )
    path = folder / f"{precision}.onnx"
    path.write_bytes(network.SerializeToString())
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def inputs(rows: int, tokens: int) -> dict[str, npt.NDArray[np.int64]]:
    ids = np.random.default_rng(rows * tokens).integers(0, WORDS, (rows, tokens))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def test_int8_follows_float32(tmp_path: Path) -> None:
    fed = inputs(8, 10)
    exact, close = (session(precision, tmp_path).run(None, fed) for precision in ("fp32", "int8"))
    for wanted, found in zip(exact, close, strict=True):
        assert np.abs(wanted - found).max() < 0.1 * np.abs(wanted).max()
        assert not np.array_equal(wanted, found)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_padding_and_neighbours_leave_a_row_alone(precision: Precision, tmp_path: Path) -> None:
    network = session(precision, tmp_path)
    alone = inputs(1, 5)
    crowd = inputs(6, PLACES)
    crowd["input_ids"][2, :5] = alone["input_ids"][0]
    crowd["attention_mask"][2, 5:] = 0
    for wanted, found in zip(network.run(None, alone), network.run(None, crowd), strict=True):
        np.testing.assert_allclose(found[2], wanted[0], atol=1e-5)


def test_rows_and_tokens_are_free(tmp_path: Path) -> None:
    network = session("int8", tmp_path)
    for rows, tokens in itertools.product((1, 3), (2, PLACES)):
        answers = network.run(None, inputs(rows, tokens))
        assert [answer.shape for answer in answers] == [(rows, 3), (rows, 2)]


def test_products_of_whole_numbers_cannot_saturate() -> None:
    matrix = np.random.default_rng(1).normal(size=(64, 8)).astype(np.float32) * 100
    whole, scales = quantised(matrix, axis=0, limit=63)
    assert 2 * 255 * int(np.abs(whole.astype(int)).max()) <= 32_767
    assert np.abs(whole * scales - matrix).max() <= scales.max() / 2 + 1e-6


def test_a_column_of_zeros_stays_zero() -> None:
    whole, scales = quantised(np.zeros((4, 2), np.float32), axis=0, limit=63)
    assert not whole.any()
    assert np.isfinite(scales).all()
