"""The report: one file, its texts escaped, its pictures apart; and the same figures give the same bytes."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from models import ModelError
from models.evaluation import Evaluation, LabelledSet, evaluate_artifact, load_behaviour_list
from models.evaluation.report import report_html

TEXTS = [f"Ironbark {event} {number}" for event in ("warns", "meets", "soars") for number in range(14)]
LABELS = ["negative"] * 14 + ["neutral"] * 14 + ["positive"] * 13 + ["negative"]
VOID = {"meta", "br", "link", "img"}


@pytest.fixture(scope="module")
def evaluation(shipped_folder: Path) -> Evaluation:
    sources = ["wire" if number % 2 else "<tweet>" for number in range(len(TEXTS))]
    texts = [*TEXTS[:-1], "Ironbark <script>alert(1)</script> soars"]
    hand_made = LabelledSet("hand & made", "sentiment", texts, LABELS, sources)
    behaviour = load_behaviour_list("finance-en")
    values = {"sentiment": behaviour.values}
    return evaluate_artifact(shipped_folder, [hand_made], dev=[hand_made], behaviour=behaviour, values=values)


class Nesting(HTMLParser):
    """Fails when a tag is closed that is not the last one opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing(evaluation: Evaluation) -> None:
    page = report_html(evaluation)
    nesting = Nesting()
    nesting.feed(page)
    assert not nesting.opened
    assert {"svg", "table", "details"} <= nesting.seen
    assert not {"script", "link", "img", "iframe"} & nesting.seen
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL))


def test_texts_and_sources_are_escaped(evaluation: Evaluation) -> None:
    page = report_html(evaluation)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "hand &amp; made" in page
    assert "&lt;tweet&gt;" in page


def test_pictures_share_no_ids(evaluation: Evaluation) -> None:
    ids = re.findall(r'\bid="([^"]+)"', report_html(evaluation))
    assert len(ids) > 50
    assert len(ids) == len(set(ids))


def test_every_figure_and_failure_stands_in_it(evaluation: Evaluation) -> None:
    page = report_html(evaluation)
    scored = evaluation.sets[0].score
    for figure in (scored.accuracy, scored.macro_f1, scored.calibration_error):
        assert f"{figure:.4f}" in page
    for kind in evaluation.behaviour:
        assert f"{kind.passed} of {kind.tests}" in page


def test_the_same_figures_give_the_same_bytes(evaluation: Evaluation) -> None:
    assert report_html(evaluation) == report_html(evaluation)


def test_an_evaluation_without_sets_is_a_page_too(evaluation: Evaluation) -> None:
    page = report_html(replace(evaluation, sets=[], calibration=[], behaviour=[]))
    assert evaluation.name in page
    assert "<section" not in page


def test_without_the_drawing_libraries_the_extra_is_named(
    evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name="jinja2")

    monkeypatch.setattr("models.evaluation.report.importlib.import_module", missing)
    with pytest.raises(ModelError, match=r"needs jinja2; install moodwire\[report\]"):
        report_html(evaluation)
