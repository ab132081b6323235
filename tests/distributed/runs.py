"""The small training runs that the tests of several workers compare."""

import numpy

from tests.distributed.threads import run
from thinc.api import Config
from thinc.training import MISSING, Progress, initialize, settle, train

WORDS = [f"word{i}" for i in range(60)]
TAGS = ["A", "B", "C", "D", "E"]


def sentences(n, seed=0):
    """Texts of 1 to 9 words with tags that the words' numbers decide; some are unknown."""
    rng = numpy.random.RandomState(seed)
    X, Y = [], []
    for _ in range(n):
        ids = rng.randint(0, len(WORDS), size=rng.randint(1, 10))
        X.append([WORDS[i] for i in ids])
        tags = (ids // 7) % len(TAGS)
        tags[rng.uniform(size=len(tags)) < 0.1] = MISSING
        Y.append(tags.astype("int32"))
    return X, Y


# eps: Adam divides a gradient by its size, which makes steps of gradients that are 0 but for the order of their sum.
CONFIG = """
[corpus]
@datasets = "conllu.v1"
path = "train.conllu"

[model]
@layers = "chain.v1"

[model.*.features]
@layers = "token_features.v1"

[model.*.embed]
@layers = "with_array.v1"

[model.*.embed.layer]
@layers = "chain.v1"

[model.*.embed.layer.*.form]
@layers = "HashEmbed.v1"
nO = 16
nV = 300
seed = 8
column = 0

[model.*.embed.layer.*.mix]
@layers = "Maxout.v1"
nO = 13
nI = 16
nP = 3
normalize = true
dropout = 0.0

[model.*.output]
@layers = "with_array.v1"

[model.*.output.layer]
@layers = "Softmax.v1"
nI = 13

[optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.01
L2 = 0.01
eps = 0.001

[training]
batch_size = 8
max_epochs = 4
patience = 0
seed = 0

[training.loss]
@losses = "SequenceCategoricalCrossentropy.v3"
normalize = true
missing_value = -1
"""


def write_conllu(path, n, seed=0):
    lines = []
    for words, tags in zip(*sentences(n, seed)):
        for i, (word, tag) in enumerate(zip(words, tags), 1):
            upos = "_" if tag == MISSING else TAGS[tag]
            lines.append("\t".join([str(i), word, "_", upos, *"______"]) + "\n")
        lines.append("\n")
    path.write_text("".join(lines), encoding="utf8")


def make_config(folder, n=61, **overrides):
    """The config above on a corpus that is written to the folder."""
    write_conllu(folder / "train.conllu", n)
    config = Config().from_str(CONFIG, overrides={"corpus.path": str(folder / "train.conllu"), **overrides})
    config.to_disk(folder / "config.cfg")
    return folder / "config.cfg"


def prepare(path):
    """What a config describes, with an initialized model, and its corpus."""
    settled = settle(path, {})
    data = settled.corpus.read()
    initialize(settled.model, data, settled.settings.seed)
    return settled, data


def go(prepared, make_group=None):
    """Train it in this process; (model, optimizer, progress)."""
    settled, data = prepared
    model, optimizer, progress = settled.model, settled.optimizer, Progress()
    group = make_group(model, optimizer) if make_group else None
    *_, progress = train(model, optimizer, data, settled.settings, progress, group)
    return model, optimizer, progress


def run_config(path, make_group=None):
    return go(prepare(path), make_group)


def by_threads(path, size, make, timeout=5.0):
    """The same on each of some threads, with the group make(group, model, optimizer). The random state is one for all
    of them, so that the models are initialized before they start."""
    prepared = [prepare(path) for _ in range(size)]
    return run(size, lambda group: go(prepared[group.rank], lambda *args: make(group, *args)), timeout)


def weights_of(model):
    return [node.get_param(name) for node in model.walk() for name in node.param_names if node.has_param(name)]


def flat_weights(model):
    return numpy.concatenate([w.ravel() for w in weights_of(model)])
