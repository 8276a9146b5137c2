"""The model card, written from measured figures so that it cannot drift from them."""

from collections.abc import Mapping
from typing import Any

_TEXT = """# {name} {version}

Scores a line of English financial news: **sentiment** (negative, neutral, positive) and **topic** (20 labels).

- Base model: {base_model}, 6 layers of 384, fine-tuned with one linear layer a head on the mean of the
  token vectors.
- Licence: {licence}
- Files: `model.onnx` (int8, runs on onnxruntime's CPU provider), `tokenizer.json`, `artifact.json` (labels,
  temperatures, checksums), `metrics.json` (the figures below for programs).
- Input: the first {max_tokens} tokens of a text; links, control characters and runs of blanks are taken out first.

## Scores

On the validation files of Twitter Financial News Sentiment and Twitter Financial News Topic, which decided
nothing in training. *Opposite* is the share of rows where negative was called positive or the reverse.

| head | file | rows | accuracy | macro-F1 | calibration error | opposite |
|---|---|---|---|---|---|---|
{scores}

{classes}

## Data

| file | licence | rows dropped because their text stands in a validation file |
|---|---|---|
{dropped}

{texts:,} texts remained for training. Texts are compared without links, case and runs of blanks. A text of
both sets trains both heads; a row trains only the heads that it has a label for. {dev_share}

## How the numbers are kept small, and right

Weights have 7 bits and a scale per output; activations have 8 bits and a scale per token, taken while it
runs. So sums of two 8-bit products cannot saturate on processors without VNNI instructions, and a text's
score does not depend on the texts that share its batch. Probabilities are divided by a temperature fitted
on the dev part: {temperatures}.

## Training

{plan}

## Limits

- Trained on short English posts about companies and markets. Long articles are judged by their beginning;
  other languages, other domains and longer texts were not measured.
- int8 was measured on a processor without VNNI; others round otherwise in the last digits.
- Sentiment is the text's as a whole. A line that is good for one company and bad for another has one score.
- Rare topics ({rare}) have few rows: their figures move by several points with a handful of texts.
- No advice: a score says how a line reads, not what a price will do.
"""


def model_card(metrics: Mapping[str, Any], base_model: str, licence: str) -> str:
    """Return the card in Markdown from what `export` measured."""
    training = metrics["training"]
    shipped = metrics["valid"]["int8"]
    rare = [label for label, one in shipped["topic"]["labels"].items() if one["rows"] < 50]
    return _TEXT.format(
        name=metrics["name"],
        version=metrics["version"],
        base_model=base_model,
        licence=licence,
        max_tokens=training["plan"]["max_tokens"],
        scores="\n".join(
            _score_line(head, precision, one)
            for head in shipped
            for precision, one in ((precision, heads[head]) for precision, heads in metrics["valid"].items())
        ),
        classes="\n\n".join(_class_table(head, one["labels"]) for head, one in shipped.items()),
        dropped="\n".join(f"| `{name}` | MIT | {count:,} |" for name, count in training["dropped"].items()),
        texts=training["texts"],
        dev_share="A twentieth of the training files' texts is kept apart as dev.",
        temperatures=", ".join(f"{head} {value}" for head, value in metrics["temperatures"].items()),
        plan="\n".join(f"- {key.replace('_', ' ')}: {value}" for key, value in training["plan"].items()),
        rare=", ".join(rare),
    )


def _score_line(head: str, precision: str, one: Mapping[str, Any]) -> str:
    opposite = "" if one["opposite_polarity"] is None else f"{one['opposite_polarity']:.4f}"
    name = f"{precision} (shipped)" if precision == "int8" else precision
    figures = f"{one['accuracy']:.4f} | {one['macro_f1']:.4f} | {one['calibration_error']:.4f}"
    return f"| {head} | {name} | {one['rows']:,} | {figures} | {opposite} |"


def _class_table(head: str, labels: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [f"| {head} | precision | recall | F1 | rows |", "|---|---|---|---|---|"]
    for label, one in labels.items():
        figures = f"{one['precision']:.3f} | {one['recall']:.3f} | {one['f1']:.3f} | {one['rows']}"
        lines.append(f"| {label} | {figures} |")
    return "\n".join(lines)
