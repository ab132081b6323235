"""What a worker runs on Ray."""

import json
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Union

from ..api import Config
from ..training import (
    ConfigProblem,
    Data,
    DatasetError,
    Progress,
    Settled,
    TrainingError,
    default_score,
    initialize,
    load_checkpoint,
    loss_name,
    pack_run,
    save_checkpoint,
    settle,
    shown_score,
    train,
)
from .group import Gloo, Group, ObjectStore, ask_ray
from .sharded import Owner, Sharded
from .sync import Sync

CHECKPOINT = "checkpoint.bin"


def work(job: Dict[str, Any]) -> None:
    """What each worker runs. Faults that a restart would repeat end the run; others are Ray's to deal with."""
    import ray
    import ray.train
    from ray.train.collective import broadcast_from_rank_zero

    context = ray.train.get_context()
    rank, size, mail = context.get_world_rank(), context.get_world_size(), job["mail"]
    attempt = broadcast_from_rank_zero(uuid.uuid4().hex if rank == 0 else None)
    if ray.get(mail.failure.remote(), timeout=job["timeout"]):
        return  # those who waited for the one that failed were started again
    if os.path.isdir(job["folder"]):
        os.chdir(job["folder"])

    def tell(kind: str, value: Any) -> None:
        if rank == 0:
            mail.note.remote((kind, value))

    try:
        group: Group = Gloo() if job["gloo"] else ObjectStore(mail, attempt, rank, size, job["timeout"])
        _train(job, group, tell)
    except (TrainingError, ValueError, TypeError, LookupError) as e:
        text = str(e) if isinstance(e, (TrainingError, DatasetError, ConfigProblem)) else f"rank {rank}: {e!r}"
        ray.get(mail.fail.remote(text), timeout=job["timeout"])


def settle_any(config: Union[str, Path, Config], overrides: Dict[str, Any]) -> Settled:
    if not isinstance(config, Config):
        return settle(Path(config), overrides)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.cfg"
        config.to_disk(path)
        return settle(path, overrides)


def _train(job: Dict[str, Any], group: Group, tell: Callable[[str, Any], None]) -> None:
    import ray.train

    settled = settle_any(Config().from_str(job["config"]), {})
    model, optimizer, settings = settled.model, settled.optimizer, settled.settings
    data = settled.corpus.read()
    _check_corpora(group, data)
    initialize(model, data, settings.seed)
    progress = Progress()
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            progress = load_checkpoint(Path(folder) / CHECKPOINT, model, optimizer)
    weights = group.broadcast(model.to_bytes() if group.rank == 0 else None)
    if group.rank:
        model.from_bytes(weights)
    way = _way(job, group, settled)
    shown = 0.0
    try:
        for progress in train(model, optimizer, data, settings, progress, way):  # noqa: B020  (the same object)
            if progress.score is not None:
                _tell_epoch(tell, settled, data, progress, group.size)
                continue
            if progress.step and time.monotonic() - shown > 0.5:
                shown = time.monotonic()
                tell("step", _line(progress, way, settings.max_epochs, settled.corpus.unit))
            every = job["checkpoint_every"]
            if progress.step == 0 or (every and progress.step % every == 0):
                if progress.step:
                    way.settle(optimizer, progress)
                _report(group, model, optimizer, progress)
    except (ValueError, TypeError, LookupError) as e:
        where = f"epoch {progress.epoch + 1}, step {progress.step + 1}"
        raise TrainingError(f"rank {group.rank} failed in {where}: {e!r}") from e
    tell("done", progress)
    group.barrier()


def _way(job: Dict[str, Any], group: Group, settled: Settled) -> Any:
    seed = settled.settings.seed
    if job["mode"] == "sync":
        return Sync(group, settled.model, shards=job["shards"], seed=seed)
    return Sharded(
        group,
        settled.model,
        settled.optimizer,
        mean=getattr(settled.settings.loss, "normalize", True),
        quorum=job["quorum"],
        max_staleness=job["max_staleness"],
        seed=seed,
        timeout=job["timeout"],
        ask=ask_ray,
        own=_own_in_ray,
    )


def _own_in_ray(*args: Any, **settings: Any) -> Any:
    import ray

    size = args[-1]
    return ray.remote(Owner).options(num_cpus=0, max_concurrency=2 * size + 2).remote(*args, **settings)


def _check_corpora(group: Group, data: Any) -> None:
    """TrainingError if the machines do not read the same examples."""
    seen = group.gather((len(data.train), len(data.dev), data.labels))
    for rank, other in enumerate(seen):
        if other != seen[0]:
            raise TrainingError(
                f"rank {rank} reads another corpus than rank 0: {other[0]} training and {other[1]} held-out examples "
                f"with {len(other[2])} labels, instead of {seen[0][0]}, {seen[0][1]} and {len(seen[0][2])}"
            )
    for name, n in (("training", seen[0][0]), ("held-out", seen[0][1])):
        if not n:
            raise DatasetError(f"The {name} part of the corpus is empty")


def _report(group: Group, model: Any, optimizer: Any, progress: Progress) -> None:
    """A checkpoint, which counts once Ray's controller has heard of it from all ranks."""
    import ray.train

    metrics = {"epoch": progress.epoch, "step": progress.step}
    if group.rank:
        ray.train.report(metrics)
        return
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder) / CHECKPOINT, model, optimizer, progress)
        ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _tell_epoch(tell: Callable[[str, Any], None], settled: Settled, data: Data, progress: Progress, size: int) -> None:
    lines = [json.dumps(entry) for entry in progress.history]
    tell("file", ("metrics.jsonl", ("\n".join(lines) + "\n").encode()))
    if progress.improved:
        for name, content in pack_run(settled.model, settled, data, progress).items():
            tell("file", (name, bytes(content)))
    score = shown_score(settled.settings.score or default_score(data), progress.score or 0)
    tell(
        "epoch",
        f"epoch {progress.epoch + 1:>3}  {loss_name(settled.settings.loss)} {progress.mean_loss:.4f}  {score}"
        f"  {progress.speed / size:,.0f} {settled.corpus.unit}/s per worker",
    )


def _line(progress: Progress, way: Any, epochs: int, unit: str) -> Dict[str, Any]:
    metrics, n = way.metrics(), progress.epoch * progress.steps + progress.step
    late = f", {metrics['dropped']} dropped, {metrics['stale']} stale" if "dropped" in metrics else ""
    text = (
        f"loss {progress.loss / progress.step:.4g}, best {max(progress.best_score or 0, 0):.4f}, "
        f"{progress.speed / way.group.size:,.0f} {unit}/s per worker, {metrics['bytes_per_step'] / 1e6:.2f} MB a step, "
        f"exchange {100 * metrics['exchange_share']:.0f} %{late}"
    )
    return {"total": epochs * progress.steps, "n": n, "text": text}


__all__ = ["work"]
