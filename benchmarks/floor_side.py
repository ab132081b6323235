"""What the machine takes for the least work of a case (work.py): its products at the peak of fused multiply-adds, its
bytes at the speed of a plain loop over arrays of that size; the longer of the two, one after the other where both are
asked. THINC_BENCH_LEVEL: the CPU level."""

import ctypes
import itertools
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import numpy
from work import FLOAT, WORK, Work

ROOT = Path(__file__).parents[1]
LEVEL = os.environ["THINC_BENCH_LEVEL"].split("_")[0]
AVX2 = ["-mavx2", "-mfma", "-mf16c"]
AVX512 = [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]
FLAGS = {"avx2": AVX2, "avx512": AVX512}


def _library() -> Any:
    path = ROOT / "build" / "benchmarks" / f"floor-{LEVEL}.so"
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-O3", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC", f"-DTHINC_ISA={LEVEL}"]
    include = f"-I{ROOT / 'include'}"
    source = ROOT / "benchmarks" / "native" / "floor.cc"
    command = [os.environ.get("CXX", "c++"), *flags, *FLAGS.get(LEVEL, []), include, str(source), "-o", str(path)]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(path))
    library.compute.argtypes = [ctypes.c_double]
    library.move.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
    return library


native = _library()


def _fastest(run: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        run()
        best = min(best, time.thread_time() - start)
    return best


def _aligned(n: int) -> numpy.ndarray:
    """Numbers that begin on a cache line."""
    array = numpy.ones(n + 16, dtype="f")
    first = -array.ctypes.data % 64 // FLOAT
    return array[first : first + n]


def floor(work: Work) -> Optional[Callable[[], Any]]:
    if work == Work():
        return None
    read, written = int(work.read // FLOAT), int(work.written // FLOAT)
    # As many inputs in turn as the other sides have. (Not zeros: these would be one page of memory, read again.)
    fresh = 1 if work.in_place else min(max(2**18 // max(read, 1), 2), 8)
    sources = [_aligned(read) for _ in range(fresh)]
    target = sources[0] if work.in_place else _aligned(written)
    address = itertools.cycle([source.ctypes.data for source in sources])
    to = target.ctypes.data

    def compute() -> None:
        native.compute(work.operations)

    def move(arrays: Any = (sources, target)) -> None:  # (which keeps them alive)
        native.move(next(address), read, to, written)

    return compute if work.operations and _fastest(compute) > _fastest(move) else move


KINDS: Dict[str, Callable[..., Optional[Callable[[], Any]]]] = {
    kind: lambda *args, work=work: floor(work(*args)) for kind, work in WORK.items()
}
