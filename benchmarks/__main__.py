"""This package against the published release, PyTorch and ONNX Runtime, on one core.

    python -m benchmarks [--quick] [--only WORD] [--json FILE] [--docs]

Each side runs in a process and an environment of its own (kept in build/benchmarks); for every case the sides take
turns, and the best of the rounds counts: CPU time of one thread. Only ratios mean anything, and only within one run.
One of the sides is the floor: what this CPU takes for the least work of a case. --docs keeps the figures of this
machine in benchmarks/results and writes docs/performance.md from all that are there; THINC_ISA chooses the CPU level.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from benchmarks import plan, report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVIRONMENTS = ROOT / "build" / "benchmarks"

Seconds = Dict[str, Dict[str, float]]


# What holds PyTorch's own kernels, oneDNN, MKL and NumPy's BLAS to AVX2. ONNX Runtime asks the CPU alone; the blis of
# the reference has nothing beyond it.
HELD_TO_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


class Side:
    """A worker process, and the packages of its environment; None: this interpreter.

    blis: the kernel that its blis is compiled for; without, blis comes as a wheel.
    """

    def __init__(self, name: str, module: str, packages: Optional[List[str]], blis: str = "", **env: str):
        self.name = name
        self.module = module
        self.packages = packages
        self.blis = blis
        self.env = env
        self.process: Any = None

    def interpreter(self) -> str:
        if self.packages is None:
            return sys.executable
        names = [package.split("==")[0] for package in self.packages]
        folder = ENVIRONMENTS / "-".join([*names, self.blis]).rstrip("-")
        python, ready = folder / "bin" / "python", folder / "ready"
        if not ready.is_file():  # (an installation may have been interrupted)
            print(f"installing {', '.join(self.packages)}", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            env = dict(os.environ)
            if self.blis:
                env["BLIS_ARCH"] = self.blis
                pip += ["--no-cache-dir", "--no-binary", "blis"]
            subprocess.run([*pip, *self.packages], check=True, env=env)
            ready.touch()
        return str(python)

    def start(self) -> None:
        threads = ("OMP", "OPENBLAS", "MKL")
        env = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in threads}, "THINC_BENCH_LEVEL": report.level()}
        if report.level().startswith("avx2"):
            env.update(HELD_TO_AVX2)
        env.update(self.env)
        self.process = subprocess.Popen(
            [self.interpreter(), str(HERE / "worker.py"), self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def seconds(self, case: str, at_least: float) -> Optional[float]:
        """Of one call; None if this side has no such case."""
        request = json.dumps({"case": case, "seconds": at_least})
        print(request, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.name} ended in the case {case}")
        return json.loads(answer).get("seconds")

    def import_seconds(self, statement: str) -> float:
        """CPU time of a process that imports, the best of five."""
        code = f"{statement}; import time; print(time.process_time())"
        command = [self.interpreter(), "-c", code]
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        best = math.inf
        for _ in range(5):
            done = subprocess.run(command, capture_output=True, text=True, env=env)
            best = min(best, float(done.stdout))
        return best


REFERENCE = ["thinc==8.3.14"]
SIDES = [
    Side("ours", "thinc", None),
    Side("reference", "thinc", REFERENCE),
    Side("reference, generic blis", "thinc", REFERENCE, blis="generic"),
    Side("reference, NumPy's BLAS", "thinc", REFERENCE, THINC_BENCH_BLIS="0"),
    Side("PyTorch", "torch", ["torch==2.13.0", "numpy"]),
    Side("ONNX Runtime", "onnx", ["onnxruntime==1.32.0", "onnx==1.23.2"]),
    Side("floor", "floor", None),
]


def measure(cases: List[plan.Case], rounds: int, at_least: float) -> Seconds:
    """{case: {side: seconds}}"""
    for side in SIDES:
        side.start()
    best: Seconds = {}
    for case in cases:
        times: Dict[str, float] = {}
        for _ in range(rounds):
            for side in SIDES:
                seconds = side.seconds(case.name, at_least)
                if seconds is not None:
                    times[side.name] = min(seconds, times.get(side.name, math.inf))
        best[case.name] = times
        print(report.line(case, times), flush=True)
    for side in SIDES:
        side.process.stdin.close()
        side.process.wait()
    return best


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds")
    parser.add_argument("--only", default="", help="cases whose group or name has this")
    parser.add_argument("--json", type=Path, help="write the seconds there")
    parser.add_argument("--docs", action="store_true", help="keep the figures and write docs/performance.md")
    args = parser.parse_args()
    if args.docs and (args.quick or args.only):
        parser.error("--docs keeps the figures of all cases, measured at length: without --quick and --only")
    cases = [
        case
        for case in plan.CASES
        if (case.quick or not args.quick) and (args.only in case.group or args.only in case.name)
    ]
    rounds, at_least = (2, 0.05) if args.quick else (5, 0.15)
    best = measure(cases, rounds, at_least)
    imports = {
        "numpy": SIDES[0].import_seconds("import numpy"),
        "ours": SIDES[0].import_seconds("import thinc.api"),
        "reference": SIDES[1].import_seconds("import thinc.api"),
        "PyTorch": SIDES[4].import_seconds("import torch"),
    }
    result = report.Result.of(best, imports)
    print("\n" + report.summary(result))
    if args.json:
        result.save(args.json)
    if args.docs:
        report.write_docs(result)


if __name__ == "__main__":
    main()
