"""The examples that need another framework, on small data and small models made here."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import numpy
import pytest

from tests.cli.test_cli import sentences
from tests.shared import ROOT
from tests.training.test_datasets import conllu_text


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return importlib.import_module


def test_flax_module_learns_digits(example, capsys):
    pytest.importorskip("flax")
    pytest.importorskip("sklearn")
    assert example("jax_mlp").main(epochs=5) > 0.93


@pytest.fixture
def bert(tmp_path):
    """A folder with a small BERT of random weights, and a tokenizer that cuts every word."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "w", *(f"##{i}" for i in range(10))]
    folder = tmp_path / "bert"
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(pieces))
    tokens = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = transformers.BertTokenizer(vocab=tokens)
    tokenizer.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 16
    return str(folder)


@pytest.mark.filterwarnings("ignore")
def test_words_get_the_mean_of_their_pieces(example, bert):
    module = example("transformers_tagger")
    model = module.build_model(bert, 3)
    tokenize, transformer = model.layers[:2]
    sentences = [["w12", "w"], ["w3"]]
    pieces = tokenize.predict(sentences)
    assert pieces.per_word.tolist() == [3, 1, 2]
    assert pieces.per_sentence.tolist() == [2, 1]
    assert pieces.in_word.tolist() == [[False, True, True, True, True, False], [False, True, True, False, False, False]]
    words = transformer.predict(pieces)
    net = transformer.shims[0]._model
    hidden = net(**pieces.inputs).last_hidden_state.detach().numpy()
    expected = [hidden[0, 1:4].mean(0), hidden[0, 4], hidden[1, 1:3].mean(0)]
    numpy.testing.assert_allclose(words.dataXd, expected, atol=1e-5)
    assert [y.shape for y in model.predict(sentences)] == [(2, 3), (1, 3)]


@pytest.mark.filterwarnings("ignore")
def test_a_transformer_learns_to_tag(example, bert, tmp_path, capsys):
    train, dev = tmp_path / "train.conllu", tmp_path / "dev.conllu"
    train.write_text(conllu_text(sentences(200)))
    dev.write_text(conllu_text(sentences(210)[200:]))
    score = example("transformers_tagger").main(str(train), str(dev), bert, limit=0, epochs=12, rate=0.02)
    assert score > 0.6  # one in four would be chance


def test_examples_of_the_docstrings():
    """Those of the frameworks that are here: each of them is run somewhere."""
    done = subprocess.run([sys.executable, "docs/api_pages.py", "--run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


NEEDS = {
    page: re.findall(r"needs: \[(.*)\]", page.read_text(encoding="utf8"))[0].split(", ")
    for page in sorted((ROOT / "docs" / "tutorials").glob("*.md"))
    if "\nneeds: [" in page.read_text(encoding="utf8")
}


@pytest.mark.slow
@pytest.mark.parametrize("page", NEEDS, ids=lambda page: page.stem)
def test_tutorial_runs(page):
    """The site is mostly built without frameworks; their pages run here."""
    for name in ("matplotlib", "sklearn", *NEEDS[page]):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    env = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "docs" / "check.py"), "--run", page.name]
    done = subprocess.run(command, cwd=page.parent, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
