"""The pipelines: what is trained, what it must reach, and how it is described."""

import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Optional, Tuple

import corpora
import numpy
import spacy
from spacy.kb import InMemoryLookupKB
from spacy.util import fix_random_seed, minibatch
from spacy.vocab import Vocab

_WIDTH = 96


def _listener(width=_WIDTH):
    return {"@architectures": "spacy.Tok2VecListener.v1", "width": width}


def _tok2vec(width=_WIDTH, depth=4, rows=2000):
    return {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        "width": width,
        "depth": depth,
        "embed_size": rows,
        "window_size": 1,
        "maxout_pieces": 3,
        "subword_features": True,
    }


def _parser_model(extra, tok2vec, **settings):
    return {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": extra,
        "extra_state_tokens": False,
        "hidden_width": 64,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": tok2vec,
        **settings,
    }


def _syntax(nlp):
    nlp.add_pipe("tok2vec", config={"model": _tok2vec()})
    for name in ("tagger", "morphologizer"):
        model = {"@architectures": "spacy.Tagger.v2", "tok2vec": _listener()}
        nlp.add_pipe(name, config={"model": model})
    model = {"@architectures": "spacy.Tagger.v2", "tok2vec": _listener()}
    nlp.add_pipe("trainable_lemmatizer", config={"model": model})
    nlp.add_pipe("parser", config={"model": _parser_model("parser", _listener())})


def _senter(nlp):
    # A model of its own: small windows, and MultiHashEmbed with a mish encoder.
    tok2vec = {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": 32,
            "attrs": ["NORM", "PREFIX", "SHAPE"],
            "rows": [1000, 500, 500],
            "include_static_vectors": False,
        },
        "encode": {"@architectures": "spacy.MishWindowEncoder.v2", "width": 32, "window_size": 1, "depth": 2},
    }
    model = {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}
    nlp.add_pipe("senter", config={"model": model})


def _ner(nlp):
    nlp.add_pipe("ner", config={"model": _parser_model("ner", _tok2vec())})


def _ner_characters(nlp):
    tok2vec = {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.CharacterEmbed.v2",
            "width": 64,
            "rows": 2000,
            "nM": 16,
            "nC": 8,
            "include_static_vectors": False,
        },
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": 64,
            "window_size": 1,
            "maxout_pieces": 3,
            "depth": 2,
        },
    }
    model = _parser_model("ner", tok2vec, use_upper=False, hidden_width=32)
    nlp.add_pipe("ner", config={"model": model})


def _beam_ner(nlp):
    config = {
        "beam_width": 8,
        "beam_density": 0.001,
        "beam_update_prob": 0.5,
        "model": _parser_model("ner", _tok2vec(64, 2)),
    }
    nlp.add_pipe("beam_ner", config=config)


def _beam_parser(nlp):
    config = {
        "beam_width": 4,
        "beam_density": 0.001,
        "beam_update_prob": 0.5,
        "model": _parser_model("parser", _tok2vec(64, 2)),
    }
    nlp.add_pipe("beam_parser", config=config)


def _textcat(nlp):
    nlp.add_pipe("textcat")  # the default: an ensemble of CNN with attention and n-grams


def _textcat_bow(nlp):
    model = {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": False,
        "ngram_size": 2,
        "no_output_layer": False,
        "length": 65536,
    }
    nlp.add_pipe("textcat_multilabel", config={"model": model})


def _textcat_reduce(nlp):
    model = {
        "@architectures": "spacy.TextCatReduce.v1",
        "exclusive_classes": True,
        "use_reduce_first": True,
        "use_reduce_last": True,
        "use_reduce_max": True,
        "use_reduce_mean": True,
        "tok2vec": _tok2vec(64, 1),
    }
    nlp.add_pipe("textcat", config={"model": model})


