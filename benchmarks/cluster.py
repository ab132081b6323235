"""Throughput of 2 to 256 workers, predicted from what one machine can measure.

    python -m benchmarks.cluster measure   seconds and bytes of a step here -> build/cluster.json
    python -m benchmarks.cluster check     two workers on a Ray of this machine against the prediction
    python -m benchmarks.cluster plot      the prediction -> docs/cluster.svg and a table

The model of a step: each worker computes its texts in a time that is drawn from the measured ones, then exchanges.

    sync     all wait for the slowest; two rounds, in each of which a worker sends and gets (W - 1) / W of the bytes
    sharded  quorum 1: nobody waits for another; a worker sends its gradients to their owners and gets all weights
    rows     blocks of zeros are left out: of a worker's gradient first, then of the sum, whose rows are those that any
             worker touched

A round costs its latency (of the library and of the network) and its bytes at the speed of the link, which a worker
shares with nobody. What is left out: switches that are too slow for all at once, and gradients too old to be of use.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy

from thinc.api import fix_random_seed
from thinc.distributed.bucket import Bucket, nonzero_blocks
from thinc.training import backward, initialize, settle

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "build" / "cluster.json"
CONFIG = ROOT / "thinc" / "training" / "configs" / "tagger.cfg"
TEXTS = 64  # on each worker
WORKERS = (2, 4, 8, 16, 32, 64, 128, 256)
LINKS = {"1 Gbit/s": (125e6, 100e-6), "10 Gbit/s": (1.25e9, 50e-6), "25 Gbit/s": (3.1e9, 30e-6)}


def prepare():
    """The tagger of 1.5 M parameters on Python's own source."""
    run = settle(CONFIG, {})
    data = run.corpus.read()
    initialize(run.model, data, 0)
    return run, data


def measure(repeats=30):
    """Seconds of computing and of the update, bytes, the share of the blocks that n texts touch, cost of a round."""
    run, data = prepare()
    bucket = Bucket(run.model)
    rng = numpy.random.RandomState(0)
    compute, update, density = [], [], {}
    for _ in range(repeats):
        part = rng.choice(len(data.train), TEXTS, replace=False)
        start = time.process_time()  # not what other programs on this machine take
        backward(run.model, data.train, run.settings.loss, part)
        bucket.collect()
        middle = time.process_time()
        run.model.finish_update(run.optimizer)
        compute.append(middle - start)
        update.append(time.process_time() - middle)
    for n in (16, 32, 64, 128, 256, 512, 1024):
        bucket.flat[:] = 0
        for _ in range(0, n, TEXTS):
            part = rng.choice(len(data.train), min(n, TEXTS), replace=False)
            backward(run.model, data.train, run.settings.loss, part)
            bucket.collect()
        density[n] = float(nonzero_blocks(bucket.flat).mean())
    latency, speed = measure_rounds()
    found = {
        "compute": compute[3:],
        "update": float(numpy.median(update)),
        "bytes": bucket.flat.nbytes,
        "density": density,
        "round_latency": latency,
        "round_speed": speed,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found), encoding="utf8")
    print(
        f"{TEXTS} texts: {1e3 * min(compute):.1f} ms (median {1e3 * numpy.median(compute):.1f}), update "
        f"{1e3 * found['update']:.1f} ms, {bucket.flat.nbytes / 1e6:.2f} MB, blocks not 0: "
        + ", ".join(f"{n} texts {100 * d:.0f} %" for n, d in density.items())
    )
    print(f"a round between two processes here: {1e3 * latency:.2f} ms + {speed / 1e9:.2f} GB/s")


def measure_rounds(sizes=(4_000, 6_000_000)):
    """Latency and bytes a second of the exchange between two processes of this machine, by torch's gloo where it is."""
    import multiprocessing

    try:
        import torch  # noqa: F401
    except ImportError:
        return 3e-3, 1e9  # what Ray's object store was measured with
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, context.Pool(2) as pool:
        seconds = pool.starmap(_rounds, [(rank, folder, sizes) for rank in range(2)])[0]
    latency = seconds[0]
    return latency, (sizes[1] - sizes[0]) / max(seconds[1] - latency, 1e-9)


