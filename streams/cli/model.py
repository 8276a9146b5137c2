"""`moodwire model …`: train, evaluate, and put into service.

model_training                  train, tune, distil; model_topics adds a topic from examples
model_evaluation                evaluate, export, bench
model_loop                      list, add, shadow
model_gate, _promote, _retrain  compare, put into service, train a candidate
model_feedback                  correct scores, look at corrections
"""

from __future__ import annotations

import typer

from streams.cli.lazy import add_lazy

app = typer.Typer(no_args_is_help=True, add_completion=False)
for (_name, _module, _function), _help in {
    (
        "train",
        "model_training",
        "train",
    ): "Fine-tune an encoder on labelled texts: sentiment, topic, the verdict on each company, and names.\n\n"
    "YAML files describe the labelled data. Training rows that repeat a row of a test file, or nearly so, are dropped "
    "and counted. All choices are made on a part of the training files. Curves go to [bold]OUT/tensorboard[/], the "
    "best weights to [bold]OUT/best[/]. If it is interrupted, run the same command again to resume.",
    ("distil", "model_training", "distil"): "Train a small network on the labels of large ones.\n\n"
    "The teachers, runs of [bold]moodwire model train[/], label every text for every head. The student learns from "
    "these labels and from the true ones. The labels are kept: another student of the same teachers starts at once.",
    (
        "pretrain",
        "model_training",
        "pretrain",
    ): "Continue pretraining an encoder on the texts that it will classify.\n\n"
    "Some words of each training text are hidden, and the encoder learns to predict them. No label is read, and no "
    "text of a test file. [bold]--encoder OUT[/] trains from the result in [bold]OUT/best[/]. If it is interrupted, "
    "run the same command again to resume.",
    (
        "tune",
        "model_training",
        "tune",
    ): "Search for better settings of a training run: each trial is a run, and poor ones stop early.\n\n"
    "The search is kept in [bold]OUT/study.db[/]. Run the same command again to add trials.",
    (
        "topics",
        "model_topics",
        "topics",
    ): "Add topics to a trained network from a few examples, or from a sentence about them.",
    (
        "evaluate",
        "model_evaluation",
        "evaluate",
    ): "Measure a model: accuracy, calibration, slices, behaviour, and the errors worth reading.",
    (
        "export",
        "model_evaluation",
        "export",
    ): "Export a trained network as an artifact. Refused if the artifact answers differently.",
    (
        "bench",
        "model_evaluation",
        "bench",
    ): "Time models on this machine: texts per second, and the latency of one text.",
    (
        "list",
        "model_loop",
        "show_models",
    ): "List the versions: their figures, which is in service, and which is the shadow.",
    (
        "add",
        "model_loop",
        "add",
    ): "Add the model in a folder as a version. It is checked and copied; a version never changes.",
    ("shadow", "model_loop", "shadow"): "Let a version score beside the one in service; its scores count nowhere.",
    ("gate", "model_gate", "gate"): "Compare a version with the one in service. The report is kept beside it.",
    ("promote", "model_promote", "promote"): "Put a version into service: workers change over at an exact offset.",
    ("rollback", "model_promote", "rollback"): "Put the previous version back into service.",
    ("feedback", "model_feedback", "feedback"): "Correct a score, or import corrections (NDJSON; - is standard input).",
    (
        "review",
        "model_feedback",
        "show_review",
    ): "Show the corrections: what is agreed, and what is held back because people disagree.",
    (
        "retrain",
        "model_retrain",
        "retrain",
    ): "Train a candidate with the corrections that are agreed, take it in, and ask the gate.\n\n"
    "It is not promoted: `moodwire model promote` does that. If it is interrupted, run it again to resume.",
}.items():
    add_lazy(app, f"streams.cli.{_module}", _name, _help, function=_function)
