"""Layers that turn raw text into the arrays that embeddings and linear models read.

They are the first layer of a model, so that what is served is what was trained: words in, scores out. None has
parameters or a gradient.
"""

import re
import threading
from typing import Any, Callable, List, Tuple

import numpy
from murmurhash import hash_unicode

from ..api import Model, registry
from ..layers._views import refusal
from ..types import Floats1d, Ints1d, Ints2d

SparseFeatures = Tuple[Ints1d, Floats1d, Ints1d]

# Feature rows are remembered by word; a server that meets ever new words starts over at this many.
CACHE_SIZE = 1_000_000

# Longer ones than this are no language, and each size costs a pass over the text.
MAX_NGRAM = 100

TOKEN_PATTERN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]", re.UNICODE)


def word_shape(word: str) -> str:
    """The kinds of a word's characters, runs cut at three: "McGill-90" is "XxXxxx-dd"."""
    shape: List[str] = []
    run = 0
    for char in word:
        kind = "d" if char.isdigit() else ("X" if char.isupper() else "x") if char.isalpha() else char
        run = run + 1 if shape and shape[-1] == kind else 1
        if run <= 3:
            shape.append(kind)
    return "".join(shape)


def token_attributes(word: str) -> Tuple[str, str, str, str]:
    """What a tagger sees of a word: its lower-case form, first letter, last three letters, and shape."""
    lower = word.lower()
    return lower, word[:1], lower[-3:], word_shape(word)


class _RowCache(dict):
    """word -> number of its row in a growing table of hashed attributes."""

    def __init__(self) -> None:
        self.table = numpy.zeros((1024, 4), dtype="uint64")
        self.lock = threading.Lock()

    def __missing__(self, word: str) -> int:
        with self.lock:  # two new words at once must not get one row
            return self[word] if word in self else self._add(word)

    def _add(self, word: str) -> int:
        row = len(self)
        if row == len(self.table):
            self.table = numpy.concatenate([self.table, numpy.zeros_like(self.table)])
        # The column number keeps a suffix "ing" apart from a word "ing".
        self.table[row] = [
            hash_unicode(f"{i}={text}") & 0xFFFFFFFFFFFFFFFF for i, text in enumerate(token_attributes(word))
        ]
        self[word] = row
        return row


@registry.layers("token_features.v1")
def token_features() -> Model[List[List[str]], List[Ints2d]]:
    """Sentences of words to hashed attributes, (n_words, 4) uint64 each.

    Columns: lower-case form, first letter, last three letters, shape.
    """
    return Model("token_features", _token_features_forward, attrs={})


def _token_features_forward(
    model: Model[List[List[str]], List[Ints2d]], Xs: List[List[str]], is_train: bool
) -> Tuple[List[Ints2d], Callable]:
    # One cache for each call would forget everything, one for each model would be copied with it; words are words.
    cache = _CACHES[0]
    if len(cache) > CACHE_SIZE:
        cache = _CACHES[0] = _RowCache()
    asarray: Any = model.ops.asarray
    try:
        rows = [numpy.array([cache[word] for word in words], dtype="int64") for words in Xs]
    except (TypeError, AttributeError):
        raise refusal("token_features: expected a list of lists of words", Xs) from None
    table = cache.table
    return [asarray(table[index]) for index in rows], lambda dYs: []


_CACHES = [_RowCache()]


@registry.layers("tokenize.v1")
def tokenize(lower: bool = False) -> Model[List[str], List[List[str]]]:
    """Texts to words and punctuation marks, by a regular expression."""
    return Model("tokenize", _tokenize_forward, attrs={"lower": lower})


def _tokenize_forward(
    model: Model[List[str], List[List[str]]], texts: List[str], is_train: bool
) -> Tuple[List[List[str]], Callable]:
    _expect_texts("tokenize", texts)
    if model.attrs["lower"]:
        texts = [text.lower() for text in texts]
    # A text without a word still is an item: attention and pooling need a row of it.
    return [TOKEN_PATTERN.findall(text) or [""] for text in texts], lambda dYs: []


def _expect_texts(name: str, texts: List[str]) -> None:
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise refusal(f"{name}: expected a list of texts", texts)


@registry.layers("ngram_features.v1")
def ngram_features(ngram_size: int = 2) -> Model[List[str], SparseFeatures]:
    """Texts to the hashed words and word n-grams that SparseLinear reads: keys, values, lengths.

    The values of a text are equal and their squares sum to 1, so that long texts do not outweigh short ones.
    """
    if not 1 <= ngram_size <= MAX_NGRAM:
        raise ValueError(f"ngram_features: expected an ngram_size from 1 to {MAX_NGRAM}, got {ngram_size}")
    return Model("ngram_features", _ngram_forward, attrs={"ngram_size": ngram_size})


def _ngram_forward(
    model: Model[List[str], SparseFeatures], texts: List[str], is_train: bool
) -> Tuple[SparseFeatures, Callable]:
    ops = model.ops
    _expect_texts("ngram_features", texts)
    max_n = model.attrs["ngram_size"]
    keys: List[Any] = []
    lengths = []
    for text in texts:
        words: Any = numpy.array(
            [hash_unicode(word) & 0xFFFFFFFFFFFFFFFF for word in TOKEN_PATTERN.findall(text.lower())], dtype="uint64"
        )
        grams = [words]
        for n in range(2, max_n + 1):
            grams.append(ops.to_numpy(ops.ngrams(n, words)).astype("uint64"))
        unique = numpy.unique(numpy.concatenate(grams))
        keys.append(unique)
        lengths.append(len(unique))
    counts = numpy.array(lengths, dtype="int32")
    values = numpy.repeat(1.0 / numpy.sqrt(numpy.maximum(counts, 1)), counts)
    flat = numpy.concatenate(keys) if keys else numpy.zeros((0,), dtype="uint64")
    asarray: Any = ops.asarray
    features = (asarray(flat), asarray(values, dtype="float32"), asarray(counts, dtype="int32"))
    return features, lambda d_features: []


__all__ = [
    "CACHE_SIZE",
    "SparseFeatures",
    "ngram_features",
    "token_attributes",
    "token_features",
    "tokenize",
    "word_shape",
]
