"""Each config of the package trained, exported by the command, and run where there is no thinc."""

import json
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is missing")
onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")

from tests.training.test_datasets import conllu_text, idx  # noqa: E402
from thinc.api import Config, OnnxWrapper, registry  # noqa: E402
from thinc.cli import load_run, main, ready_configs  # noqa: E402
from thinc.export import split_features  # noqa: E402
from thinc.export.values import arrays_of  # noqa: E402

# Reads model.onnx and inputs.npz, writes outputs.npz. Nothing but NumPy and ONNX Runtime.
ELSEWHERE = """
import sys, json, numpy, onnxruntime
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
inputs = numpy.load("inputs.npz")
names = [node.name for node in session.get_inputs()]
assert sorted(inputs.files) == sorted(names), (inputs.files, names)
outputs = session.run(None, {name: inputs[name] for name in names})
numpy.savez("outputs.npz", **{node.name: array for node, array in zip(session.get_outputs(), outputs)})
metadata = session.get_modelmeta().custom_metadata_map
json.dump({**metadata, "modules": [name for name in sys.modules if name.partition(".")[0] == "thinc"]}, sys.stdout)
"""


def sentences(rng, n):
    tags = ("DET", "NOUN", "VERB", "ADV", "ADJ")
    return [
        [(f"w{i}x" if i % 2 else f"W{i}", tags[i % 5]) for i in rng.randint(0, 300, rng.randint(1, 12))]
        for _ in range(n)
    ]


def texts(rng, n):
    rows = ["text,category"]
    for _ in range(n):
        kind = rng.randint(0, 4)
        words = " ".join(f"k{kind}w{i}" for i in rng.randint(0, 60, rng.randint(1, 10)))
        rows.append(f"{words},c{kind}")
    return "\n".join(rows) + "\n"


def corpus(name, folder):
    """Overrides that make the config read a small corpus in this folder."""
    rng = numpy.random.RandomState(0)
    if name in ("conllu", "bilstm"):
        (folder / "train.conllu").write_text(conllu_text(sentences(rng, 120)))
        (folder / "dev.conllu").write_text(conllu_text(sentences(rng, 220)))
        return ["--corpus.path=train.conllu", "--corpus.dev_path=dev.conllu"]
    if name == "bio":
        for part, n in (("train.tsv", 120), ("dev.tsv", 220)):
            rows = ("".join(f"{word}\tB-{tag}\n" for word, tag in sentence) for sentence in sentences(rng, n))
            (folder / part).write_text("\n".join(rows))
        return ["--corpus.path=train.tsv", "--corpus.dev_path=dev.tsv"]
    if name in ("jsonl", "labels", "folders"):
        for part, n in (("train", 300), ("test", 1000)):
            rows = [row.split(",") for row in texts(rng, n).splitlines()[1:]]
            if name == "folders":
                for i, (text, label) in enumerate(rows):
                    (folder / part / label).mkdir(parents=True, exist_ok=True)
                    (folder / part / label / f"{i}.txt").write_text(text)
            else:
                found = ({"text": t, "label": label, "labels": [label]} for t, label in rows)
                (folder / part).write_text("\n".join(map(json.dumps, found)))
        return ["--corpus.path=train", "--corpus.dev_path=test"]
    if name == "number":
        for part, n in (("train.csv", 300), ("test.csv", 1000)):
            (folder / part).write_text(texts(rng, n).replace(",c", ",").replace(",ategory", ",score"))
        return ["--corpus.path=train.csv", "--corpus.dev_path=test.csv"]
    if name in ("textcat", "attention"):
        (folder / "train.csv").write_text(texts(rng, 300))
        (folder / "test.csv").write_text(texts(rng, 1000))
        return ["--corpus.path=train.csv", "--corpus.dev_path=test.csv"]
    if name == "images":
        centers = rng.randint(0, 255, (4, 12, 12))
        words = []
        for part, n in (("path", 300), ("dev_path", 1000)):
            labels = rng.randint(0, 4, n)
            images = numpy.clip(centers[labels] + rng.randint(-40, 40, (n, 12, 12)), 0, 255).astype("uint8")
            labels_part = part.replace("path", "labels_path")
            words += [
                f"--corpus.{part}={idx(folder / part, images)}",
                f"--corpus.{labels_part}={idx(folder / labels_part, labels)}",
            ]
        return words
    assert name == "tagger"
    return ["--corpus.limit=24"]


@pytest.mark.parametrize("name", ready_configs())
def test_ready_config(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [*corpus(name, tmp_path), "--training.max_epochs=2"]
    assert main(["train", name, "--output", "out", *words]) == 0
    assert main(["export", "out", "--format", "onnx", "--output", "model.onnx"]) == 0
    shown = capsys.readouterr().out
    assert "Largest difference" in shown and "Saved in model.onnx" in shown

    settled = load_run(Path("out"))
    X = settled.corpus.read().dev.X
    features, model = split_features(settled.model)
    inputs = X if features is None else features.predict(X)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    named = {node.name: array for node, array in zip(session.get_inputs(), arrays_of(inputs))}
    numpy.savez("inputs.npz", **named)
    done = subprocess.run([sys.executable, "-I", "-c", ELSEWHERE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    metadata = json.loads(done.stdout)
    assert metadata["modules"] == []
    assert json.loads(metadata["labels"]) == settled.labels
    assert metadata["config"] == settled.config.to_str()
    config = Config().from_str(metadata["config"])
    again, _ = split_features(registry.resolve({"model": config["model"]})["model"])
    if features is not None:
        for made, used in zip(arrays_of(again.predict(X[:20])), arrays_of(features.predict(X[:20]))):
            numpy.testing.assert_array_equal(made, used)

    Y = arrays_of(settled.model.predict(X))[0]
    theirs = numpy.load("outputs.npz")["Y"]
    assert len(Y) >= 1000
    numpy.testing.assert_allclose(theirs, Y, atol=1e-5)
    assert len(numpy.unique(Y if Y.shape[1] == 1 else Y.argmax(axis=1))) > 1, "the model says one thing always"
    numpy.testing.assert_array_equal(theirs.argmax(axis=1), Y.argmax(axis=1))

    wrapped = OnnxWrapper("model.onnx").predict(named)
    wrapped = wrapped[0] if isinstance(wrapped, tuple) else wrapped
    numpy.testing.assert_array_equal(wrapped, session.run(None, named)[0])


def test_the_command_says_what_is_wrong_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "nowhere", "--format", "onnx"]) == 1
    assert "thinc export: There is no run nowhere" in capsys.readouterr().err
    words = corpus("conllu", tmp_path)
    assert main(["train", "conllu", "--output", "out", "--training.max_epochs=1", "--corpus.limit=8", *words]) == 0
    before = sorted(Path("out").iterdir())
    assert main(["export", "out", "--format", "onnx", "--opset", "17"]) == 1
    assert "thinc export: to_onnx: expected an opset from 18" in capsys.readouterr().err
    assert main(["export", "out", "--format", "onnx", "--output", "none/model.onnx"]) == 1
    assert "none" in capsys.readouterr().err
    assert sorted(Path("out").iterdir()) == before
    assert main(["export", "out", "--format", "onnx"]) == 0
    assert sorted(Path("out").iterdir()) == sorted([*before, Path("out/model.onnx")])
    assert main(["export", "out", "--format", "text"]) == 2
