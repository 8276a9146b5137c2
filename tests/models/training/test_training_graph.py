"""The written-out graph: int8 follows float32, and nothing leaves its limits."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx", reason="exporting needs the extra `train`")

import onnxruntime as ort

from models.training.data.heads import TAGS, HeadSpec
from models.training.errors import TrainingError
from models.training.graph.bert import BertShape
from models.training.graph.int8 import Inputs, factors, inputs_of_matrices, without_value_biases
from models.training.graph.nodes import Precision, Weights, quantised
from models.training.graph.rounding import compensated
from models.training.graph.written import build

HEADS = {
    "sentiment": HeadSpec("text", ("negative", "neutral", "positive")),
    "topic": HeadSpec("text", ("a", "b")),
    "entity": HeadSpec("entity", ("negative", "neutral", "positive")),
    "names": HeadSpec("names", TAGS),
}
WIDTH, WIDE, LAYERS, WORDS, PLACES = 16, 32, 2, 50, 12
SHAPE = BertShape(layers=LAYERS, attention_heads=4, epsilon=1e-12, max_tokens=PLACES)
RELU = replace(SHAPE, activation="relu")
EXAMPLES = np.random.default_rng(5).integers(0, WORDS, (300, 9)).tolist()
"""Texts of which int8 learns how large things get; none of those that are asked about."""


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
    for name, head in HEADS.items():
        count, width = len(head.labels), WIDTH * (2 if head.kind == "entity" else 1)
        shapes |= {f"heads.{name}.weight": (count, width), f"heads.{name}.bias": (count,)}
    weights = {name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name in norms:
        weights |= {f"{name}.weight": np.ones(WIDTH, np.float32), f"{name}.bias": np.zeros(WIDTH, np.float32)}
    return weights


def session(
    precision: Precision, folder: Path, weights: Weights | None = None, shape: BertShape = SHAPE
) -> ort.InferenceSession:
    chosen = random_weights() if weights is None else weights
    network = build(chosen, HEADS, shape, precision=precision, examples=EXAMPLES)
    path = folder / f"{precision}.onnx"
    path.write_bytes(network.SerializeToString())
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"])


def inputs(rows: int, tokens: int) -> dict[str, npt.NDArray[np.int64]]:
    ids = np.random.default_rng(rows * tokens).integers(0, WORDS, (rows, tokens))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


@pytest.mark.parametrize("shape", [SHAPE, RELU], ids=lambda one: one.activation)
@pytest.mark.parametrize(("precision", "apart"), [("int8", 0.2), ("fp16", 0.01)])
def test_smaller_numbers_follow_float32(precision: Precision, apart: float, shape: BertShape, tmp_path: Path) -> None:
    fed = inputs(8, 10)
    exact, close = (session(one, tmp_path, shape=shape).run(None, fed) for one in ("fp32", precision))
    for wanted, found in zip(exact, close, strict=True):
        assert np.abs(wanted - found).max() < apart * np.abs(wanted).max()
        assert not np.array_equal(wanted, found)


def test_what_is_divided_before_a_matrix_is_multiplied_within_it() -> None:
    chance = np.random.default_rng(2)
    matrix = chance.normal(size=(16, 4)).astype(np.float32)
    sizes = np.ones(16, np.float32)
    sizes[5], sizes[6] = 30, 0
    spread = factors(sizes, [matrix])
    source = chance.normal(size=(8, 16)).astype(np.float32) * sizes
    np.testing.assert_allclose((source / spread) @ (matrix * spread[:, None]), source @ matrix, rtol=1e-4, atol=1e-4)
    assert (sizes / spread).max() < 30 / 4
    assert np.isfinite(spread).all()


def inputs_over(examples: Sequence[Sequence[int]]) -> dict[str, Inputs]:
    return inputs_of_matrices(random_weights(), SHAPE, examples)


def test_what_matrices_get_grows_with_the_examples() -> None:
    some, all_of_them = inputs_over(EXAMPLES[:3]), inputs_over(EXAMPLES)
    layers = {name for name in random_weights() if ".layer." in name and name.endswith("weight")}
    assert some.keys() == {name for name in layers if "LayerNorm" not in name}
    assert all((all_of_them[name].largest >= some[name].largest).all() for name in some)
    norm = all_of_them["encoder.layer.1.attention.self.query.weight"]
    assert norm.largest.shape == (WIDTH,)
    assert 0.5 < norm.largest.max() <= np.sqrt(WIDTH)  # with gains of 1 no channel of a norm can be larger
    tokens = sum(len(example) for example in EXAMPLES)
    assert np.trace(norm.gram) == pytest.approx(tokens * WIDTH, rel=1e-3)  # and the squares of a token sum to its width


def test_int8_without_examples_is_refused() -> None:
    with pytest.raises(TrainingError, match="texts as examples"):
        build(random_weights(), HEADS, SHAPE, precision="int8")


def test_examples_of_any_length_count_alike() -> None:
    each = [inputs_over([example]) for example in ([1, 2, 3], [4, 5], [6, 7, 8])]
    together = inputs_over([[1, 2, 3], [4, 5], [6, 7, 8]])
    for name, one in together.items():
        np.testing.assert_allclose(one.gram, sum(other[name].gram for other in each), rtol=1e-4, atol=1e-4)


def test_rounding_for_the_inputs_loses_less_than_to_the_nearest() -> None:
    chance = np.random.default_rng(4)
    source = chance.normal(size=(500, 6)) @ chance.normal(size=(6, 32)) + 0.05 * chance.normal(size=(500, 32))
    matrix = chance.normal(size=(32, 8)).astype(np.float32)
    lost = {}
    for name, (numbers, scales) in {
        "nearest": quantised(matrix, axis=0, limit=63),
        "compensated": compensated(matrix, source.T @ source, limit=63),
    }.items():
        assert np.abs(numbers.astype(int)).max() <= 63
        lost[name] = np.square(source @ (numbers * scales) - source @ matrix).mean()
    assert lost["compensated"] < 0.5 * lost["nearest"]


def test_channels_that_never_speak_are_rounded_to_the_nearest() -> None:
    matrix = np.random.default_rng(4).normal(size=(16, 4)).astype(np.float32)
    for one, other in zip(
        compensated(matrix, np.zeros((16, 16)), 63), quantised(matrix, axis=0, limit=63), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_biases_of_values_can_stand_behind_the_attention(tmp_path: Path) -> None:
    fed = inputs(4, 9)
    moved = without_value_biases(random_weights(), LAYERS)
    assert not moved["encoder.layer.0.attention.self.value.bias"].any()
    for wanted, found in zip(*(session("fp32", tmp_path, one).run(None, fed) for one in (None, moved)), strict=True):
        np.testing.assert_allclose(wanted, found, rtol=1e-3, atol=1e-3)


def test_what_relu_drops_is_dropped_in_whole_numbers(tmp_path: Path) -> None:
    """Were GELU's graph built, or the lowest number not 0, the answers would be those of another network."""
    fed = inputs(8, 10)
    bent, cut = (session("fp32", tmp_path, shape=one).run(["topic"], fed)[0] for one in (SHAPE, RELU))
    found = session("int8", tmp_path, shape=RELU).run(["topic"], fed)[0]
    assert np.abs(found - cut).mean() < 0.6 * np.abs(found - bent).mean()


