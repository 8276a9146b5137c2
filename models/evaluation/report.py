"""An evaluation as one HTML file: no script, nothing fetched, to be mailed or kept beside an artifact.

It quotes texts of the sets that it speaks of: keep it where those may be kept.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.evaluation.evaluation import Evaluation, SetEvaluation

__all__ = ["report_html"]

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True, slots=True)
class _Section:
    """One set with its pictures."""

    set: SetEvaluation
    confusion: str
    reliability: str
    classes: str
    slices: str
    sources: str


def report_html(evaluation: Evaluation) -> str:
    """Returns the report as HTML.

    Raises `ModelError` when the libraries that draw it are missing.
    """
    charts, jinja2 = _import("models.evaluation.charts"), _import("jinja2")
    # The page contains texts of the sets: everything but the pictures is escaped.
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    rendered: str = template.render(
        evaluation=evaluation,
        sections=[_section(charts, one) for one in evaluation.sets],
        behaviour=charts.behaviour_chart(evaluation.behaviour) if evaluation.behaviour else "",
        passed=sum(kind.passed for kind in evaluation.behaviour),
        tests=sum(kind.tests for kind in evaluation.behaviour),
    )
    return rendered


def _section(charts: Any, one: SetEvaluation) -> _Section:
    scored = one.score
    return _Section(
        set=one,
        confusion=charts.confusion_chart(scored),
        reliability=charts.reliability_chart(scored.reliability, scored.calibration_error),
        classes=charts.class_chart(scored.labels),
        slices=charts.slices_chart(one.slices, scored.accuracy) if one.slices else "",
        sources=charts.slices_chart(one.sources, scored.accuracy) if one.sources else "",
    )


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(f"the HTML report needs {error.name}; install moodwire[report], or ask for JSON") from error
