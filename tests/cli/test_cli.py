"""`thinc train`, `evaluate`, `predict`, `info`, as a user calls them."""

import json
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy
import pytest

import thinc.training.loop
from tests.shared import ROOT
from tests.training.test_datasets import conllu_text
from thinc.api import Adam, Config, Model, SequenceCategoricalCrossentropy, registry
from thinc.backends._kernels import gemm, levels
from thinc.cli import CONFIGS, load_run, main, ready_configs
from thinc.cli.train import StopFlag
from thinc.training import ConfigProblem, load_checkpoint

CONFIG = """
[corpus]
@datasets = "conllu.v1"
path = "train.conllu"
dev_path = "dev.conllu"

[model]
@layers = "chain.v1"

[model.*.features]
@layers = "token_features.v1"

[model.*.tag]
@layers = "with_array.v1"

[model.*.tag.layer]
@layers = "chain.v1"

[model.*.tag.layer.*.embed]
@layers = "HashEmbed.v1"
nO = 8
nV = 50
column = 0
seed = 8
dropout = 0.1

[model.*.tag.layer.*.output]
@layers = "Softmax.v1"
nI = 8

[optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.02

[training]
batch_size = 4
max_epochs = 3

[training.loss]
@losses = "SequenceCategoricalCrossentropy.v3"
normalize = true
missing_value = -1
"""


def sentences(n):
    rng = numpy.random.RandomState(0)
    tag = ("DET", "NOUN", "VERB", "ADV")
    return [[(f"w{i}", tag[i % 4]) for i in rng.randint(0, 12, 6)] for _ in range(n)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.conllu").write_text(conllu_text(sentences(60)))
    (tmp_path / "dev.conllu").write_text(conllu_text(sentences(70)[60:]))
    (tmp_path / "run.cfg").write_text(CONFIG)
    return tmp_path


def start(*words, **kwargs):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "thinc", *map(str, words)]
    env = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": "/"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **kwargs)


def test_train_evaluate_predict(folder, capsys):
    assert main(["train", "run.cfg", "--output", "out", "--training.max_epochs=12"]) == 0
    shown = capsys.readouterr().out
    assert "4 labels" in shown and "words/s" in shown and "Saved in out" in shown
    metrics = [json.loads(line) for line in Path("out/metrics.jsonl").read_text().splitlines()]
    best = max(entry["score"] for entry in metrics)
    assert best > 0.9
    saved = Config().from_disk("out/config.cfg")
    assert saved["training"]["max_epochs"] == 12
    assert saved["optimizer"]["L2"] == 0.0  # defaults are written out

    assert main(["evaluate", "out"]) == 0
    assert capsys.readouterr().out.startswith(f"accuracy {100 * best:.2f} % on 60 words\n")

    Path("raw.txt").write_text("w0 w1 w2 w3\n\nw4\n")
    assert main(["predict", "out", "raw.txt"]) == 0
    assert capsys.readouterr().out == "w0/DET w1/NOUN w2/VERB w3/ADV\n\nw4/DET\n"


def test_a_saved_model_predicts_the_same_bits_in_another_process(folder):
    assert main(["train", "run.cfg", "--output", "out"]) == 0
    code = (
        "import thinc; run = thinc.load('out');"
        "print([y.tobytes().hex() for y in run.model.predict([['w0', 'w7'], ['w3']])])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}
        ).stdout
        for _ in range(2)
    ]
    here = [y.tobytes().hex() for y in load_run(Path("out")).model.predict([["w0", "w7"], ["w3"]])]
    assert outputs[0] == outputs[1] == f"{here}\n"


BAD = [
    (["--training.max_epoch=3"], r"\[training\] max_epoch = 3: unknown key. Did you mean 'max_epochs'"),
    (["--training.batch_size=0"], r"\[training\] batch_size = 0: expected a number of at least 1"),
    (["--optimizer.learnrate=1"], r"\[optimizer\] learnrate = 1: .*Did you mean 'learn_rate'"),
    (["--optimizer.@optimizers=Adm.v1"], r"'Adm.v1': no such name.*Did you mean 'Adam.v1'"),
    (["--corpus.tag=pos"], "expected one of upos"),
    (["--optimizer.learn_rate=fast"], "learn_rate"),
    (["--verbose"], "unknown argument --verbose"),
    (["--corpus.limit"], "--corpus.limit has no value"),
    (["--resume"], "--resume needs --output"),
]


