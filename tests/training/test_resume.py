"""--resume with each key of the config changed: applied, which the weights prove, or refused."""

import shutil
from pathlib import Path

import numpy
import pytest

from tests.newcomer import TAGGER, conllu
from thinc.api import Adam, Config, Model
from thinc.cli import load_run, main
from thinc.training import load_checkpoint

# dotted key -> new value; what happens. "weights": the last weights differ from those of the run that went on
# unchanged; "same": it acts, but not on weights; "refused": exit code 2.
KEYS = {
    "corpus.@datasets": ("columns.v1", "refused"),
    "corpus.path": ("copy.conllu", "same"),
    "corpus.dev_path": ("copy.conllu", "refused"),
    "corpus.tag": ("xpos", "refused"),
    "corpus.limit": (7, "refused"),
    "corpus.held_out": (0.5, "refused"),
    "corpus.split_seed": (1, "refused"),
    "corpus.tokenizer": (None, "same"),
    "model.@layers": ("add.v1", "refused"),
    "model.*.features.@layers": ("tokenize.v1", "refused"),
    "model.*.tag.@layers": ("with_array2d.v1", "refused"),
    "model.*.tag.pad": (1, "refused"),
    "model.*.tag.layer.@layers": ("add.v1", "refused"),
    "model.*.tag.layer.*.embed.@layers": ("Embed.v1", "refused"),
    "model.*.tag.layer.*.embed.nO": (9, "refused"),
    "model.*.tag.layer.*.embed.nV": (60, "refused"),
    "model.*.tag.layer.*.embed.column": (1, "refused"),
    "model.*.tag.layer.*.embed.seed": (3, "refused"),
    "model.*.tag.layer.*.embed.dropout": (0.2, "refused"),
    "model.*.tag.layer.*.output.@layers": ("Linear.v1", "refused"),
    "model.*.tag.layer.*.embed.initializer": ("normal_init.v1", "refused"),
    "model.*.tag.layer.*.output.init_W": ("zero_init.v1", "refused"),
    "model.*.tag.layer.*.output.init_b": ("zero_init.v1", "refused"),
    "model.*.tag.layer.*.output.nO": (4, "refused"),
    "model.*.tag.layer.*.output.nI": (9, "refused"),
    "optimizer.@optimizers": ("RAdam.v1", "refused"),
    "optimizer.learn_rate": (0.1, "weights"),
    "optimizer.L2": (0.5, "weights"),
    "optimizer.beta1": (0.5, "weights"),
    "optimizer.beta2": (0.9, "weights"),
    "optimizer.eps": (0.1, "weights"),
    "optimizer.grad_clip": (0.001, "weights"),
    "optimizer.L2_is_weight_decay": (False, "weights"),
    "optimizer.use_averages": (False, "refused"),
    "training.batch_size": (3, "weights"),
    "training.max_epochs": (3, "weights"),
    "training.patience": (1, "same"),
    "training.seed": (1, "refused"),
    "training.score": ("macro_f", "refused"),
    "training.loss.@losses": ("SequenceCategoricalCrossentropy.v1 --training.loss.normalize=false", "weights"),
}
CONFIG = TAGGER.replace("learn_rate = 0.02", "learn_rate = 0.02\nL2 = 0.01")


# First numbers of layers, which choose the rows of the table, with which the second epoch is better than the first.
BETTER_LATER = [7007, 14007, 15007, 16007]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    (folder / "run.cfg").write_text(CONFIG)
    for name in ("t.conllu", "copy.conllu"):
        (folder / name).write_text(conllu())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "global_id", BETTER_LATER[0])
        patch.chdir(folder)
        assert main("train run.cfg --output run --training.max_epochs=1".split()) == 0
        shutil.copytree("run", "unchanged")
        assert main("train --resume --output unchanged --training.max_epochs=2".split()) == 0
    return folder


def weights(folder):
    model = load_run(folder).model
    load_checkpoint(Path(folder) / "checkpoint.bin", model, Adam())
    return [node.get_param(name) for node in model.walk() for name in node.param_names if node.has_param(name)]


