"""Sentences of any length to vectors of one width, on Python's own documentation.

python encode_sentence.py
"""

import re
from pydoc_data.topics import topics
from typing import Dict, List, Tuple

import numpy

from thinc.api import (
    Embed,
    Mish,
    ParametricAttention,
    chain,
    concatenate,
    fix_random_seed,
    list2ragged,
    reduce_mean,
    with_array,
)
from thinc.types import Ints2d


def sentence_encoder():
    encode_sentence = chain(
        list2ragged(),  # concatenate sequences
        with_array(  # ignore outer sequence structure (temporarily)
            concatenate(Embed(128, column=0), Embed(128, column=1)), Mish(128, dropout=0.2, normalize=True)
        ),
        ParametricAttention(128),
        reduce_mean(),
    )
    return encode_sentence


def read_topics(names: List[str]) -> Tuple[List[str], List[int]]:
    """Sentences from these chapters of the language reference, and whose they are."""
    sentences, labels = [], []
    for label, name in enumerate(names):
        for sentence in re.split(r"(?<=\.)\s", topics[name].replace("\n", " ")):
            if len(sentence.split()) >= 5:
                sentences.append(sentence)
                labels.append(label)
    return sentences, labels


def to_ids(sentences: List[str]) -> List[Ints2d]:
    """For each word a row of two ids: of the word, and of its last three letters."""
    words: Dict[str, int] = {}
    endings: Dict[str, int] = {}
    rows = []
    for sentence in sentences:
        tokens = re.findall(r"\w+", sentence.lower()) or [""]
        word_ids = [words.setdefault(token, len(words)) for token in tokens]
        ending_ids = [endings.setdefault(token[-3:], len(endings)) for token in tokens]
        rows.append(numpy.array([word_ids, ending_ids], dtype="int32").T.copy())
    return rows


def main() -> Tuple[int, ...]:
    fix_random_seed(0)
    sentences, _ = read_topics(["strings", "import"])
    X = to_ids(sentences)
    encode_sentence = sentence_encoder().initialize(X=X)
    Y, backprop = encode_sentence.begin_update(X)
    dX = backprop(Y)
    words = sum(len(x) for x in X)
    print(f"{words} words of {len(X)} sentences, encoded as vectors {Y.shape}")
    assert [dx.shape for dx in dX] == [x.shape for x in X]
    return Y.shape


if __name__ == "__main__":
    main()