@pytest.mark.parametrize("words,message", BAD, ids=[words[0] for words, _ in BAD])
def test_a_bad_config_is_refused_before_any_work(folder, capsys, words, message):
    output = [] if "--resume" in words else ["--output", "out"]
    assert main(["train", "run.cfg", *output, *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("thinc train: ") and error.count("\n") == 1 and "run.cfg" not in error
    assert re.search(message, error), error
    assert not Path("out").exists()


def test_sections_are_checked(folder, capsys):
    text = CONFIG.replace("[optimizer]", "[optimiser]")
    Path("run.cfg").write_text(text)
    assert main(["train", "run.cfg"]) == 2
    error = capsys.readouterr().err
    assert "[optimiser] is not a section" in error and "Did you mean 'optimizer'" in error
    assert "the section [optimizer] is missing" in error
    assert main(["train", "nowhere.cfg"]) == 2
    assert "there is no config nowhere.cfg" in capsys.readouterr().err


def test_widths_that_do_not_fit_are_refused(folder, capsys):
    assert main(["train", "run.cfg", "--output", "out", "--model.*.tag.layer.*.output.nI=9"]) == 2
    error = capsys.readouterr().err
    assert "nO=8" in error and "nI=9" in error
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "name,content,message",
    [("dev.conllu", None, "no file dev.conllu"), ("dev.conllu", "", "dev.conllu: there are no words in it")],
)
def test_a_corpus_that_is_not_there(folder, capsys, name, content, message):
    Path(name).unlink()
    if content is not None:
        Path(name).write_text(content)
    assert main(["train", "run.cfg", "--output", "out"]) == 1
    assert message in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_run_that_diverges_leaves_the_last_checkpoint(folder, capsys):
    assert main(["train", "run.cfg", "--output", "out"]) == 0
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}

    @registry.losses("nan.v1")
    class NaNLoss(SequenceCategoricalCrossentropy):
        def __init__(self, normalize: bool, missing_value: int):
            super().__init__()

        def __call__(self, guesses, truths):
            return [guess * 0 for guess in guesses], float("nan")

    words = ["--resume", "--training.loss.@losses=nan.v1", "--training.max_epochs=5"]
    assert main(["train", "run.cfg", "--output", "out", *words]) == 1
    assert "The loss became nan in epoch 4" in capsys.readouterr().err
    for name in ("checkpoint.bin", "model.bin", "metrics.jsonl"):
        assert Path("out", name).read_bytes() == before[name]


def weights(folder):
    """What the checkpoint of a finished run holds."""
    model = load_run(folder).model
    load_checkpoint(folder / "checkpoint.bin", model, Adam())
    return [node.get_param(name) for node in model.walk() for name in node.param_names if node.has_param(name)]


def wait_for(path, process):
    for _ in range(3000):
        if path.is_file():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{path} never came")


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_a_stopped_run_goes_on_and_ends_the_same(folder, how):
    """Killed at whatever step it had reached."""
    words = ["train", "run.cfg", "--checkpoint-every", "3", "--training.max_epochs=40", "--training.patience=0"]
    assert main([*words, "--output", "whole"]) == 0
    process = start(*words, "--output", "parts", cwd=folder)
    wait_for(Path("parts/checkpoint.bin"), process)
    process.send_signal(getattr(signal, how))
    _, error = process.communicate(timeout=60)
    if how == "SIGINT":
        assert process.returncode in (0, 130)
        assert process.returncode == 0 or "--resume --output parts" in error
    assert main([*words, "--output", "parts", "--resume"]) == 0
    for got, wanted in zip(weights(Path("parts")), weights(Path("whole"))):
        assert numpy.array_equal(got, wanted)
    assert Path("parts/model.bin").read_bytes() == Path("whole/model.bin").read_bytes()


def test_predict_wants_a_trained_model(folder, capsys):
    assert main(["predict", ".", "train.conllu"]) == 1
    assert "holds no trained model: there is no model.bin" in capsys.readouterr().err


