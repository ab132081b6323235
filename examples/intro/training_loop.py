"""A training loop in the open: which chapter does a sentence come from?

    python training_loop.py

See encode_sentence.py for the model and the text.
"""

import random
from typing import List, Tuple

import numpy
from encode_sentence import read_topics, sentence_encoder, to_ids

from thinc.api import Adam, Softmax, chain, fix_random_seed
from thinc.types import Floats2d


def get_loss(Yh: Floats2d, Y: Floats2d) -> Tuple[float, Floats2d]:
    """The cross-entropy and its gradient, both per row."""
    loss = -float((Y * numpy.log(Yh + 1e-8)).sum()) / len(Y)
    return loss, (Yh - Y) / len(Y)


def main(chapters: Tuple[str, ...] = ("debugger", "formatstrings")) -> List[float]:
    """Returns the accuracy on held-out sentences after each epoch."""
    fix_random_seed(0)
    sentences, labels = read_topics(list(chapters))
    X, Y = to_ids(sentences), numpy.eye(len(chapters), dtype="f")[labels]
    rows = random.sample(range(len(X)), len(X))
    held_out, rows = rows[: len(X) // 5], rows[len(X) // 5 :]
    train_batches = [
        ([X[i] for i in batch], Y[batch]) for batch in (rows[start : start + 16] for start in range(0, len(rows), 16))
    ]
    model = chain(sentence_encoder(), Softmax()).initialize(X=X, Y=Y)
    optimizer = Adam(0.001)
    accuracies = []
    for i in range(10):
        for X_batch, Y_batch in train_batches:
            Yh, backprop = model.begin_update(X_batch)
            loss, dYh = get_loss(Yh, Y_batch)
            backprop(dYh)
            model.finish_update(optimizer)
        guesses = model.predict([X[i] for i in held_out]).argmax(axis=1)
        accuracies.append(float((guesses == Y[held_out].argmax(axis=1)).mean()))
        print(f"epoch {i}: loss {loss:.3f}, accuracy {accuracies[-1]:.0%}")
    return accuracies


if __name__ == "__main__":
    main()
