"""The network as it is run: with an I/O binding, the way of an accelerator, the same bits as without.

A GPU is not at hand where the tests run; the binding is the same code on any provider.
"""

import numpy as np
import pytest

from models import ArtifactError, OnnxClassifier
from models.artifact import NETWORK, load_artifact
from models.runtime import CPU, Network, open_network
from models.tokens import padded

FEEDS = padded([[101, 5618, 102], [101, 5618, 2003, 2091, 102]])
HEADS = ["sentiment", "topic"]


def bound(classifier: OnnxClassifier) -> Network:
    opened = open_network(load_artifact(classifier.artifact.path), 1, None)
    return Network(opened._session, bound=True)


def test_a_binding_gives_the_same_bits(classifier: OnnxClassifier) -> None:
    plain = open_network(classifier.artifact, 1, None)
    assert not plain.bound
    for one, other in zip(plain.run(HEADS, FEEDS), bound(classifier).run(HEADS, FEEDS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_bound_network_answers_only_what_is_asked_and_in_that_order(classifier: OnnxClassifier) -> None:
    network = bound(classifier)
    (topic,) = network.run(["topic"], FEEDS)
    assert topic.shape == (2, 20)
    swapped = network.run(HEADS[::-1], FEEDS)
    assert [array.shape for array in swapped] == [(2, 20), (2, 3)]


def test_a_classifier_on_a_bound_network_scores_the_same(classifier: OnnxClassifier) -> None:
    texts = ["Ironbark warns of losses", "Ironbark meets", "Ironbark beats forecasts and raises its outlook again"]
    other = OnnxClassifier(classifier.artifact, bound(classifier), classifier._tokenizer, 64)
    for head, scores in classifier.classify(texts).items():
        np.testing.assert_array_equal(other.classify(texts)[head], scores)


def test_a_provider_that_is_missing_leaves_the_processor_and_no_binding(classifier: OnnxClassifier) -> None:
    network = open_network(classifier.artifact, 1, ["CUDAExecutionProvider"])
    if network.providers == (CPU,):
        assert not network.bound
    else:
        assert network.bound


def test_shapes_of_the_answers_are_known(classifier: OnnxClassifier) -> None:
    shapes = open_network(classifier.artifact, 1, None).outputs
    assert {name: (len(shape), shape[-1]) for name, shape in shapes.items()} == {
        "sentiment": (2, 3), "topic": (2, 20), "entity": (3, 3), "names": (3, 3),
    }  # fmt: skip


def test_a_file_that_is_no_network_is_named(classifier: OnnxClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = load_artifact(classifier.artifact.path)
    monkeypatch.setattr(type(artifact), "read", lambda self, name: b"no network")
    with pytest.raises(ArtifactError, match=f"cannot load .*{NETWORK}"):
        open_network(artifact, 1, None)
