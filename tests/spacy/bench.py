"""Words per second of training and predicting, two environments in turn.

    python bench.py OURS REFERENCE [ROUNDS]     (each the python of an environment)

Alternating processes, CPU time of one thread, the best round of each: only the ratios
mean anything.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TRAINED = ["tagger", "ner", "syntax", "textcat", "spancat"]


def measure():
    """One round in this process. -> {what: words/s}"""
    import random

    import corpora
    import pipelines
    import spacy
    from spacy.util import fix_random_seed, minibatch

    def tagger(nlp):
        tok2vec = pipelines._tok2vec()
        model = {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}
        nlp.add_pipe("tagger", config={"model": model})

    def some_trees(nlp):
        return corpora.treebank(nlp, "train", 400)

    setups = {
        "tagger": (tagger, some_trees),
        "ner": (pipelines._ner, lambda nlp: corpora.entities(nlp, "dev", 400)),
        "syntax": (pipelines._syntax, some_trees),
        "textcat": (pipelines._textcat, lambda nlp: corpora.intents(nlp, "train", 10)[:400]),
        "spancat": (pipelines._spancat, lambda nlp: corpora.slots(nlp, "sc")[0][:300]),
    }
    texts = corpora.raw_texts("dev", 400)
    speeds = {}
    for name in TRAINED:
        add, data = setups[name]
        fix_random_seed(0)
        nlp = spacy.blank("en")
        add(nlp)
        examples = data(nlp)
        optimizer = nlp.initialize(lambda examples=examples: examples)
        nlp.update(examples[:8], sgd=optimizer)  # first calls pay for what is made lazily
        random.Random(0).shuffle(examples)
        words = sum(len(eg.reference) for eg in examples)
        start = time.process_time()
        for batch in minibatch(examples, 16):
            nlp.update(batch, sgd=optimizer, drop=0.1)
        speeds[f"{name} train"] = words / (time.process_time() - start)
        docs = [nlp.make_doc(text) for text in texts]
        words = sum(map(len, docs))
        start = time.process_time()
        for _ in nlp.pipe(docs, batch_size=64):
            pass
        speeds[f"{name} predict"] = words / (time.process_time() - start)
    return speeds


def main(pythons, rounds):
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    env = {**os.environ, **dict.fromkeys(threads, "1")}
    best = [{}, {}]
    for _ in range(rounds):
        for speeds, python in zip(best, pythons):
            command = [python, str(Path(__file__).resolve()), "--measure"]
            out = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
            for what, speed in json.loads(out.splitlines()[-1]).items():
                speeds[what] = max(speed, speeds.get(what, 0))
    print(f"{'words/s':20} {'ours':>9} {'reference':>9}  ratio")
    for what, speed in best[0].items():
        print(f"{what:20} {speed:9.0f} {best[1][what]:9.0f} {speed / best[1][what]:6.2f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measure()))
    else:
        main(sys.argv[1:3], int(sys.argv[3]) if len(sys.argv) > 3 else 3)
