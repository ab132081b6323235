"""Checkpoints: all that a run needs to go on, in one file that is replaced as a whole or not at all."""

import random
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

import numpy
import srsly

from ..api import Model, Optimizer, Schedule
from .archive import read_archive, write_archive
from .errors import TrainingError
from .loop import Progress

_UNSAVED = ("score", "scores")  # of the end of an epoch only


def save_checkpoint(
    path: Path, model: Model, optimizer: Optimizer, progress: Progress, about: Optional[Mapping[str, bytes]] = None
) -> None:
    """Weights, optimizer, progress and random states; `about` is kept beside them, e.g. the config.

    path: of the file.  model, optimizer: whose state it is.  progress: where the run stands.

    >>> model, optimizer = Linear(2, 3).initialize(), Adam()
    >>> save_checkpoint(Path("checkpoint.bin"), model, optimizer, Progress(epoch=3))
    >>> sorted(read_archive(Path("checkpoint.bin")))
    ['model', 'optimizer', 'state']
    """
    random_state: Any = numpy.random.get_state()
    state = {
        "keys": [[node.id, *(shim.id for shim in node.shims)] for node in model.walk()],
        "progress": {f.name: getattr(progress, f.name) for f in fields(progress) if f.name not in _UNSAVED},
        "numpy_random": [random_state[0], random_state[1].tolist(), *random_state[2:]],
        "python_random": _to_lists(random.getstate()),
    }
    parts = {**(about or {}), "state": srsly.msgpack_dumps(state)}
    write_archive(path, {**parts, "model": model.to_bytes(), "optimizer": optimizer.to_bytes()})


def load_checkpoint(
    path: Path, model: Model, optimizer: Optimizer, parts: Optional[Dict[str, bytes]] = None
) -> Progress:
    """Set model, optimizer and the random states back to a checkpoint; returns its progress.

    Raises TrainingError if the file is not a checkpoint, or not one of this model.

    path: of the file.  model, optimizer: made as those that were saved.  parts: of the file, if it is read already.

    >>> model, optimizer = Linear(2, 3).initialize(), Adam()
    >>> save_checkpoint(Path("checkpoint.bin"), model, optimizer, Progress(epoch=3))
    >>> load_checkpoint(Path("checkpoint.bin"), model, optimizer).epoch
    3
    """
    try:
        parts = parts or read_archive(path)
        state = srsly.msgpack_loads(parts["state"])
        progress = _progress(state["progress"])
        ids, name_and_state, python_state = _random_and_keys(state, model)
        with _unchanged_if_it_fails(optimizer):
            # Ids are counted anew in each process, so the optimizer's keys are matched by place in the tree.
            optimizer.from_bytes(parts["optimizer"], rename=lambda key: (ids[key[0]], key[1]))
            numpy.random.set_state(name_and_state)
            random.setstate(python_state)
            model.from_bytes(parts["model"])  # all of it or nothing, and so the last
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as e:
        raise TrainingError(f"{path} is not a checkpoint of this model and optimizer: {e}") from e
    return progress


@contextmanager
def _unchanged_if_it_fails(optimizer: Optimizer) -> Iterator[None]:
    """And the states of the random numbers with it."""
    states = numpy.random.get_state(), random.getstate()
    names = [name for name in Optimizer.__slots__ if name != "__weakref__" and hasattr(optimizer, name)]
    settings = {name: getattr(optimizer, name) for name in names}
    schedules = [(s, s.get_state()) for s in optimizer.schedules.values() if isinstance(s, Schedule)]
    try:
        yield
    except Exception:
        for name, value in settings.items():
            setattr(optimizer, name, value)
        for schedule, state in schedules:
            schedule.set_state(state)
        numpy.random.set_state(states[0])
        random.setstate(states[1])
        raise


def _random_and_keys(state: Dict[str, Any], model: Model) -> Tuple[Dict[int, int], Any, Any]:
    new_ids = [[node.id, *(shim.id for shim in node.shims)] for node in model.walk()]
    if [len(ids) for ids in state["keys"]] != [len(ids) for ids in new_ids]:
        raise ValueError(f"it has {len(state['keys'])} layers, the model {len(new_ids)}")
    ids = {old: new for olds, news in zip(state["keys"], new_ids) for old, new in zip(olds, news)}
    name, keys, *rest = state["numpy_random"]
    return ids, (name, numpy.array(keys, dtype="uint32"), *rest), _to_tuples(state["python_random"])


def _progress(stored: Dict[str, Any]) -> Progress:
    expected = {f.name for f in fields(Progress)} - set(_UNSAVED)
    if set(stored) != expected:
        wrong = ", ".join(sorted(set(stored) ^ expected))
        raise ValueError(f"its progress was written by another version of thinc: {wrong}")
    return Progress(**stored)


def _to_lists(value: Any) -> Any:
    return [_to_lists(item) for item in value] if isinstance(value, tuple) else value


def _to_tuples(value: Any) -> Any:
    return tuple(_to_tuples(item) for item in value) if isinstance(value, list) else value


__all__ = ["load_checkpoint", "save_checkpoint"]
