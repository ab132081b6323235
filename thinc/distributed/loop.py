"""What the driver starts on Ray, and shows of it."""

import importlib.util
import logging
import os
import shutil
import signal
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from ..api import Config
from ..training import ConfigProblem, Progress, Settled, TrainingError
from ..training.loggers import Bar
from ..util import write_atomically
from .group import Mail
from .sharded import check_no_shims
from .sync import check_shards
from .work import settle_any, work

PIP = 'pip install "thinc[ray]"'
Workers = Union[int, Tuple[int, int]]


def distributed_train(
    config: Union[str, Path, Config],
    *,
    workers: Workers = 2,
    mode: str = "sync",
    address: Optional[str] = None,
    storage: Union[str, Path] = "runs/distributed",
    max_failures: int = 3,
    timeout: float = 60.0,
    shards: Optional[int] = None,
    quorum: Optional[int] = None,
    max_staleness: int = 2,
    checkpoint_every: int = 0,
    resume: bool = False,
    overrides: Optional[Dict[str, Any]] = None,
) -> Progress:
    r"""Train the model of a config on several workers; returns where the run ended, as `thinc.training.train` does.

    config: a file, or a Config. The batch size in it is that of all workers together.
    workers: how many, or (least, most) for a run that shrinks and grows with its cluster.
    mode: "sync" sums the gradients of all; "sharded" gives each parameter an owner, see `quorum` and `max_staleness`
        in `Sharded`.
    address: of a running cluster ("auto": the one of this machine), which is left running; without it Ray is started
        here with a CPU for each worker, and stopped at the end.
    storage: a folder that all machines see. It gets what `thinc train` writes, and Ray's checkpoints in ray/.
    max_failures: how often the workers are started again from the last checkpoint. Checkpoints are made after each
        epoch, and every `checkpoint_every` steps.
    timeout: seconds that anyone waits for another.
    shards: see `Sync`: the same bits for any number of workers.
    resume: go on from the last checkpoint in storage.
    overrides: values in place of the config's, such as {"training.seed": 1}.

    Raises ConfigProblem for arguments that cannot be carried out, ImportError without Ray, TrainingError if the run
    failed.

    >>> import ray
    >>> import thinc.training
    >>> ready = Path(thinc.training.__file__).parent / "configs" / "textcat.cfg"
    >>> written = Path("pets.csv").write_text("text,category\n" + "meow,cat\nwoof,dog\n" * 10)
    >>> progress = distributed_train(ready, workers=2, storage="pets", overrides={"corpus.path": "pets.csv"})
    epoch   1  cross-entropy 0.3466  accuracy 100.00 %  ...
    epoch   2  cross-entropy 0.3416  accuracy 100.00 %  ...
    epoch   3  cross-entropy 0.3367  accuracy 100.00 %  ...
    >>> progress.best_score
    1.0
    """
    settled = settle_any(config, overrides or {})
    least, most = _check(settled, workers, mode, shards, quorum, max_failures)
    settled.corpus.check()
    folder = Path(storage).absolute()
    if resume and not (folder / "ray").is_dir():
        raise ConfigProblem(f"there is nothing to resume in {folder}: it holds no folder ray")
    _require_ray()
    job = {
        "config": settled.config.to_str(),
        "folder": os.getcwd(),
        "mode": mode,
        "shards": shards,
        "quorum": quorum,
        "max_staleness": max_staleness,
        "checkpoint_every": checkpoint_every,
        "timeout": timeout,
        "gloo": mode == "sync" and _has_torch(),  # (decided here: workers that each looked might not agree)
    }
    with _ray(address, most, timeout):
        _check_cpus(least)
        folder.mkdir(parents=True, exist_ok=True)
        if not resume:
            shutil.rmtree(folder / "ray", ignore_errors=True)
        write_atomically(folder / "config.cfg", settled.config.to_bytes())
        with _timeouts(int(timeout) or 1):
            return _run(job, workers, folder, max_failures)


