"""The examples do what they say, on real input where it is at hand."""

import gzip
import importlib
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from tests.shared import DATA, needs_data
from thinc.api import Model, get_current_ops

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
INTRO = EXAMPLES / "intro"
MODULES = sorted(path.stem for path in INTRO.glob("*.py"))


@pytest.fixture
def intro(monkeypatch):
    """Import an example of the introduction as its directory would."""
    monkeypatch.syspath_prepend(str(INTRO))
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda p: p.stem)
def test_examples_are_short(path):
    limit = 120 if path.stem == "parallel_training_ray" else 100  # a proxy, an owner and a worker
    assert len(path.read_text(encoding="utf8").splitlines()) <= limit


@pytest.mark.parametrize("name", ["caption_rater", "infix_operators"])
def test_captions_are_rated(intro, name):
    assert intro(name).main() >= 0.9


def test_both_notations_build_the_same_tree(intro):
    text, image = Model("text", None), Model("image", None)
    composed = intro("caption_rater").CaptionRater(text, image)
    infix = intro("infix_operators").CaptionRater(text, image)
    names = [[node.name for node in model.walk() if not node.layers] for model in (composed, infix)]
    assert names[0] == names[1]


@needs_data
def test_captions_of_handwritten_digits_are_rated(intro, tmp_path):
    """The caption, "a three", is that of the digit or of another."""
    names = ["zero", "one", "two", "three"]
    with gzip.open(DATA / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        images = numpy.frombuffer(file.read(), dtype="uint8", offset=16)
    with gzip.open(DATA / "mnist" / "t10k-labels-idx1-ubyte.gz") as file:
        digits = numpy.frombuffer(file.read(), dtype="uint8", offset=8)
    images = images.reshape((-1, 28, 28))
    chosen = [i for i in range(3000) if digits[i] < len(names)]
    rng = numpy.random.RandomState(0)
    captions = []
    for i in chosen:
        other = (digits[i] + rng.randint(0, 2) * rng.randint(1, len(names))) % len(names)
        intro("captioned_images").write_pgm(tmp_path / f"{i}.pgm", images[i])
        captions.append(f"{i}.pgm\ta {names[other]}\t{int(other == digits[i])}\n")
    (tmp_path / "captions.tsv").write_text("".join(captions), encoding="utf8")
    assert intro("caption_rater").main(str(tmp_path), epochs=8) >= 0.9


def test_the_optimizer_of_the_config_is_used(intro):
    rates = intro("optimizer_config").main()
    assert max(rates) == pytest.approx(0.1, rel=1e-3)
    assert rates.index(max(rates)) == pytest.approx(500, abs=2)
    assert rates[0] < 0.01 and rates[-1] < 0.1


def test_custom_ops_are_used(intro):
    ops = get_current_ops()
    model = intro("custom_ops").main()
    assert all(node.ops.name == "custom" for node in model.walk())
    assert get_current_ops() is ops


def test_sentences_are_encoded(intro):
    rows, width = intro("encode_sentence").main()
    assert rows > 50 and width == 128


def test_the_training_loop_learns(intro):
    accuracies = intro("training_loop").main()
    assert accuracies[-1] >= 0.9


def test_frankenmodel_learns():
    """In a process of its own: it switches TensorFlow on for all of thinc."""
    pytest.importorskip("torch", reason="the frankenmodel needs torch")
    pytest.importorskip("tensorflow", reason="the frankenmodel needs tensorflow")
    code = "import frankenmodel; L = frankenmodel.main(); assert L[-1] < L[0] / 2, L"
    subprocess.run([sys.executable, "-c", code], cwd=INTRO, check=True)


@pytest.mark.parametrize("name", ["custom_ops", "optimizer_config"])
def test_examples_run_as_programs(name):
    path = str(INTRO / f"{name}.py")
    done = subprocess.run([sys.executable, "-W", "error", path], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.strip()


def test_optuna_finds_a_model_that_reads_digits(monkeypatch):
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    assert importlib.import_module("tune_with_optuna").main(4) >= 0.93
