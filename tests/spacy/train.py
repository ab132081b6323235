"""Train the pipelines, check that they learnt, and save them with their annotations.

    python train.py OUT [NAME ...]

Writes OUT/<name>/ (the pipeline), OUT/<name>.json (what it says about fixed texts).
Exit status 1 when a score is below its floor, or a saved pipeline, loaded again, says
anything else.
"""

import sys
import time
from pathlib import Path

import pipelines
import spacy

import thinc


def main(out, names):
    out.mkdir(parents=True, exist_ok=True)
    print(f"spaCy {spacy.__version__}, thinc {thinc.__version__} in {thinc.__path__[0]}")
    failed = []
    for name in names or pipelines.PIPELINES:
        start = time.time()
        nlp, test, words, seconds = pipelines.train(name)
        scores = pipelines.scores(nlp, name, test)
        nlp.to_disk(out / name)
        said = pipelines.annotate(nlp, name)
        pipelines.write_json(out / f"{name}.json", said)
        wrong, _ = pipelines.differences(pipelines.annotate(spacy.load(out / name), name), said)
        floors = pipelines.PIPELINES[name].floors
        low = [key for key in floors if scores[key] < floors[key]]
        if low or wrong:
            failed.append(name)
        print(
            f"{'FAIL' if low or wrong else 'ok  '} {name:20}"
            f" {words / seconds:7.0f} words/s of CPU in training;"
            f" {time.time() - start:5.1f} s;",
            ", ".join(f"{k} {v:.3f} (>= {floors[k]})" for k, v in scores.items()),
            f"; {wrong} documents differ after loading" if wrong else "",
            flush=True,
        )
    print(f"{len(failed)} failed: {failed}" if failed else "all learnt")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
