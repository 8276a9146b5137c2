"""The model card, written from measured figures so that it cannot drift from them."""

from collections.abc import Mapping
from typing import Any

from models.artifact import Artifact

__all__ = ["model_card"]

_TEXT = """# {name} {version}

{answers}

- Base model: {base_model}, fine-tuned with one linear layer a head.
- Licence: {licence}
- Files: `model.onnx` ({precision}), `tokenizer.json`, `artifact.json` (labels, temperatures, thresholds, checksums),
  `metrics.json` (the figures below for programs).
- Input: the first {max_tokens} tokens of a text; links, control characters and runs of blanks are taken out first.
"""

_SCORES = """
## Scores

On rows that decided nothing in training. *Opposite* is the share of rows where negative was called positive or the
reverse. The calibration error is the expected one, in 15 bins.

| set, head | rows | accuracy | macro-F1 | calibration error | opposite |
|---|---|---|---|---|---|
{scores}
{names}
{classes}

## Slices

| set, head | part | rows | accuracy | 95 % interval |
|---|---|---|---|---|
{slices}

## Behaviour

Sentences of our own that any good model must get right, kind by kind.

| kind | passed | of |
|---|---|---|
{behaviour}

## Exported against trained

The {precision} network beside the trained one in float32, on the first 2,500 rows of each set.

| set, head | same label | largest difference of a probability | accuracy | trained |
|---|---|---|---|---|
{parity}
"""

_DATA = """
## Data

| data set | licence | rows dropped: texts of a test file | nearly so | nearly a dev text |
|---|---|---|---|---|
{dropped}

{rows:,} texts for training, {dev_rows:,} for choices (dev). Texts are compared without links, case and runs of blanks.
A row trains only the heads that it has a label for.

## Training

{plan}
"""

_INT8 = """
## How the numbers are kept small, and right

Weights have 7 bits and a scale per output; activations have 8 bits and a scale per token, taken while it
runs. So sums of two 8-bit products cannot saturate on processors without VNNI instructions, and a text's
score does not depend on the texts that share its batch.
"""

_LIMITS = """
Logits become probabilities as the dev rows ask for it. They are divided by a temperature; a bias of each label is added
where rows that it was not fitted on are surely likelier with it; the label smoothing of training is undone where that
fits better. {scalings}. From its threshold on, 95 % of a head's answers on the dev rows were right: {thresholds}.

## Limits

- Trained on short English posts and headlines about companies and markets. Long articles are judged by their
  beginning; other languages, other domains and longer texts were not measured.
- {rare}
- No advice: a score says how a line reads, not what a price will do.
"""


def model_card(metrics: Mapping[str, Any], artifact: Artifact, *, base_model: str, licence: str) -> str:
    """Returns the card in Markdown from what `export` measured; what was not measured is left out."""
    text = _TEXT.format(
        name=artifact.name,
        version=artifact.version,
        answers=_answers(artifact),
        base_model=base_model or "not stated",
        licence=licence,
        precision=artifact.precision,
        max_tokens=artifact.max_tokens,
    )
    if metrics.get("sets"):
        text += _SCORES.format(
            scores="\n".join(map(_score_line, metrics["sets"])),
            names="".join(map(_names_line, metrics.get("names", ()))),
            classes="\n\n".join(_class_table(one) for one in _of_each_head(metrics)),
            slices="\n".join(line for one in metrics["sets"] for line in _slice_lines(one)),
            behaviour="\n".join(
                f"| {one['name']} | {one['passed']} | {one['tests']} |" for one in metrics["behaviour"]
            ),
            precision=artifact.precision,
            parity="\n".join(map(_parity_line, metrics["parity"])),
        )
    if metrics.get("training", {}).get("datasets"):
        text += _data(metrics["training"])
    if artifact.precision == "int8":
        text += _INT8
    return text + _LIMITS.format(
        scalings="; ".join(f"{name}: {head.scaling}" for name, head in artifact.heads.items()),
        thresholds=", ".join(f"{name} {head.threshold:g}" for name, head in artifact.heads.items() if head.threshold)
        or "not measured",
        rare=_rare(metrics),
    )


def _answers(artifact: Artifact) -> str:
    asks = {
        "text": "{name} of a text ({labels})",
        "entity": "{name}: how the text speaks of an entity in it ({labels})",
        "names": "{name}: where companies are named",
    }
    lines = []
    for name, head in artifact.heads.items():
        labels = ", ".join(head.labels) if len(head.labels) <= 5 else f"{len(head.labels)} labels"
        lines.append("- " + asks[head.kind].format(name=f"**{name}**", labels=labels))
    return "One pass over a text answers:\n\n" + "\n".join(lines)


def _of_each_head(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    first: dict[str, Mapping[str, Any]] = {}
    for one in metrics.get("sets", ()):
        first.setdefault(one["head"], one)
    return list(first.values())


def _score_line(one: Mapping[str, Any]) -> str:
    scored = one["score"]
    opposite = "" if scored["opposite_polarity"] is None else f"{scored['opposite_polarity']:.4f}"
    figures = f"{scored['accuracy']:.4f} | {scored['macro_f1']:.4f} | {scored['calibration_error']:.4f}"
    return f"| {one['name']} | {scored['rows']:,} | {figures} | {opposite} |"


def _names_line(one: Mapping[str, Any]) -> str:
    return (
        f"\nNames in {one['name']}, both ends right: precision {one['precision']:.3f}, recall {one['recall']:.3f}, "
        f"F1 {one['f1']:.3f} ({one['names']:,} names in {one['texts']:,} texts).\n"
    )


def _class_table(one: Mapping[str, Any]) -> str:
    lines = [f"| {one['head']} | precision | recall | F1 | rows |", "|---|---|---|---|---|"]
    for label, each in one["score"]["labels"].items():
        figures = f"{each['precision']:.3f} | {each['recall']:.3f} | {each['f1']:.3f} | {each['rows']}"
        lines.append(f"| {label} | {figures} |")
    return "\n".join(lines)


def _slice_lines(one: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, part in one["slices"].items():
        interval = f"{part['low']:.3f} to {part['high']:.3f}"
        lines.append(f"| {one['name']} | {name} | {part['rows']:,} | {part['accuracy']:.3f} | {interval} |")
    return lines


def _parity_line(one: Mapping[str, Any]) -> str:
    figures = f"{one['agreement']:.4f} | {one['largest_difference']:.4f}"
    return f"| {one['set']} | {figures} | {one['accuracy']:.4f} | {one['trained_accuracy']:.4f} |"


def _data(training: Mapping[str, Any]) -> str:
    licences = {one["name"]: one["licence"] for one in training["datasets"]}
    dropped = [
        f"| {name} | {licences.get(name, '')} | {lost['exact']:,} | {lost['near']:,} | {lost['near_dev']:,} |"
        for name, lost in training["dropped"].items()
    ]
    return _DATA.format(
        dropped="\n".join(dropped),
        rows=training["rows"],
        dev_rows=training["dev_rows"],
        plan="\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in training["plan"].items()),
    )


def _rare(metrics: Mapping[str, Any]) -> str:
    classes = [one["score"]["labels"] for one in _of_each_head(metrics)]
    rare = [label for labels in classes for label, each in labels.items() if each["rows"] < 50]
    if not rare:
        return "Every figure is a sample's: with 2,000 rows an accuracy is known to about 1.5 points."
    return (
        f"Rare labels ({', '.join(rare)}) have few rows: their figures move by several points with a handful of texts."
    )
