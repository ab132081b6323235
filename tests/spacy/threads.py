"""Four threads annotate 1,000 documents each and must all say what one thread says.

    python threads.py MODELS

The threads share the pipeline and start together. Each begins at another place in the
texts, so that they work on different documents at any moment.
"""

import sys
import threading
from pathlib import Path

import corpora
import pipelines
import spacy

THREADS = 4
DOCUMENTS = 1000
NAMES = ("syntax", "ner", "textcat_reduce", "spancat")


def run(nlp, texts, shift):
    order = texts[shift:] + texts[:shift]
    said = [pipelines.describe(doc) for doc in nlp.pipe(order, batch_size=64)]
    back = len(texts) - shift
    return said[back:] + said[:back]


def main(models):
    texts = corpora.raw_texts("train", DOCUMENTS, per_doc=1)
    assert len(texts) == DOCUMENTS
    failed = []
    for name in NAMES:
        nlp = spacy.load(models / name)
        alone = run(nlp, texts, 0)
        results = [None] * THREADS
        barrier = threading.Barrier(THREADS)

        def work(i, nlp=nlp, results=results, barrier=barrier):
            barrier.wait()
            results[i] = run(nlp, texts, i * DOCUMENTS // THREADS)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wrong = sum(pipelines.differences(result or [], alone)[0] for result in results)
        if wrong:
            failed.append(name)
        verdict = "FAIL" if wrong else "ok  "
        count = f"{THREADS} x {DOCUMENTS}"
        print(f"{verdict} {name:20} {count} documents, {wrong} differ", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
