"""Going on with a run: each changed key of its config is applied or refused, and the corpus must be the same."""

from pathlib import Path
from typing import Any, Dict, List, Tuple

from ..api import Config
from .checkpoint import load_checkpoint
from .config_check import Settled
from .datasets import Data
from .errors import ConfigProblem, TrainingError
from .loop import Progress
from .run import CHECKPOINT, MODEL, peek_checkpoint, read_about

# Numbers of an optimizer that may change in the middle, and the names of its attributes.
NUMBERS = {"learn_rate": "learn_rate", "L2": "L2", "beta1": "b1", "beta2": "b2", "eps": "eps", "grad_clip": "grad_clip"}


def resume(folder: Path, settled: Settled, data: Data) -> Progress:
    """Set model and optimizer to the checkpoint of a folder, with what the config changes; returns its progress.

    Raises ConfigProblem for a change that cannot be applied, TrainingError for files that do not fit.
    """
    parts, stored = peek_checkpoint(folder / CHECKPOINT)
    before = Config().from_str(parts["config.cfg"].decode("utf-8"))
    changes = changed_keys(before, settled.config)
    for key, old, new in changes:
        if not _applies(key, old, new, stored):
            raise ConfigProblem(
                f"--resume: {key} was {_brief(old)} and cannot become {_brief(new)} in the middle of a run. "
                "Start another one, with --output or --overwrite"
            )
    if parts["data"].decode() != data.fingerprint():
        moved = [key for key, *_ in changes if key.startswith("corpus.")]
        why = f" ({', '.join(moved)} changed)" if moved else ": its files have changed"
        raise ConfigProblem(f"--resume: the corpus is not the one that the run began with{why}")
    progress = load_checkpoint(folder / CHECKPOINT, settled.model, settled.optimizer, parts)
    for key, _, new in changes:
        section, _, name = key.rpartition(".")
        if section == "optimizer" and name in NUMBERS:
            setattr(settled.optimizer, NUMBERS[name], new)
    _adopt_best(folder, progress)
    return progress


def changed_keys(before: Dict[str, Any], after: Dict[str, Any]) -> List[Tuple[str, Any, Any]]:
    """(dotted key, old value, new value); None for what is not there."""
    old, new = _flat(before), _flat(after)
    return [(key, old.get(key), new.get(key)) for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def _flat(config: Dict[str, Any], above: str = "") -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{above}{key}."))
        else:
            found[f"{above}{key}"] = value
    return found


def _applies(key: str, old: Any, new: Any, stored: Dict[str, Any]) -> bool:
    """Whether a change acts from here on."""
    section, _, name = key.rpartition(".")
    if key.startswith(("corpus.", "loggers.", "training.loss.")):
        return True  # (the examples are compared)
    if key == "training.max_epochs":
        if new < stored["epoch"]:
            raise ConfigProblem(f"--resume: {stored['epoch']} epochs are done, more than max_epochs = {new}")
        return True
    if key == "training.batch_size":
        return stored["step"] == 0  # an epoch is divided into batches as a whole
    if section == "optimizer" and name in NUMBERS:
        return all(isinstance(value, (int, float)) for value in (old, new))
    return key == "training.patience" or key == "optimizer.L2_is_weight_decay"


def _brief(value: Any) -> str:
    return "not set" if value is None else repr(value)[:60]


def _adopt_best(folder: Path, progress: Progress) -> None:
    """The best weights lie in model.bin, which may be of an epoch later than the checkpoint: then that is the best."""
    if not (folder / MODEL).is_file():
        if progress.best_epoch >= 0:
            raise TrainingError(
                f"{folder / MODEL} with the best weights, of epoch {progress.best_epoch + 1}, is missing. "
                "Put it back, or start anew with --overwrite"
            )
        return
    about = read_about(folder)
    if about["epoch"] - 1 != progress.best_epoch:
        progress.best_epoch, progress.best_score = about["epoch"] - 1, about["score"]


__all__ = ["NUMBERS", "changed_keys", "resume"]
