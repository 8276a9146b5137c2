"""What training may see: no text of a validation file, one row a text, dev apart."""

from pathlib import Path

import pytest

from models.text import leak_key
from models.training.data import HEADS, UNLABELLED, Row, load_corpus, merge, read_sentfin, read_tfns


def write(folder: Path, name: str, *rows: tuple[str, int | str]) -> None:
    lines = ["text,label", *(f'"{text}",{label}' for text, label in rows)]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Four files in the published shape, with a leak in each training file."""
    write(
        tmp_path,
        "tfns_sentiment_train.csv",
        ("Maker cuts outlook https://t.co/a", 0),
        ("Maker raises outlook", 1),
        ("Maker meets", 2),
    )
    write(tmp_path, "tfns_sentiment_valid.csv", ("MAKER cuts  outlook https://t.co/b", 0))
    write(tmp_path, "tfns_topic_train.csv", ("Maker meets", 2), ("Maker raises outlook", 5), ("Bond sale", 3))
    write(tmp_path, "tfns_topic_valid.csv", ("Bond sale", 3))
    return tmp_path


def test_leaked_rows_are_dropped_and_counted(small: Path) -> None:
    corpus = load_corpus(small, with_sentfin=False, dev_share=0.0)
    assert corpus.dropped == {"tfns_sentiment_train.csv": 1, "tfns_topic_train.csv": 1}
    assert {row.text for row in corpus.train} == {"Maker raises outlook", "Maker meets"}


def test_a_text_of_both_sets_trains_both_heads(small: Path) -> None:
    rows = {row.text: dict(row.labels) for row in load_corpus(small, with_sentfin=False, dev_share=0.0).train}
    assert rows["Maker raises outlook"] == {"sentiment": 2, "topic": 5}
    assert rows["Maker meets"] == {"sentiment": 1, "topic": 2}


def test_a_row_has_no_label_where_no_file_gave_one() -> None:
    (row,) = merge([Row("Maker meets", {"topic": 2})])
    assert row.labels == {"sentiment": UNLABELLED, "topic": 2}


def test_the_first_of_two_labels_stays_and_empty_texts_go() -> None:
    rows = [Row("Up", {"topic": 2}), Row("UP", {"topic": 3}), Row("", {"topic": 4})]
    assert [dict(row.labels) for row in merge(rows)] == [{"sentiment": UNLABELLED, "topic": 2}]


@pytest.mark.parametrize("label", [3, "x", -1])
def test_an_unknown_label_names_file_and_record(tmp_path: Path, label: int | str) -> None:
    write(tmp_path, "tfns_sentiment_train.csv", ("fine", 0), ("wrong", label))
    with pytest.raises(ValueError, match=r"tfns_sentiment_train.csv record 3: unknown label"):
        read_tfns(tmp_path, "sentiment", "train")


def test_only_titles_with_one_readable_verdict_are_taken(tmp_path: Path) -> None:
    (tmp_path / "sentfin.csv").write_text(
        "S No.,Title,Decisions,Words\n"
        "1,One rises,{'One': 'positive'},2\n"
        "2,One rises as Two falls,\"{'One': 'positive', 'Two': 'negative'}\",5\n"
        "3,Broken,{'One': ,1\n",
        encoding="utf-8",
    )
    assert read_sentfin(tmp_path) == [Row("One rises", {"sentiment": 2})]


def test_the_published_files_lose_their_leaks(labelled: Path) -> None:
    corpus = load_corpus(labelled, with_sentfin=True)
    forbidden = {leak_key(row.text) for head in HEADS for row in read_tfns(labelled, head, "valid")}
    train = {leak_key(row.text) for row in corpus.train}
    dev = {leak_key(row.text) for row in corpus.dev}
    assert corpus.dropped == {"tfns_sentiment_train.csv": 89, "tfns_topic_train.csv": 984, "sentfin.csv": 0}
    assert not train & forbidden
    assert not dev & forbidden
    assert not train & dev
    assert 0.03 < len(dev) / len(train) < 0.07


@pytest.mark.parametrize(("head", "leaked"), [("topic", 678), ("sentiment", 39)])
def test_the_published_leak_is_what_the_key_finds(labelled: Path, head: str, leaked: int) -> None:
    train = {leak_key(row.text) for row in read_tfns(labelled, head, "train")}
    assert sum(leak_key(row.text) in train for row in read_tfns(labelled, head, "valid")) == leaked
