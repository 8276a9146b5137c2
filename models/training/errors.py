"""What can go wrong in training, said before hours are spent.

ModelError
└── TrainingError       a run cannot start or go on: the message names the thing and the fix
    └── DatasetError    a data set's file is not what its description says
"""

from models.errors import ModelError

__all__ = ["DatasetError", "TrainingError"]


class TrainingError(ModelError):
    """A training run cannot start or go on."""


class DatasetError(TrainingError):
    """A data set's description or file is not what it should be."""
