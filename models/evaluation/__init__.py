"""How good an artifact is; runs where a model runs, without torch.

labelled (texts, right labels) ─┐
lists/*.yaml (behaviour, slices)┼─ evaluation ─> Evaluation ─┬─ JSON
the artifact ───────────────────┘                            └─ report (charts, report.html.j2) ─> one HTML file

scores      accuracy, macro-F1, confusion, calibration      slices      parts of a set
fitting     the scaling that the dev rows ask for           names       how well names are found
behaviour   tests of what any good model must answer

"""

from models.evaluation.behaviour import (
    BehaviourKind,
    BehaviourList,
    behaviour_lists,
    check_behaviour,
    load_behaviour_list,
)
from models.evaluation.evaluation import (
    Calibration,
    ErrorToRead,
    Evaluation,
    SetEvaluation,
    evaluate,
    evaluate_artifact,
)
from models.evaluation.labelled import LabelledNames, LabelledSet
from models.evaluation.scores import HeadScore, score
from models.evaluation.slices import Slice, SliceScore

__all__ = [
    "BehaviourKind",
    "BehaviourList",
    "Calibration",
    "ErrorToRead",
    "Evaluation",
    "HeadScore",
    "LabelledNames",
    "LabelledSet",
    "SetEvaluation",
    "Slice",
    "SliceScore",
    "behaviour_lists",
    "check_behaviour",
    "evaluate",
    "evaluate_artifact",
    "load_behaviour_list",
    "score",
]
