"""The layers between raw text and arrays."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from murmurhash import hash_unicode

from thinc.api import registry
from thinc.training import features
from thinc.training.features import token_attributes, word_shape


@pytest.mark.parametrize(
    "word,shape", [("McGill-90", "XxXxxx-dd"), ("aaaaaaa", "xxx"), ("2024", "ddd"), ("", ""), ("Ä…", "X…")]
)
def test_word_shape(word, shape):
    assert word_shape(word) == shape


def test_token_attributes():
    assert token_attributes("Running") == ("running", "R", "ing", "Xxxx")


def test_columns_are_hashes_of_attributes():
    model = registry.layers.get("token_features.v1")()
    (rows,) = model.predict([["Running", "x"]])
    assert rows.shape == (2, 4) and rows.dtype == "uint64"
    expected = [
        hash_unicode(f"{column}={text}") & 0xFFFFFFFFFFFFFFFF
        for column, text in enumerate(("running", "R", "ing", "Xxxx"))
    ]
    assert rows[0].tolist() == expected


def test_empty_sentences_keep_their_width():
    model = registry.layers.get("token_features.v1")()
    empty, one = model.predict([[], ["a"]])
    assert empty.shape == (0, 4) and one.shape == (1, 4)


def test_threads_that_meet_new_words_agree_with_one():
    """Every word is new to the cache, and the threads meet them in different orders."""
    sentences = [[f"w{(i * 7 + k) % 3000}" for k in range(50)] for i in range(200)]
    expected = registry.layers.get("token_features.v1")().predict(sentences)
    features._CACHES[0] = features._RowCache()
    model = registry.layers.get("token_features.v1")()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as executor:
            results = list(executor.map(lambda s: model.predict([s])[0], sentences))
    finally:
        sys.setswitchinterval(interval)
    for got, wanted in zip(results, expected):
        assert numpy.array_equal(got, wanted)


def test_the_cache_starts_over(monkeypatch):
    monkeypatch.setattr(features, "CACHE_SIZE", 3)
    model = registry.layers.get("token_features.v1")()
    once = model.predict([[f"v{i}" for i in range(10)]])[0]
    again = model.predict([[f"v{i}" for i in range(10)]])[0]
    assert numpy.array_equal(once, again)
    assert len(features._CACHES[0]) == 10


def test_tokenize_splits_words_and_punctuation():
    model = registry.layers.get("tokenize.v1")(lower=True)
    words = ["don't", "stop", ",", "now", "!"]
    # A text without words still is one item, for pooling to have a row.
    assert model.predict(["Don't stop, now!", ""]) == [words, [""]]


def test_ngram_features_have_unit_length():
    model = registry.layers.get("ngram_features.v1")(ngram_size=2)
    keys, values, lengths = model.predict(["a b a", ""])
    # a, b, and the pairs "a b" and "b a"
    assert lengths.tolist() == [4, 0]
    assert len(keys) == 4 and keys.dtype == "uint64"
    assert values == pytest.approx([0.5] * 4)