def test_info_imports_no_framework(folder):
    code = (
        "import sys; from thinc.cli import main; main(['info']);"
        "print(*{'torch', 'tensorflow', 'jax', 'cupy', 'mxnet'} & set(sys.modules), 'end')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    assert done.stdout.splitlines()[-1].strip() == "end", done
    for word in ("CPU level", "gemm engine", "linked BLAS", "threads", "torch", "GPU"):
        assert word in done.stdout


def test_ready_configs_are_the_documented_ones():
    names = "attention bilstm bio conllu folders images jsonl labels number tagger textcat".split()
    assert ready_configs() == names


@pytest.mark.parametrize("name", ready_configs())
def test_ready_configs_describe_models(name):
    from thinc.cli import CONFIGS
    from thinc.training.config_check import settle

    needed = {"tagger": [], "images": ["path", "labels_path", "dev_path", "dev_labels_path"]}.get(name, ["path"])
    with ExitStack() as stack:
        if needed:
            stack.enter_context(pytest.raises(ConfigProblem, match=r"needs the argument path: --corpus.path="))
        settle(CONFIGS / f"{name}.cfg", {})
    settled = settle(CONFIGS / f"{name}.cfg", {f"corpus.{key}": "none" for key in needed})
    assert isinstance(settled.model, Model)
    assert settled.settings.max_epochs >= 1


def test_demo(folder, capsys):
    assert main(["demo", "--corpus.limit=8", "--training.max_epochs=1"]) == 0
    shown = capsys.readouterr().out
    assert "each word's most frequent role" in shown and "Saved in runs/demo" in shown
    assert "  median " in shown


def test_info(capsys):
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    assert levels.isa_name() in shown and gemm.engine_name() in shown


def test_the_second_interrupt_stops_at_once():
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # as it is where the tests run in the background
    try:
        second_interrupt()
    finally:
        signal.signal(signal.SIGINT, ignored)


def second_interrupt():
    with StopFlag() as stop:
        assert not stop.requested
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):  # the old handler is back
        signal.raise_signal(signal.SIGINT)


def test_a_run_in_another_thread(folder):
    with ThreadPoolExecutor(1) as pool:
        words = ["train", "run.cfg", "--training.max_epochs=1"]
        assert pool.submit(main, words).result() == 0


@pytest.mark.parametrize("at", [1, 2])
def test_interrupted_in_process(folder, monkeypatch, capsys, at):
    """Ctrl-C in an evaluation: once, the step is finished and the way on is said."""
    whole = thinc.training.loop.evaluate

    def interrupted(*args):
        for _ in range(at):
            signal.raise_signal(signal.SIGINT)
        return whole(*args)

    monkeypatch.setattr(thinc.training.loop, "evaluate", interrupted)
    assert main(["train", "run.cfg", "--output", "out"]) == 130
    message = "--resume --output out" if at == 1 else "Interrupted."
    assert message in capsys.readouterr().err


def test_evaluate_wants_the_labels_of_the_model(folder, capsys):
    assert main(["train", "run.cfg", "--output", "out"]) == 0
    other = [[("w0", "X"), ("w1", "Y")]] * 20
    (folder / "train.conllu").write_text(conllu_text(other))
    (folder / "dev.conllu").write_text(conllu_text(other))
    assert main(["evaluate", "out"]) == 1
    assert "other labels than the model: X, Y instead of" in capsys.readouterr().err
    assert main(["predict", "out", "nothing.txt"]) == 1
    assert "no file nothing.txt" in capsys.readouterr().err


def test_predict_images(folder, capsys):
    pytest.importorskip("sklearn")
    config = Config().from_disk(CONFIGS / "images.cfg")
    config["corpus"] = {"@datasets": "digits.v1"}
    config.to_disk("digits.cfg")
    words = ["train", "digits.cfg", "--output", "out", "--training.max_epochs=1"]
    assert main(words) == 0
    image = ",".join(["0"] * 64)
    Path("images.csv").write_text(f"{image}\n{image}\n")
    capsys.readouterr()
    assert main(["predict", "out", "images.csv"]) == 0
    first, second = capsys.readouterr().out.split()
    assert first == second and first in "0123456789"