def _rounds(rank, folder, sizes):
    import torch.distributed

    from thinc.distributed.group import Gloo

    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    group, best = Gloo(), []
    for size in sizes:
        array, times = numpy.ones(size // 4, dtype="float32"), []
        for _ in range(15):
            group.barrier()
            start = time.perf_counter()
            group.sum_(array)
            times.append(time.perf_counter() - start)
        best.append(min(times))
    torch.distributed.destroy_process_group()
    return best


def density_of(found, n_texts):
    """The share of the blocks that n texts touch, between the measured numbers on a logarithmic scale."""
    texts = sorted(map(int, found["density"]))
    return float(numpy.interp(numpy.log(n_texts), numpy.log(texts), [found["density"][str(n)] for n in texts]))


def simulate(found, workers, mode, rows, link, steps=300, seed=0):
    """Texts a second of all workers together."""
    speed, network_latency = link
    rng = numpy.random.RandomState(seed)
    compute = rng.choice(found["compute"], size=(steps, workers))
    latency, size = found["round_latency"] + network_latency, found["bytes"]
    own = density_of(found, TEXTS) if rows else 1.0
    others = (workers - 1) / workers
    if mode == "sync":
        union = density_of(found, TEXTS * workers) if rows else 1.0
        exchange = 2 * latency + others * size * (own + union) / speed
        seconds = compute.max(axis=1).sum() + steps * (exchange + found["update"])
        return workers * TEXTS * steps / seconds
    exchange = 2 * latency + others * size * (own + 1.0) / speed
    # An owner makes an update of its part for each gradient of every worker, beside the computing of its own.
    seconds = compute.sum(axis=0) + steps * (exchange + found["update"])
    return float((TEXTS * steps / seconds).sum())


def check():
    """Two workers on a Ray of this machine."""
    from thinc.api import Config
    from thinc.distributed import distributed_train

    found = json.loads(RESULTS.read_text(encoding="utf8"))
    link = (found["round_speed"], 0.0)
    predicted = simulate(found, 2, "sync", False, link)
    config = Config().from_disk(CONFIG)
    results = {}
    for workers in (1, 2):
        fix_random_seed(0)
        overrides = {"training.batch_size": TEXTS * workers, "training.max_epochs": 6}
        with tempfile.TemporaryDirectory() as folder:
            progress = distributed_train(config, workers=workers, storage=folder, overrides=overrides)
        results[workers] = best_speed(progress)
        share = progress.history[-1]["exchange_share"]
        print(f"{workers} workers: {results[workers]:,.0f} words/s (best epoch), exchange {100 * share:.0f} %")
    alone = TEXTS / (min(found["compute"]) + found["update"])
    print(
        f"2 workers: {results[2] / results[1]:.2f} x one; predicted {predicted / alone:.2f} x, if they do not slow "
        "each other's computing"
    )


def best_speed(progress):
    """Words a second in the fastest epoch."""
    seconds = numpy.diff([0.0] + [entry["seconds"] for entry in progress.history])
    return progress.items / len(progress.history) / seconds.min()


def plot():
    """The table to the terminal, the figure to docs/."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"svg.hashsalt": "thinc", "svg.fonttype": "none"})  # a small file, always the same
    found = json.loads(RESULTS.read_text(encoding="utf8"))
    alone = TEXTS / (numpy.mean(found["compute"]) + found["update"])
    figure, axes = pyplot.subplots(1, len(LINKS), figsize=(12, 4), sharey=True)
    print("| link, mode | " + " | ".join(map(str, WORKERS)) + " |\n|" + " --- |" * (len(WORKERS) + 1))
    for axis, (name, link) in zip(axes, LINKS.items()):
        axis.plot(WORKERS, WORKERS, color="grey", linestyle=":", label="perfect")
        for mode in ("sync", "sharded"):
            for rows in (False, True):
                ups = [simulate(found, w, mode, rows, link) / alone for w in WORKERS]
                label = f"{mode}, {'rows' if rows else 'dense'}"
                axis.plot(WORKERS, ups, marker="o", linestyle="-" if rows else "--", label=label)
                print(f"| {name}, {label} | " + " | ".join(f"{up:.1f}" for up in ups) + " |")
        axis.set(title=name, xlabel="workers", xscale="log", yscale="log")
        axis.set_xticks(WORKERS, [str(w) for w in WORKERS])
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"speed, × one worker ({TEXTS} texts each)")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "cluster.svg", metadata={"Date": None})


if __name__ == "__main__":
    {"measure": measure, "check": check, "plot": plot}[sys.argv[1]]()
