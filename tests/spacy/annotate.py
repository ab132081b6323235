"""Load pipelines that another process, perhaps over another thinc, trained and saved.

    python annotate.py MODELS [--exact]

Each must say about the fixed texts what its trainer wrote beside it. Without --exact,
one document in 50 may differ: two sound implementations round differently, and a near
tie can fall either way. Exit status 1 when more differ.
"""

import sys
from pathlib import Path

import pipelines
import spacy

import thinc


def main(models, exact):
    print(f"{models} under thinc {thinc.__version__} in {thinc.__path__[0]}")
    failed = []
    for path in sorted(models.glob("*.json")):
        name = path.stem
        nlp = spacy.load(models / name)
        got = pipelines.annotate(nlp, name)
        wrong, count = pipelines.differences(got, pipelines.read_json(path))
        bad = wrong > (0 if exact else count // 50)
        if bad:
            failed.append(name)
        print(f"{'FAIL' if bad else 'ok  '} {name:20} {wrong} of {count} documents differ")
    print(f"{len(failed)} failed: {failed}" if failed else "all agree")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--exact" in sys.argv))