def _check(
    settled: Settled, workers: Workers, mode: str, shards: Optional[int], quorum: Optional[int], max_failures: int
) -> Tuple[int, int]:
    """ConfigProblem for what cannot work; the least and the largest number of workers."""
    least, most = workers if isinstance(workers, tuple) else (workers, workers)
    if not 1 <= least <= most:
        raise ConfigProblem(f"workers: expected a number of at least 1, or (least, most), got {workers!r}")
    if mode not in ("sync", "sharded"):
        raise ConfigProblem(f"mode: expected 'sync' or 'sharded', got {mode!r}")
    if least < most and max_failures == 0:
        raise ConfigProblem("workers from ... to ... need max_failures above 0: a change of their number is a restart")
    if quorum is not None and (mode == "sync" or not 1 <= quorum <= least):
        raise ConfigProblem(f"quorum: expected 1 to {least}, the number of workers, with mode 'sharded', got {quorum}")
    try:
        check_shards(shards)
        if mode == "sharded":
            check_no_shims(settled.model)
    except ValueError as e:
        raise ConfigProblem(str(e)) from e
    if shards is not None and mode == "sharded":
        raise ConfigProblem("shards fixes the order of the sums of mode 'sync'; mode 'sharded' has no fixed order")
    if shards is not None and shards < most:
        raise ConfigProblem(f"shards: {shards} parts are too few for {most} workers; expected a power of two >= {most}")
    return least, most


# Ray


def _require_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise ImportError(f"Several workers need Ray, which is not installed. Install it with: {PIP}")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # paths in a config stay valid
    try:
        import ray.train  # noqa: F401
        from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer  # noqa: F401
    except ImportError as e:
        raise ImportError(f"This Ray has no Train, or too old a one ({e}). Install it with: {PIP}") from e


@contextmanager
def _ray(address: Optional[str], cpus: int, timeout: float) -> Iterator[None]:
    """A connection to Ray: the caller's, if there is one; else a cluster's; else a Ray of our own, ended with it."""
    import ray

    if ray.is_initialized():
        yield
        return
    quiet: Dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        ray.init(num_cpus=cpus, include_dashboard=False, **quiet)
    else:
        _probe(address, timeout)
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as e:
            raise TrainingError(f"There is no Ray at {address!r}: {e}") from e
    try:
        yield
    finally:
        ray.shutdown()


def _probe(address: str, timeout: float) -> None:
    """TrainingError if nobody listens: Ray itself tries for long."""
    host, _, port = address.rpartition(":")
    if not host:
        return  # "auto", "local"
    try:
        socket.create_connection((host.rpartition("/")[2], int(port)), timeout=timeout).close()
    except (OSError, ValueError) as e:
        raise TrainingError(f"There is no Ray at {address!r}: {e}. `ray status` on its head shows the address") from e


def _check_cpus(least: int) -> None:
    import ray

    cpus = int(ray.cluster_resources().get("CPU", 0))
    if cpus < least:
        raise ConfigProblem(f"{least} workers need {least} CPUs, but the cluster has {cpus}. Ask for fewer workers")