def _spancat(nlp):
    suggester = {"@misc": "spacy.ngram_suggester.v1", "sizes": [1, 2, 3, 4, 5]}
    model = {
        "@architectures": "spacy.SpanCategorizer.v1",
        "reducer": {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": 64},
        "scorer": {"@layers": "spacy.LinearLogistic.v1", "nO": None, "nI": None},
        "tok2vec": _tok2vec(64, 2),
    }
    nlp.add_pipe("spancat", config={"suggester": suggester, "model": model})


def _linker(nlp):
    model = {"@architectures": "spacy.EntityLinker.v2", "tok2vec": _tok2vec(64, 1)}
    config = {"incl_prior": False, "use_gold_ents": True, "entity_vector_length": 16, "model": model}
    linker = nlp.add_pipe("entity_linker", config=config)

    def make_kb(vocab: Vocab):
        kb = InMemoryLookupKB(vocab, entity_vector_length=16)
        vectors = numpy.random.RandomState(0).normal(size=(8, 16))
        for pair, rows in zip(corpora.NAMES, vectors.reshape(4, 2, 16)):
            ids = [f"Q_{name}" for name in pair]
            for entity, vector in zip(ids, rows):
                kb.add_entity(entity=entity, freq=10, entity_vector=vector.tolist())
            for name in pair:
                kb.add_alias(alias=name, entities=ids, probabilities=[0.5, 0.5])
        return kb

    linker.set_kb(make_kb)


@dataclass
class Pipeline:
    """One training. `floors`: score name -> the least that counts as learnt."""

    add: Callable[[Any], None]
    data: Callable[[Any], Tuple[list, list]]  # nlp -> (train, test) Examples
    floors: Dict[str, float]
    epochs: int
    batch: int = 8
    rate: float = 0.001
    optimizer: Dict[str, Any] = field(default_factory=dict)
    texts: Optional[int] = 200  # documents annotated in the comparisons; None: the test


PIPELINES = {
    "syntax": Pipeline(
        _syntax,
        lambda nlp: (corpora.treebank(nlp, "train", 1600), corpora.treebank(nlp, "test", 300)),
        # Each word's most frequent UPOS in all of train reaches 0.86.
        {
            "tag_acc": 0.86,
            "pos_acc": 0.87,
            "morph_acc": 0.85,
            "lemma_acc": 0.89,
            "dep_uas": 0.66,
            "dep_las": 0.58,
            "sents_f": 0.45,
        },
        epochs=5,
    ),
    "senter": Pipeline(
        _senter,
        lambda nlp: (corpora.treebank(nlp, "train", 1600), corpora.treebank(nlp, "test", 300)),
        {"sents_f": 0.55},
        epochs=5,
    ),
    "ner": Pipeline(
        _ner, lambda nlp: (corpora.entities(nlp, "dev"), corpora.entities(nlp, "test")), {"ents_f": 0.36}, epochs=8
    ),
    "ner_characters": Pipeline(
        _ner_characters,
        lambda nlp: (corpora.entities(nlp, "dev"), corpora.entities(nlp, "test")),
        {"ents_f": 0.2},
        epochs=8,
        rate=0.003,
    ),
    "beam_ner": Pipeline(
        _beam_ner,
        lambda nlp: (corpora.entities(nlp, "dev"), corpora.entities(nlp, "test", 300)),
        {"ents_f": 0.2},
        epochs=6,
        rate=0.002,
        texts=60,
    ),
    "beam_parser": Pipeline(
        _beam_parser,
        lambda nlp: (corpora.treebank(nlp, "train", 160, per_doc=1), corpora.treebank(nlp, "test", 100, per_doc=1)),
        {"dep_uas": 0.3},
        epochs=4,
        texts=60,
    ),
    "textcat": Pipeline(
        _textcat,
        lambda nlp: (corpora.intents(nlp, "train", 10), corpora.intents(nlp, "test", 10)),
        {"cats_macro_f": 0.8},
        epochs=4,
    ),
    "textcat_reduce": Pipeline(
        _textcat_reduce,
        lambda nlp: (corpora.intents(nlp, "train", 20), corpora.intents(nlp, "test", 20, 400)),
        {"cats_macro_f": 0.75},
        epochs=6,
    ),
    "textcat_multilabel": Pipeline(
        _textcat_bow,
        corpora.multi_intents,
        {"cats_macro_auc": 0.76, "cats_micro_f": 0.4},
        epochs=15,
        batch=32,
        rate=0.01,
    ),
    "spancat": Pipeline(_spancat, lambda nlp: corpora.slots(nlp, "sc"), {"spans_sc_f": 0.4}, epochs=8),
    "entity_linker": Pipeline(
        _linker,
        lambda nlp: (corpora.mentions(nlp, "train"), corpora.mentions(nlp, "test")),
        {"nel_micro_f": 0.65},
        epochs=12,
        texts=None,
    ),
}


def build(name, pipeline):
    nlp = spacy.blank("en")
    pipeline.add(nlp)
    return nlp


def train(name, seed=0):
    """-> (nlp, test examples, words trained, seconds of training)"""
    pipeline = PIPELINES[name]
    fix_random_seed(seed)
    nlp = build(name, pipeline)
    examples, test = pipeline.data(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = pipeline.rate
    shuffled = random.Random(seed)
    words = sum(len(eg.reference) for eg in examples) * pipeline.epochs
    start = time.process_time()
    for _ in range(pipeline.epochs):
        shuffled.shuffle(examples)
        for batch in minibatch(examples, pipeline.batch):
            nlp.update(batch, sgd=optimizer, drop=0.1)
    return nlp, test, words, time.process_time() - start


def scores(nlp, name, test):
    with nlp.use_params({}):
        result = nlp.evaluate(test)
    return {key: float(result[key] or 0.0) for key in PIPELINES[name].floors}


def describe(doc):
    """Everything a pipeline wrote, in JSON types; probabilities to three places."""
    return {
        "tokens": [
            [t.text, t.tag_, t.pos_, str(t.morph), t.lemma_, t.dep_, t.head.i, bool(t.is_sent_start)] for t in doc
        ],
        "ents": [[e.start, e.end, e.label_, e.kb_id_] for e in doc.ents],
        "spans": {key: sorted([s.start, s.end, s.label_] for s in group) for key, group in doc.spans.items()},
        "cats": {key: round(value, 3) for key, value in doc.cats.items()},
    }


def annotate(nlp, name):
    """Descriptions of the documents this pipeline is compared on."""
    pipeline = PIPELINES[name]
    if pipeline.texts is None:
        docs = [eg.predicted for eg in pipeline.data(nlp)[1]]
    else:
        docs = corpora.raw_texts("dev", pipeline.texts)
    return [describe(doc) for doc in nlp.pipe(docs, batch_size=32)]


def differences(got, want):
    """-> (documents that differ, documents), scores compared to two thousandths."""
    count = 0
    for a, b in zip(got, want):
        same = all(a[key] == b[key] for key in ("tokens", "ents", "spans"))
        same = same and a["cats"].keys() == b["cats"].keys()
        same = same and all(abs(a["cats"][k] - b["cats"][k]) <= 0.002 for k in a["cats"])
        count += not same
    return count + abs(len(got) - len(want)), len(want)


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf8")


def read_json(path):
    return json.loads(path.read_text(encoding="utf8"))
