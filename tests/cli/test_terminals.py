"""What terminals of several widths, a pipe, an ASCII locale and a full disk are shown; and what signals do."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.newcomer import TAGGER, conllu
from tests.shared import ROOT
from thinc.cli import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run.cfg").write_text(TAGGER.replace("max_epochs = 1", "max_epochs = 40\npatience = 0"))
    Path("t.conllu").write_text(conllu(200))
    return tmp_path


def environment(**more):
    return {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": "/tmp", "OMP_NUM_THREADS": "1", **more}


def start(*words, **kwargs):
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), **kwargs}
    return subprocess.Popen([sys.executable, "-m", "thinc", *words], **settings)


def on_a_terminal(columns, *words, **env):
    """All that a terminal of that width is sent."""
    import fcntl
    import struct
    import termios

    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = start(*words, stdout=theirs, stderr=theirs, env=environment(**{"TERM": "xterm", **env}))
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(mine, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(mine)
    assert process.wait(timeout=60) == 0, shown
    return shown.decode("utf-8")


@pytest.mark.parametrize(
    "columns,env", [(40, {}), (80, {}), (120, {}), (80, {"NO_COLOR": "1"}), (80, {"TERM": "dumb"})]
)
def test_bars_fit_the_terminal(folder, columns, env):
    shown = on_a_terminal(columns, "train", "run.cfg", "--training.max_epochs=6", **env)
    frames = [frame for line in shown.split("\n") for frame in line.split("\r") if "%|" in frame]
    assert len(frames) > 1
    for frame in frames:
        frame = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).rstrip()
        assert len(frame) <= columns, frame
        bar = frame.partition("|")[2].partition("|")[0]
        assert len(bar) >= 8, frame  # not one cell
    assert "\x1b[3" not in shown  # no colours
    assert any("words/s" in line and line.startswith("epoch   6") for line in shown.replace("\r", "\n").split("\n"))


def test_a_pipe_gets_plain_lines(folder):
    process = start("train", "run.cfg", "--training.max_epochs=6")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == b"", err
    assert b"\x1b" not in out and b"\r" not in out and b"epoch   2  cross-entropy" in out


def test_lines_reach_a_log_at_once(folder):
    """Each epoch's line is there while the run goes on."""
    with open("log", "wb") as log:
        process = start("train", "run.cfg", "--training.max_epochs=100000", "--output", "run", stdout=log)
        deadline = time.monotonic() + 60
        while b"epoch   3" not in Path("log").read_bytes():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert b"Go on with: thinc train --resume --output run" in err and Path("run/checkpoint.bin").is_file()


@pytest.mark.parametrize("number,code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_save_in_the_first_epoch_too(folder, capsys, number, code):
    program = (
        "import os, sys, thinc.training.loop as loop\n"
        "from thinc.cli import main\n"
        "count = loop.count_items\n"
        "def counted(*args):\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    return count(*args)\n"
        "loop.count_items = counted\n"
        "sys.exit(main(['train', 'run.cfg', '--output', 'run']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), timeout=60)
    assert done.returncode == code and b"Stopped in epoch 1" in done.stderr, done
    assert main(["predict", "run", "t.conllu"]) == 1
    assert "its first epoch has not ended: train on with --resume" in capsys.readouterr().err
    assert main(["train", "--resume", "--output", "run", "--training.max_epochs=1"]) == 0


@pytest.fixture
def trained(folder, capsys):
    assert main("train run.cfg --output run --training.max_epochs=1".split()) == 0
    capsys.readouterr()
    return folder


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_output_is_a_sentence(trained):
    for words in (["predict", "run", "t.conllu"], ["info"], ["train", "run.cfg"]):
        with open("/dev/full", "wb") as full:
            process = start(*words, stdout=full)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
        assert err.decode().splitlines() == [f"thinc {words[0]}: the output cannot be written: No space left on device"]


def test_a_reader_that_goes_away(trained):
    Path("many.txt").write_text("w0 w1 w2\n" * 20000)
    process = start("predict", "run", "many.txt")
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        err = process.stderr.read()
    assert process.wait(timeout=60) == 141 and err == b""


def test_an_ascii_terminal_says_what_to_do(trained):
    Path("greek.txt").write_text("Καλημέρα\n", encoding="utf-8")
    process = start("predict", "run", "greek.txt", env=environment(PYTHONIOENCODING="ascii"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and err.count(b"\n") == 1
    assert b"standard output is ascii" in err and b"PYTHONIOENCODING=utf-8" in err


def test_standard_input_and_a_fifo(trained):
    os.mkfifo("fifo")
    process = start("predict", "run", "fifo", "-", "--json", stdin=subprocess.PIPE)
    with open("fifo", "wb") as fifo:
        fifo.write(b"w0 w1\n\n")
    out, err = process.communicate(b"w2\n", timeout=60)
    assert process.returncode == 0, err
    lines = out.decode().splitlines()
    assert len(lines) == 3 and lines[1] == '{"words": [], "tags": []}' and '"words": ["w2"]' in lines[2]


def test_training_imports_no_framework(folder):
    """Stand-ins for the frameworks: a folder whose packages fail on import."""
    for name in ("torch", "tensorflow", "jax", "mxnet", "cupy"):
        Path("fake", name).mkdir(parents=True)
        Path("fake", name, "__init__.py").write_text(f"open('imported', 'a').write('{name} ')\n")
    env = environment(PYTHONPATH=f"{ROOT}{os.pathsep}fake")
    process = start("train", "run.cfg", "--training.max_epochs=1", env=env)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert not Path("imported").exists() or Path("imported").read_text() == "cupy "


def test_a_notebook_shows_a_bar_of_its_own_and_plain_lines(folder):
    for package in ("ipykernel", "ipywidgets", "nbclient"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    import nbclient
    import nbformat

    train = "from thinc.cli import main\nmain(['train', 'run.cfg', '--training.max_epochs=2', '--output', 'run'])"
    look = "import thinc\nthinc.load('run').model"
    cells = [nbformat.v4.new_code_cell(source) for source in (train, look)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs, (model,) = (cell.outputs for cell in notebook.cells)
    (bar,) = [output for output in outputs if output.output_type == "display_data"]
    assert "application/vnd.jupyter.widget-view+json" in bar.data
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    assert re.sub(r"[\d.,]+", "1", text).splitlines()[2:] == [
        "epoch   1  cross-entropy 1  accuracy 1 %  1 words/s",
        "epoch   1  cross-entropy 1  accuracy 1 %  1 words/s",
        "Best accuracy 1 % in epoch 1 1 words/s",
        "Saved in run: model1bin 1 kB; checkpoint1bin 1 kB1 which only --resume needs",
    ]
    assert outputs[-1].data["text/plain"] == "0" and "hashembed" in model.data["text/html"]
