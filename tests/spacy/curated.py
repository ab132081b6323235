"""curated-transformers and spacy-curated-transformers over this package: a small transformer feeds a tagger.

    python curated.py      (in an environment with torch, spacy and spacy-curated-transformers)

Nothing is downloaded: the transformer is made here, small and random, with characters for pieces.
"""

import importlib
import pkgutil
import tempfile

import spacy
import spacy.util
from spacy.training import Example

from thinc.api import Config

CONFIG = """
[nlp]
lang = "en"
pipeline = ["transformer","tagger"]

[components]

[components.transformer]
factory = "curated_transformer"
all_layer_outputs = false

[components.transformer.model]
@architectures = "spacy-curated-transformers.XlmrTransformer.v1"
vocab_size = 300
hidden_width = 24
intermediate_width = 48
num_attention_heads = 2
num_hidden_layers = 2
max_position_embeddings = 128

[components.transformer.model.with_spans]
@architectures = "spacy-curated-transformers.WithStridedSpans.v1"

[components.transformer.model.piece_encoder]
@architectures = "spacy-curated-transformers.CharEncoder.v1"

[components.tagger]
factory = "tagger"

[components.tagger.model]
@architectures = "spacy.Tagger.v2"

[components.tagger.model.tok2vec]
@architectures = "spacy-curated-transformers.LastTransformerLayerListener.v1"
width = 24
pooling = {"@layers": "reduce_mean.v1"}

[initialize]

[initialize.components]

[initialize.components.transformer]

[initialize.components.transformer.piecer_loader]
@model_loaders = "spacy-curated-transformers.CharEncoderLoader.v1"
path = "PIECES"
"""


def modules_import():
    """Every module of the packages finds what it takes from thinc."""
    for name in ("spacy_curated_transformers", "spacy_legacy", "spacy_loggers"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if ".tests" not in module.name and ".cli" not in module.name:
                importlib.import_module(module.name)


def learns():
    pieces = ["[CLS]", "[SEP]", "[UNK]", *map(chr, range(32, 127))]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("\n".join(pieces))
    config = Config().from_str(CONFIG.replace("PIECES", file.name))
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    words = "the cat sleeps and the dogs run while a bird sings".split()
    tags = "D N V C D N V C D N V".split()
    examples = [Example.from_dict(nlp.make_doc(" ".join(words)), {"tags": tags})]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.01
    losses = []
    for _ in range(60):
        losses.append(nlp.update(examples, sgd=optimizer)["tagger"])
    assert losses[-1] < 0.3 * losses[0], losses
    doc = nlp(" ".join(words))
    loaded = spacy.util.load_model_from_config(config, auto_fill=True)
    loaded.initialize(lambda: examples)
    loaded.from_bytes(nlp.to_bytes())
    assert [t.tag_ for t in loaded(" ".join(words))] == [t.tag_ for t in doc]
    return losses


if __name__ == "__main__":
    modules_import()
    losses = learns()
    print(f"ok   curated transformers   loss {losses[0]:.2f} -> {losses[-1]:.2f}")
