"""python -m tests.fuzz [--seconds 60] [--inputs N] [--seed N] [reader ...]

Each reader works in a process of its own, which is killed after 5 s on one input and may take 256 MB more than it has
at first. An input that crashes it, hangs, raises what is not allowed or leaves something changed goes to
tests/fuzz/corpus, from where the quick tests read it ever after.
"""

import argparse
import hashlib
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import List, Optional

from tests.fuzz.readers import READERS, Reader, kept

LIMIT_S = 5
LIMIT_MB = 256
CORPUS = Path(__file__).parent / "corpus"


def judge(reader: Reader, data: bytes, folder: Path) -> Optional[str]:
    """What is wrong with how a reader takes an input, None if nothing is."""
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)  # by default it kills, also in compiled code
    try:
        reader.read(data, folder)
    except reader.errors as error:
        if not str(error).strip():
            return f"{type(error).__name__} without a text"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def limit_memory() -> None:
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    limit = now + LIMIT_MB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def work(name: str, seconds: float, inputs: float, seed: int, folder: Path) -> None:
    """Mutate and read for a while, or that many inputs. The input stands in folder/input while it is read."""
    reader = READERS[name]
    rng = random.Random(seed)
    pool = [*reader.seeds(folder), *kept(name)]
    limit_memory()
    runs = 0
    end = time.monotonic() + seconds
    current = folder / "input"
    while time.monotonic() < end and runs < inputs:
        data = rng.choice(pool)
        for _ in range(rng.choice([1, 1, 2, 5])):
            data = rng.choice(reader.mutators)(rng, data)
        current.write_bytes(data)
        wrong = judge(reader, data, folder)
        if wrong:
            print(wrong)
            raise SystemExit(1)
        runs += 1
    print(f"{runs} inputs", end="")


def fuzz(name: str, seconds: float, seed: int, inputs: float = math.inf) -> bool:
    """Whether a reader stood all inputs; where it did not, the input is kept."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"--work": folder, "--seconds": seconds, "--inputs": inputs, "--seed": seed}
        words = [str(word) for setting in settings.items() for word in setting]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", *words, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode == 0:
            print(f"{name:12} {done.stdout}", flush=True)
            return True
        data = (Path(folder) / "input").read_bytes()
    how = {-signal.SIGALRM: f"no answer within {LIMIT_S} s"}.get(done.returncode, f"exit status {done.returncode}")
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{name:12} {how}, kept as {os.path.relpath(path)}\n{done.stdout}", flush=True)
    return False


def main(argv: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for each reader")
    parser.add_argument("--inputs", type=float, default=math.inf, help="at most, for each reader")
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("readers", nargs="*", metavar="reader", help=", ".join(READERS))
    args = parser.parse_args(argv)
    unknown = set(args.readers) - set(READERS)
    if unknown:
        parser.error(f"unknown readers: {', '.join(sorted(unknown))}. There are {', '.join(READERS)}")
    seed = time.time_ns() % 2**32 if args.seed is None else args.seed
    if args.work:
        work(args.readers[0], args.seconds, args.inputs, seed, args.work)
        return 0
    print(f"seed {seed}, {args.seconds:g} s for each reader")
    return 1 - min([fuzz(name, args.seconds, seed, args.inputs) for name in args.readers or READERS])


if __name__ == "__main__":
    raise SystemExit(main())
