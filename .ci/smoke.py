"""What an installed wheel must do: its own data is found, a model trains, saves, loads and predicts the same; the
command line trains on each kind of file by one command, and what it trained is used from the shell and from Python."""

import json
import platform
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from thinc.backends._kernels.levels import built_levels

import thinc
from thinc.api import Adam, Maxout, Softmax, chain, get_current_ops

assert "site-packages" in thinc.__file__, thinc.__file__
assert (Path(thinc.get_include()) / "gemm.hh").is_file(), thinc.get_include()
assert get_current_ops().name == "numpy"

# The kernels of every CPU level, those that this CPU lacks, too. MSVC has no flags for the products of bytes.
if platform.machine() in ("x86_64", "AMD64"):
    levels = {"base", "avx2", "avx512", *(() if sys.platform == "win32" else ("avx2_vnni", "avx512_vnni"))}
else:
    levels = {"base", "dotprod"}
assert levels == set(built_levels()), built_levels()

rng = numpy.random.RandomState(0)
X = rng.normal(size=(512, 8)).astype("float32")
Y = numpy.eye(2, dtype="float32")[(X[:, 0] * X[:, 1] > 0).astype(int)]


def build():
    return chain(Maxout(32, nP=3, dropout=0.1), Softmax())


model = build().initialize(X, Y)
optimizer = Adam(0.01)
for _ in range(200):
    Yh, backprop = model.begin_update(X)
    backprop((Yh - Y) / len(X))
    model.finish_update(optimizer)
accuracy = (model.predict(X).argmax(1) == Y.argmax(1)).mean()
assert accuracy > 0.9, accuracy
copy = build().initialize(X, Y).from_bytes(model.to_bytes())
assert numpy.array_equal(copy.predict(X), model.predict(X))
print(f"the wheel works: accuracy {accuracy:.3f}")

# The command line, in a folder with a file of each kind.

OWN_LAYER = """
from thinc.api import Softmax, registry

@registry.layers("my_output.v1")
def my_output():
    return Softmax()
"""


def write_files(folder):
    texts = [(f"{'good' if i % 2 else 'bad'} thing {i % 7}", "POS" if i % 2 else "NEG") for i in range(60)]
    sentences = [[(f"w{(i + k) % 8}", "ABCD"[(i + k) % 4]) for k in range(4)] for i in range(60)]
    images = numpy.zeros((60, 4, 4), "uint8")
    images[1::2, :2] = 255
    files = {
        "t.csv": "text,category\n" + "".join(f"{text},{label}\n" for text, label in texts),
        "t.jsonl": "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in texts),
        "t.tsv": "\n".join("".join(f"{w}\tB-{t}\n" for w, t in sentence) for sentence in sentences),
        "t.conllu": "\n".join(
            "".join(f"{i}\t{w}\t_\t{t}" + "\t_" * 6 + "\n" for i, (w, t) in enumerate(sentence, 1))
            for sentence in sentences
        ),
        "own.py": OWN_LAYER,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "images").write_bytes(struct.pack(">BBBB3i", 0, 0, 8, 3, *images.shape) + images.tobytes())
    (folder / "labels").write_bytes(struct.pack(">BBBBi", 0, 0, 8, 1, 60) + bytes(i % 2 for i in range(60)))


def thinc_command(folder, line, given=""):
    command = [sys.executable, "-m", "thinc", *line.split()]
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    write_files(folder)
    images = "--corpus.path=images --corpus.labels_path=labels --corpus.dev_path=images --corpus.dev_labels_path=labels"
    small = "--model.*.linear.length=4096"
    for line in (
        "conllu --corpus.path=t.conllu --output conllu",
        "bio --corpus.path=t.tsv --output bio",
        f"textcat --corpus.path=t.csv {small} --training.max_epochs=20 --output csv",
        f"jsonl --corpus.path=t.jsonl {small} --output jsonl",
        f"images {images} --output images.run",
        "attention --corpus.path=t.csv --model.*.output.@layers=my_output.v1 --code own.py --output own",
    ):
        shown = thinc_command(folder, f"train {line}")
        print(next(row for row in shown.splitlines() if row.startswith("Best")), " ", line.split()[0])
    (answer,) = thinc_command(folder, "predict csv --json", "good thing 3\n").splitlines()
    assert json.loads(answer) == {"text": "good thing 3", "label": "POS"}, answer
    assert "precision" in thinc_command(folder, "evaluate bio t.tsv --labels")
    run = thinc.load(folder / "own")
    assert run.labels == ["NEG", "POS"] and run.predict(["good thing 3", "bad thing 4"]) == ["POS", "NEG"]
print("the command line works")
