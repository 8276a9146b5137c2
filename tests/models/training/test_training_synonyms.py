"""Words give way to like words; what was known of the text goes with them."""

import random

import numpy as np

from models.training.augmentation.synonyms import Synonyms, with_synonyms
from models.training.data.example import Example

PIECES = ["[PAD]", "rises", "climbs", "falls", "ore", "tin", "##ing", "up"]
VECTORS = np.array([[9, 9], [1, 0.1], [1, 0.2], [1, 0.4], [0.1, 1], [0.2, 1], [1, 0], [1, 0]], np.float32)
LIKE = Synonyms(PIECES, VECTORS)


def test_the_nearest_come_first_and_no_piece_of_a_word_is_among_them() -> None:
    assert LIKE.of("rises") == ["climbs", "falls", "tin", "ore"]
    assert LIKE.of("tin")[0] == "ore"
    assert LIKE.of("up") == LIKE.of("##ing") == LIKE.of("unheard") == []


def test_some_words_are_replaced_in_their_place_and_case() -> None:
    text = "$ORE - Ore rises, RISES & rises: unheard of in 2026 "
    made = {with_synonyms(Example(text), LIKE, random.Random(n)).text for n in range(99)}
    assert {"Tin", "TIN"} & {word for one in made for word in one.replace("$", "").split()}
    assert all(one.startswith("$") and one.endswith(" unheard of in 2026 ") for one in made)
    assert len(made) > 20


def test_of_a_text_in_other_words_nothing_is_known() -> None:
    example = Example("rises " * 30, {"topic": 4}, source="wire")
    new = with_synonyms(example, LIKE, random.Random(1))
    assert new == Example(new.text, source="wire")
    assert 0.05 < sum(word != "rises" for word in new.text.split()) / 30 < 0.5
    unknown = Example("unheard of", {"topic": 4})
    assert with_synonyms(unknown, LIKE, random.Random(1)) == unknown
