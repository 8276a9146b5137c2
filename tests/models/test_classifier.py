"""The shipped model on texts of every kind, and the classifier that costs nothing."""

import threading
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Classifier, NullClassifier, OnnxClassifier, Probabilities

LABELS = {"sentiment": ("negative", "neutral", "positive"), "topic": ("a", "b", "c", "d")}

NEGATIVE = "Ironbark Mining warns of insolvency after losses triple, shares collapse"
POSITIVE = "Ironbark Mining profit beats forecasts and it raises its outlook, shares surge"
NEUTRAL = "Ironbark Mining will hold its annual meeting on Tuesday"

ODD_TEXTS = [
    "",
    " \n\t",
    "\x00",
    "\x00" * 500,
    "\ud800 lone \udfff surrogates",
    "🚀🚀🚀 to the moon 📉",
    "\u202eright to left",
    "e\u0301" * 3_000,
    "漢字かな交じり文",
    "https://example.org/only-a-link",
    "[CLS] [SEP] [MASK] [PAD]",
    "&" * 9_000,
    "a" * 10_000_000,
    "profit warning " * 700_000,
]


def top(scores: Mapping[str, Probabilities], labels: Mapping[str, tuple[str, ...]], head: str) -> list[str]:
    return [labels[head][column] for column in scores[head].argmax(axis=1)]


def test_plain_lines_get_the_sentiment_that_a_reader_gives(classifier: OnnxClassifier) -> None:
    scores = classifier.classify([NEGATIVE, NEUTRAL, POSITIVE])
    assert top(scores, classifier.labels, "sentiment") == ["negative", "neutral", "positive"]


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Central bank raises its policy rate by a quarter point, chair signals more", "Fed / Central Banks"),
        ("Board declares quarterly dividend of $0.42 per share", "Dividend"),
        ("Crude oil futures climb as producers agree to cut barrels", "Energy / Oil"),
        ("Gold slips to a two-month low as the dollar firms", "Gold / Metals / Materials"),
        ("Brokerage downgrades Ironbark to sell, trims price target", "Analyst Update"),
    ],
)
def test_plain_lines_get_the_topic_that_a_reader_gives(classifier: OnnxClassifier, text: str, topic: str) -> None:
    assert top(classifier.classify([text]), classifier.labels, "topic") == [topic]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_any_text_gets_probabilities(classifier: OnnxClassifier, text: str) -> None:
    for head, labels in classifier.labels.items():
        scores = classifier.classify([text, NEUTRAL])[head]
        assert scores.shape == (2, len(labels))
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(), max_size=200), max_size=6))
def test_rows_sum_to_one_whatever_the_texts(classifier: OnnxClassifier, texts: list[str]) -> None:
    for head, labels in classifier.labels.items():
        scores = classifier.classify(texts)[head]
        assert scores.shape == (len(texts), len(labels))
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_no_texts_give_no_rows(classifier: OnnxClassifier) -> None:
    scores = classifier.classify([])
    assert {head: array.shape for head, array in scores.items()} == {"sentiment": (0, 3), "topic": (0, 20)}


def test_a_link_does_not_change_a_score(classifier: OnnxClassifier) -> None:
    plain, linked = (
        classifier.classify([NEGATIVE])["topic"],
        classifier.classify([f"{NEGATIVE} https://t.co/x1"])["topic"],
    )
    np.testing.assert_array_equal(plain, linked)


def test_threads_that_share_a_classifier_get_their_own_answers(classifier: OnnxClassifier) -> None:
    texts = [NEGATIVE, NEUTRAL, POSITIVE]
    expected = [classifier.classify([text])["sentiment"] for text in texts]
    found: dict[int, list[Probabilities]] = {0: [], 1: [], 2: []}

    def ask(number: int) -> None:
        for _ in range(20):
            found[number].append(classifier.classify([texts[number]])["sentiment"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answers in found.items():
        assert len(answers) == 20
        assert all(np.array_equal(answer, expected[number]) for answer in answers)


def test_closed_means_closed(classifier: OnnxClassifier) -> None:
    with OnnxClassifier.load(classifier.artifact.path, threads=1) as other:
        assert other.classify([NEUTRAL])["sentiment"].shape == (1, 3)
    with pytest.raises(RuntimeError, match="was closed; load it again"):
        other.classify([NEUTRAL])


def test_a_provider_that_is_not_there_is_passed_over(classifier: OnnxClassifier) -> None:
    with OnnxClassifier.load(classifier.artifact.path, providers=["NoSuchExecutionProvider"]) as other:
        assert other.providers == ("CPUExecutionProvider",)


def as_protocol(classifier: Classifier) -> Classifier:
    """What mypy checks here: both classes keep the protocol."""
    return classifier


def test_null_scores_hang_on_the_text_alone() -> None:
    null = as_protocol(NullClassifier(LABELS))
    one, two = null.classify(["a", "b", "\ud800"]), null.classify(["b", "\ud800", "a"])
    for head in LABELS:
        np.testing.assert_array_equal(one[head], two[head][[2, 0, 1]])


def test_null_scores_are_probabilities_and_differ() -> None:
    texts = [f"text {number}" for number in range(300)]
    scores = NullClassifier(LABELS).classify(texts)
    for head, labels in LABELS.items():
        assert scores[head].shape == (300, len(labels))
        assert scores[head].dtype == np.float32
        np.testing.assert_allclose(scores[head].sum(axis=1), 1, atol=1e-5)
        shares = np.bincount(scores[head].argmax(axis=1), minlength=len(labels)) / 300
        assert (shares > 0.5 / len(labels)).all()
    assert len(np.unique(scores["topic"], axis=0)) == 300


def test_null_takes_no_texts() -> None:
    assert NullClassifier(LABELS).classify([])["topic"].shape == (0, 4)


def test_the_shipped_model_keeps_the_protocol(classifier: OnnxClassifier) -> None:
    assert as_protocol(classifier).name == "finance-en-minilm-int8"
    assert classifier.version
