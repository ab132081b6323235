"""Trains a small text classifier and saves it with all that serving it needs: python make_model.py model.safetensors"""

import json
import sys

import numpy

from thinc.api import Adam, CategoricalCrossentropy, Config, fix_random_seed, registry, to_categorical
from thinc.training import features  # noqa: F401  (registers the layer that reads texts)

CONFIG = """
[model]
@layers = "chain.v1"

[model.*.features]
@layers = "ngram_features.v1"
ngram_size = 2

[model.*.linear]
@layers = "SparseLinear.v2"
length = 65536

[model.*.output]
@layers = "softmax_activation.v1"
"""
LABELS = ["command", "question"]
VERBS, NOUNS = ["open", "close", "find", "paint"], ["door", "window", "house", "book"]
COMMANDS = [f"{verb} the {noun}" for verb in VERBS for noun in NOUNS]
QUESTIONS = [f"{word} is the {noun}" for word in ["where", "what", "who", "why"] for noun in NOUNS]


def main(path: str) -> float:
    fix_random_seed(0)
    config = Config().from_str(CONFIG)
    model = registry.resolve(config)["model"]
    texts, Y = COMMANDS + QUESTIONS, to_categorical(numpy.arange(32) // 16, 2)
    model.initialize(texts, Y)
    optimizer, calculate_loss = Adam(0.01), CategoricalCrossentropy()
    for _ in range(20):
        Yh, backprop = model.begin_update(texts)
        backprop(calculate_loss(Yh, Y)[0])
        model.finish_update(optimizer)
    model.to_safetensors(path, metadata={"config": config.to_str(), "labels": json.dumps(LABELS)})
    return float((model.predict(texts).argmax(axis=1) == Y.argmax(axis=1)).mean())


if __name__ == "__main__":
    print(f"accuracy {main(sys.argv[1]):.2f}")