def _run(job: Dict[str, Any], workers: Workers, folder: Path, max_failures: int) -> Progress:
    """Start the workers and show what they tell until they are done."""
    import ray
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    class Trainer(DataParallelTrainer):
        def _create_default_callbacks(self) -> List[Any]:
            # (a process, and 2 s of CPU time, at each start of the workers, to hand out datasets of Ray, of which we
            # have none)
            callbacks = super()._create_default_callbacks()
            return [callback for callback in callbacks if type(callback).__name__ != "DatasetsCallback"]

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    mail = ray.remote(Mail).options(num_cpus=0, max_concurrency=1000).remote()
    trainer = Trainer(
        work,
        train_loop_config={**job, "mail": mail},
        backend_config=_backend(job),
        scaling_config=ScalingConfig(num_workers=workers, resources_per_worker={"CPU": 1}),  # type: ignore[arg-type]  # (int is right)
        run_config=RunConfig(
            name="ray",
            storage_path=str(folder),
            # (the second is of starts that found no CPU free within the timeout: by default they are tried for ever)
            failure_config=FailureConfig(max_failures=max_failures, controller_failure_limit=max_failures),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
        ),
    )
    with _Watch(mail, folder) as watch:
        try:
            with _interrupts():
                trainer.fit()
        except ray.train.TrainingFailedError as e:
            watch.look()
            raise TrainingError(watch.error or f"The workers failed {max_failures + 1} times, at last: {e}") from e
        except ray.exceptions.RayError as e:  # what leads the workers, or all of Ray
            what = str(e).partition("\n")[0]
            raise TrainingError(f"Ray lost what led the workers: {what} Go on with resume=True from {folder}") from e
        watch.look()
    if watch.error:
        raise TrainingError(watch.error)
    if watch.progress is None:
        raise TrainingError(f"The workers ended without a word; Ray's logs are in {_log_folder()}")
    return watch.progress


@contextmanager
def _timeouts(seconds: int) -> Iterator[None]:
    """Those of Ray Train, which it reads from the environment; what the user has set there stays."""
    names = ("WORKER_HEALTH_CHECK_TIMEOUT_S", "WORKER_GROUP_START_TIMEOUT_S", "COLLECTIVE_TIMEOUT_S")
    # (each checkpoint waits until the workers are asked, and so does the end of a run or of a worker: every 2 s, else)
    values = {**dict.fromkeys(names, str(seconds)), "HEALTH_CHECK_INTERVAL_S": "0.2"}
    ours = {f"RAY_TRAIN_{name}": value for name, value in values.items() if f"RAY_TRAIN_{name}" not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


@contextmanager
def _interrupts() -> Iterator[None]:
    """Ctrl-C is the caller's again after the run: Ray Train leaves its own handler, which ends the process."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler or signal.SIG_DFL)


def _log_folder() -> str:
    import ray

    return str(ray.nodes()[0].get("TempDir", "/tmp/ray"))


def _backend(job: Dict[str, Any]) -> Any:
    """gloo of torch for the sums of mode sync, where torch is installed; else nothing but Ray."""
    from ray.train.backend import BackendConfig

    if not job["gloo"]:
        return BackendConfig()
    from ray.train.torch import TorchConfig

    return TorchConfig(backend="gloo", timeout_s=int(job["timeout"]) or 1)


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


class _Watch:
    """A thread of the driver: fetches what the workers tell, shows it and writes the files of the run."""

    def __init__(self, mail: Any, folder: Path):
        self.mail, self.folder = mail, folder
        self.error = ""
        self.progress: Optional[Progress] = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> "_Watch":
        self._bar = Bar(unit="step", disable=None)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.close()

    def _loop(self) -> None:
        while not self._stop.wait(0.5):
            self.look()

    def look(self) -> None:
        """Take the notes that came."""
        import ray

        with self._lock:
            try:
                notes = ray.get(self.mail.take.remote(), timeout=10)
            except ray.exceptions.RayError:
                return  # the run is ending; fit() tells why
            for kind, value in notes:
                getattr(self, f"_{kind}")(value)

    def _failure(self, message: str) -> None:
        self.error = self.error or message

    def _file(self, value: Tuple[str, bytes]) -> None:
        write_atomically(self.folder / value[0], value[1])

    def _step(self, value: Dict[str, Any]) -> None:
        self._bar.total, self._bar.n = value["total"], value["n"]
        self._bar.set_postfix_str(value["text"])

    def _epoch(self, text: str) -> None:
        self._bar.write(text)

    def _done(self, progress: Progress) -> None:
        self.progress = progress


__all__ = ["distributed_train"]