@pytest.mark.parametrize("key", KEYS)
def test_each_key_is_applied_or_refused(trained, tmp_path, monkeypatch, capsys, key):
    value, what = KEYS[key]
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    before = {path.name: path.read_bytes() for path in Path("run").iterdir()}
    words = f"--{key}={'null' if value is None else str(value).lower() if isinstance(value, bool) else value}".split()
    words += [] if key == "training.max_epochs" else ["--training.max_epochs=2"]
    code = main(["train", "--resume", "--output", "run", *words])
    if what == "refused":
        assert code in (1, 2), capsys.readouterr()  # (1: the new key finds no data)
        assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before
        return
    assert code == 0, capsys.readouterr()
    out = capsys.readouterr().out
    same = all(numpy.array_equal(a, b) for a, b in zip(weights("run"), weights("unchanged")))
    assert same == (what == "same")
    assert main(["evaluate", "run"]) == 0
    best = next(line for line in out.splitlines() if line.startswith("Best accuracy"))
    assert capsys.readouterr().out.startswith(best.replace("Best ", "").partition(" in")[0])


def test_every_key_of_the_config_is_in_the_table(trained):
    def keys(block, above=""):
        for key, value in block.items():
            if isinstance(value, dict):
                yield from keys(value, f"{above}{key}.")
            else:
                yield f"{above}{key}"

    config = Config().from_disk(trained / "run" / "config.cfg")
    known = {key for key in keys(config)}
    assert known <= {*KEYS}, known - {*KEYS}


def test_fewer_epochs_than_done_and_a_finished_run(trained, tmp_path, monkeypatch, capsys):
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    before = {path.name: path.read_bytes() for path in Path("unchanged").iterdir()}
    assert main("train --resume --output unchanged --training.max_epochs=1".split()) == 2
    assert "2 epochs are done, more than max_epochs = 1" in capsys.readouterr().err
    assert main("train --resume --output unchanged".split()) == 0
    assert "Nothing is left to do: 2 epochs are done" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in Path("unchanged").iterdir()} == before


def test_a_changed_corpus_is_refused(trained, tmp_path, monkeypatch, capsys):
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    Path("t.conllu").write_text(conllu(41))
    assert main("train --resume --output run --training.max_epochs=2".split()) == 2
    assert "the corpus is not the one that the run began with: its files have changed" in capsys.readouterr().err


@pytest.mark.parametrize("first_id", BETTER_LATER)
def test_best_weights_that_are_better_than_those_of_the_epoch_that_is_trained_again(
    first_id, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Model, "global_id", first_id)
    Path("run.cfg").write_text(CONFIG)
    Path("t.conllu").write_text(conllu())
    assert main("train run.cfg --output run --training.max_epochs=1".split()) == 0
    shutil.copytree("run", "later")
    assert main("train --resume --output later --training.max_epochs=2".split()) == 0
    assert load_run("later").about["score"] > load_run("run").about["score"]
    shutil.copy("later/model.bin", "run/model.bin")
    capsys.readouterr()
    assert main("train --resume --output run --training.max_epochs=2 --optimizer.learn_rate=0".split()) == 0
    out = capsys.readouterr().out
    assert main(["evaluate", "run"]) == 0
    shown = capsys.readouterr().out.partition(" on ")[0]
    assert (
        f"Best {shown} in epoch 2" in out and Path("run/model.bin").read_bytes() == Path("later/model.bin").read_bytes()
    )


def test_best_weights_that_are_newer_than_the_checkpoint(trained, tmp_path, monkeypatch, capsys):
    """Killed between the two files: the better of the epoch that is trained again and the one that was kept."""
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    for name in ("model.bin", "config.cfg", "labels.json"):
        shutil.copy(Path("unchanged", name), Path("run", name))
    about = load_run("run").about
    assert about["epoch"] == 2
    assert main("train --resume --output run --training.max_epochs=2 --optimizer.learn_rate=0".split()) == 0
    out = capsys.readouterr().out
    assert main(["evaluate", "run"]) == 0
    shown = capsys.readouterr().out.partition(" on ")[0]
    assert f"Best {shown} in epoch {about['epoch']}" in out
