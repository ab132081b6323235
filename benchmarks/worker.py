"""One side of a comparison, in a process and an environment of its own: a name in, seconds of a call out.

python worker.py SIDE       lines of JSON: {"case": NAME, "seconds": AT_LEAST} -> {"seconds": OF_ONE_CALL} or {}
"""

import importlib
import json
import sys
import time
import warnings

import plan


def measure(run, at_least):
    """CPU time of a call: the best of five rounds that take `at_least` seconds together."""
    run()
    start = time.thread_time()
    run()
    once = max(time.thread_time() - start, 1e-7)
    calls = max(int(at_least / 5 / once), 1)
    best = float("inf")
    for _ in range(5):
        start = time.thread_time()
        for _ in range(calls):
            run()
        best = min(best, (time.thread_time() - start) / calls)
    return best


def main():
    warnings.simplefilter("ignore")
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    side = importlib.import_module(f"{sys.argv[1]}_side")
    runs = {}
    for line in sys.stdin:
        asked = json.loads(line)
        case = plan.BY_NAME[asked["case"]]
        answer = {}
        if case.kind in side.KINDS:
            if case.name not in runs:
                runs[case.name] = side.KINDS[case.kind](*case.args)
            run = runs[case.name]
            if run is not None:
                answer = {"seconds": measure(run, asked["seconds"])}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
