"""`moodwire model …`: make models, prove them, and put them to work.

model_training                  train, tune, distil; model_topics adds a topic from examples
model_proof                     evaluate, export, bench
model_loop                      list, add, shadow
model_gate, _promote, _retrain  compare, put into service, train a candidate
model_feedback                  correct scores, look at corrections
"""

from __future__ import annotations

import typer

from streams.cli.lazy import add_lazy

app = typer.Typer(help="Train models, prove them, and put them to work.", no_args_is_help=True)
for (_name, _module, _function), _help in {
    (
        "train",
        "model_training",
        "train",
    ): "Fine-tune an encoder on labelled texts: sentiment, topic, the verdict on each company, and names.\n\n"
    "YAML files describe the labelled data. Training rows that stand in a test file, word for word or nearly so, are "
    "dropped and counted. All choices are made on a part of the training files; curves go to [bold]OUT/tensorboard[/], "
    "the best weights to [bold]OUT/best[/]. Interrupted, the same command goes on where it was.",
    ("distil", "model_training", "distil"): "Teach a small network what large ones think.\n\n"
    "The teachers, runs of [bold]moodwire model train[/], label every text for every head; the student learns from "
    "these labels and from the true ones. Labels are kept: another student of the same teachers starts at once.",
    (
        "pretrain",
        "model_training",
        "pretrain",
    ): "Let an encoder go on learning its language from the texts that it is to judge.\n\n"
    "Some words of each training text are hidden, and it learns to guess them; no label is read and no text of a test "
    "file. The encoder in [bold]OUT/best[/] is one as any other: [bold]--encoder OUT[/] trains from it. Interrupted, "
    "the same command goes on where it was.",
    (
        "tune",
        "model_training",
        "tune",
    ): "Look for better settings of a training run: each trial is a run, bad ones are given up early.\n\n"
    "The search is kept in [bold]OUT/study.db[/]; the same command adds trials to it.",
    (
        "topics",
        "model_topics",
        "topics",
    ): "Add topics to a trained network from a few examples, or from a sentence about them.",
    (
        "evaluate",
        "model_proof",
        "evaluate",
    ): "Measure a model: accuracy, calibration, slices, behaviour, and the errors to read.",
    (
        "export",
        "model_proof",
        "export",
    ): "Make an artifact of a trained network; refused when it answers otherwise than the network.",
    ("bench", "model_proof", "bench"): "Time models on this machine: texts a second, and what one text alone takes.",
    (
        "list",
        "model_loop",
        "show_models",
    ): "The versions at hand: figures, which is in service, which is in the shadow.",
    ("add", "model_loop", "add"): "Take a model's folder in as a version; it is checked, copied and never changed.",
    ("shadow", "model_loop", "shadow"): "Let a version score beside the one in service; its scores count nowhere.",
    ("gate", "model_gate", "gate"): "Compare a version with the one in service; what is found is kept beside it.",
    ("promote", "model_promote", "promote"): "Put a version into service: workers change over at an exact offset.",
    ("rollback", "model_promote", "rollback"): "Put the version into service that was there before.",
    ("feedback", "model_feedback", "feedback"): "Correct a score, or import corrections (NDJSON; - is standard input).",
    (
        "review",
        "model_feedback",
        "show_review",
    ): "Corrections so far: what is agreed, and what is held back because people disagree.",
    (
        "retrain",
        "model_retrain",
        "retrain",
    ): "Train a candidate with the corrections that are agreed, take it in, and ask the gate.\n\n"
    "It is not promoted: `moodwire model promote` does that. Cut off, the same command goes on where it was.",
}.items():
    add_lazy(app, f"streams.cli.{_module}", _name, _help, function=_function)
