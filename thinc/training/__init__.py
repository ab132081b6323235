"""Training runs: the loop, checkpoints, corpora, the layers that read words and texts, and ready configs.

Importing it registers the readers in `registry.datasets`, the losses, the loggers and the layers of features.
"""

from . import features  # noqa: F401  (registers its layers)
from .archive import pack_archive, read_archive, write_archive
from .checkpoint import load_checkpoint, save_checkpoint
from .code import Code, run_code
from .config_check import Settled, did_you_mean, one_line, settle, settle_config
from .datasets import MISSING, Corpus, Data, Examples, Inputs, Row, corpus_of_rows, hold_out
from .errors import ConfigProblem, DatasetError, TrainingError
from .load import Trained, load
from .loggers import Console, Logger, RunInfo, shown_score
from .loop import (
    Progress,
    Settings,
    backward,
    count_items,
    evaluate,
    initialize,
    is_finished,
    predict_answers,
    select,
    shuffled_batches,
    train,
)
from .losses import loss_name
from .readers import parse_texts, parse_words, tag_python
from .run import Run, load_run, pack_run, save_run
from .scores import Scores, baseline, decode, default_score, known_scores, most_frequent_baseline, score_answers
from .textfiles import Source

__all__ = [
    "Code",
    "ConfigProblem",
    "Console",
    "Corpus",
    "Data",
    "DatasetError",
    "Examples",
    "Inputs",
    "Logger",
    "MISSING",
    "Progress",
    "Row",
    "Run",
    "RunInfo",
    "Scores",
    "Settings",
    "Settled",
    "Source",
    "Trained",
    "TrainingError",
    "backward",
    "baseline",
    "corpus_of_rows",
    "count_items",
    "decode",
    "default_score",
    "did_you_mean",
    "evaluate",
    "hold_out",
    "initialize",
    "is_finished",
    "known_scores",
    "load",
    "load_checkpoint",
    "load_run",
    "loss_name",
    "most_frequent_baseline",
    "one_line",
    "pack_archive",
    "pack_run",
    "parse_texts",
    "parse_words",
    "predict_answers",
    "read_archive",
    "run_code",
    "save_checkpoint",
    "save_run",
    "score_answers",
    "select",
    "settle",
    "settle_config",
    "shown_score",
    "shuffled_batches",
    "tag_python",
    "train",
    "write_archive",
]
