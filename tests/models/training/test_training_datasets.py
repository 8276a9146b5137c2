"""A data set's YAML: what it reads, and what it says when something is wrong."""

from pathlib import Path

import pytest

from models.dataset import DataSet
from models.spans import Span
from models.training.data.dataset import read_split, refuse_mistakes, shipped_datasets
from models.training.data.example import EntityLabel
from models.training.errors import DatasetError
from streams.lifecycle.training_code import read_datasets
from streams.userfiles import WrongFile

TEXTS = """
name: mine
licence: MIT
head: sentiment
head_labels: [negative, neutral, positive]
label: verdict
label_map: {0: negative, 1: neutral, 2: positive}
splits: {train: train.csv, test: test.csv}
"""
PAIRS = """
name: pairs
licence: MIT
kind: entities
head: entity
head_labels: [negative, neutral, positive]
text: title
label: verdicts
label_map: {bad: negative, dull: neutral, good: positive}
names: true
title_head: sentiment
title_weight: 0.5
splits: {all: all.csv, test_share: 0.3}
"""


def write(path: Path, *lines: str) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def described(folder: Path, text: str) -> DataSet:
    write(folder / "mine.yaml", text)
    [one] = read_datasets([folder / "mine.yaml"])
    return one


def test_labels_are_those_of_the_map_and_texts_are_normalised(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "text,verdict", "Ore &amp; sons falls https://a.example/b,0", ",1")
    (example,) = read_split(described(tmp_path, TEXTS), tmp_path, "train")
    assert example.text == "Ore & sons falls"
    assert example.labels == {"sentiment": 0}


def test_each_company_of_a_title_has_its_verdict_and_its_place(tmp_path: Path) -> None:
    titles = ["Ore rises as Acme falls", "Acme falls, Acme bonds fall"]
    verdicts = ["{'Ore': 'good', 'Acme': 'bad'}", "{'Acme': 'bad', 'Acme bonds': 'bad'}"]
    rows = [f'"{title}","{verdict}"' for title, verdict in zip(titles, verdicts, strict=True)]
    write(tmp_path / "all.csv", "title,verdicts", *rows, "Broken,\"{'Ore': \"")
    one = described(tmp_path, PAIRS)
    first, second = sorted(
        read_split(one, tmp_path, "train") + read_split(one, tmp_path, "test"), key=lambda each: each.text, reverse=True
    )
    assert first.entities == {"entity": (EntityLabel(Span(0, 3), 2), EntityLabel(Span(13, 17), 0))}
    assert first.labels == {}
    assert second.labels == {"sentiment": 0}
    assert second.weights == {"entity": 1.0, "sentiment": 0.5}
    assert second.names == (Span(0, 4), Span(12, 22))


def test_a_share_held_out_is_the_same_whatever_the_order(tmp_path: Path) -> None:
    one = described(tmp_path, PAIRS)
    rows = [f"Ore wins deal {number},{{'Ore': 'good'}}" for number in range(200)]
    write(tmp_path / "all.csv", "title,verdicts", *rows)
    held_out = {each.text for each in read_split(one, tmp_path, "test")}
    write(tmp_path / "all.csv", "title,verdicts", *reversed(rows))
    assert {each.text for each in read_split(one, tmp_path, "test")} == held_out
    assert 35 < len(held_out) < 85
    assert not held_out & {each.text for each in read_split(one, tmp_path, "train")}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("label: verdict", "lable: verdict", r":6: there is no key 'lable'; did you mean 'label'"),
        ("head: sentiment", "head: sentiment\ncolour: red", r":5: there is no key 'colour'"),
        ("2: positive}", "2: postive}", r":7: label_map.2: 'postive' is no label of the head; take one of negative"),
        ("splits: {train: train.csv, test: test.csv}", "splits: {test: test.csv}", r":8: splits: give either `train`"),
        ("test: test.csv}", "test_share: 0.1}", r":8: splits.test_share: divides the file of `all`"),
        ("head: sentiment", "head: sentiment\nnames: true", r":5: names: is for `kind: entities`"),
        ("[negative, neutral, positive]", "[negative]", r":5: head_labels: list at least two labels"),
        ("name: mine", "name: [mine", r":\d+: not YAML"),
    ],
)
def test_a_wrong_description_names_the_file_the_line_and_the_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TEXTS
    with pytest.raises(WrongFile, match=rf"(?s)mine\.yaml{said}"):
        described(tmp_path, TEXTS.replace(old, new))


def test_a_file_that_is_no_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match=r"mine\.yaml:1: take keys such as name, licence, head"):
        described(tmp_path, "just words")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (["text,verdict", "fine,0", "wrong,9"], r"train\.csv record 2: unknown label '9'"),
        (["headline,verdict", "fine,0"], r"record 1: no column 'text'; it has headline, verdict"),
        (None, r"cannot be read .*--data"),
    ],
)
def test_a_wrong_file_is_named_with_its_record(tmp_path: Path, content: list[str] | None, said: str) -> None:
    if content:
        write(tmp_path / "train.csv", *content)
    with pytest.raises(DatasetError, match=said):
        read_split(described(tmp_path, TEXTS), tmp_path, "train")


def test_two_data_sets_must_agree_on_a_heads_labels(tmp_path: Path) -> None:
    write(tmp_path / "one.yaml", TEXTS)
    write(tmp_path / "two.yaml", TEXTS.replace("[negative, neutral, positive]", "[positive, neutral, negative]"))
    with pytest.raises(WrongFile, match=r"two\.yaml:5: head_labels: .*one\.yaml gives the head 'sentiment' \[negative"):
        read_datasets([tmp_path / "one.yaml", tmp_path / "two.yaml"])


def test_a_description_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match=r"none\.yaml cannot be read"):
        read_datasets([tmp_path / "none.yaml"])


def test_the_shipped_descriptions_have_no_mistake() -> None:
    refuse_mistakes(shipped_datasets())


def test_the_shipped_data_sets_name_their_licences() -> None:
    assert {one.name: one.licence for one in shipped_datasets()} == {
        "sentfin": "MIT",
        "tfns-sentiment": "MIT",
        "tfns-topic": "MIT",
    }


def test_the_published_files_are_read_whole(labelled: Path) -> None:
    counts = {
        (one.name, part): len(read_split(one, labelled.parent, part))
        for one in shipped_datasets()
        for part in ("train", "test")
    }
    assert counts["tfns-sentiment", "test"] == 2_388
    assert counts["tfns-topic", "test"] == 4_117
    assert counts["sentfin", "train"] + counts["sentfin", "test"] == 10_740
    assert counts["sentfin", "test"] == 1_061
