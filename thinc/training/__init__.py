"""Training runs: the loop, checkpoints, corpora, the layers that read words and texts, and ready configs.

Importing it registers the readers in `registry.datasets` and the layers of features.
"""

from . import features  # noqa: F401  (registers its layers)
from .config_check import ConfigProblem, Settled, settle
from .datasets import MISSING, Corpus, Data, DatasetError, Examples, tag_python
from .load import Trained, load
from .loop import (
    Progress,
    Settings,
    TrainingError,
    backward,
    count_items,
    evaluate,
    initialize,
    load_checkpoint,
    most_frequent_baseline,
    predict_classes,
    save_checkpoint,
    select,
    shuffled_batches,
    train,
    write_atomically,
)

__all__ = [
    "ConfigProblem",
    "Corpus",
    "Data",
    "DatasetError",
    "Examples",
    "MISSING",
    "Progress",
    "Settings",
    "Settled",
    "Trained",
    "TrainingError",
    "backward",
    "count_items",
    "evaluate",
    "initialize",
    "load",
    "load_checkpoint",
    "most_frequent_baseline",
    "predict_classes",
    "save_checkpoint",
    "select",
    "settle",
    "shuffled_batches",
    "tag_python",
    "train",
    "write_atomically",
]