@pytest.mark.parametrize("shape", [SHAPE, RELU], ids=lambda one: one.activation)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_padding_and_neighbours_leave_a_row_alone(precision: Precision, shape: BertShape, tmp_path: Path) -> None:
    network = session(precision, tmp_path, shape=shape)
    alone = inputs(1, 5)
    crowd = inputs(6, PLACES)
    crowd["input_ids"][2, :5] = alone["input_ids"][0]
    crowd["attention_mask"][2, 5:] = 0
    for wanted, found in zip(network.run(None, alone), network.run(None, crowd), strict=True):
        kept = found[2][:5] if found.ndim == 3 else found[2]
        np.testing.assert_allclose(kept, wanted[0], atol=1e-5)


def test_rows_and_tokens_are_free(tmp_path: Path) -> None:
    network = session("int8", tmp_path)
    for rows, tokens in itertools.product((1, 3), (2, PLACES)):
        answers = network.run(None, inputs(rows, tokens))
        assert [answer.shape for answer in answers] == [(rows, 3), (rows, 2), (rows, tokens, 3), (rows, tokens, 3)]


def test_an_entity_s_verdict_is_the_mean_over_its_tokens(tmp_path: Path) -> None:
    weights = random_weights()
    fed = inputs(1, 9)
    found = session("fp32", tmp_path).run(["entity"], fed)[0][0]
    only_own = {name: one.copy() for name, one in weights.items()}
    only_own["heads.entity.weight"][:, WIDTH:] = 0  # what the text as a whole adds is the same for each token
    network = build(only_own, HEADS, SHAPE, precision="fp32")
    own = ort.InferenceSession(network.SerializeToString()).run(["entity"], fed)[0][0]
    added = found - own
    np.testing.assert_allclose(added, np.tile(added[:1], (9, 1)), atol=1e-5)
    np.testing.assert_allclose(found[2:5].mean(axis=0), own[2:5].mean(axis=0) + added[0], atol=1e-5)


def test_products_of_whole_numbers_cannot_saturate() -> None:
    matrix = np.random.default_rng(1).normal(size=(64, 8)).astype(np.float32) * 100
    whole, scales = quantised(matrix, axis=0, limit=63)
    assert 2 * 255 * int(np.abs(whole.astype(int)).max()) <= 32_767
    assert np.abs(whole * scales - matrix).max() <= scales.max() / 2 + 1e-6


def test_a_column_of_zeros_stays_zero() -> None:
    whole, scales = quantised(np.zeros((4, 2), np.float32), axis=0, limit=63)
    assert not whole.any()
    assert np.isfinite(scales).all()
