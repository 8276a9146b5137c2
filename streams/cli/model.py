"""`moodwire model …`: make models, prove them, and put them to work.

model_training   train, tune, distil, add a topic from examples
model_proof      evaluate, export, bench
model_loop       list, retrain, promote, roll back, shadow
"""

from __future__ import annotations

import typer

from streams.cli import model_loop, model_proof, model_training

app = typer.Typer(help="Train models, prove them, and put them to work.", no_args_is_help=True)
model_training.register(app)
model_proof.register(app)
model_loop.register(app)
