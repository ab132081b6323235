"""Saving: a file is replaced as a whole or not at all, whatever happens and whoever else writes it."""

import os
import resource
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pytest

from thinc.api import Adam, Linear, Shim
from thinc.training import Progress, save_checkpoint
from thinc.util import write_atomically

if sys.platform == "win32":
    pytest.skip("signals, pipes and modes of POSIX", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # (threads of other tests)


class BytesShim(Shim):
    def to_bytes(self):
        return self._model


def filled(size, value=1.0):
    model = Linear(size, 100).initialize()
    model.get_param("W")[:] = value
    return model


def noisy(size):
    """What does not shrink when it is compressed."""
    model = Linear(size, 100).initialize()
    model.set_param("W", numpy.random.RandomState(0).normal(size=(size, 100)).astype("f"))
    return model


def trained(size):
    optimizer = Adam()
    optimizer((1, "W"), numpy.ones((size, 100), dtype="f"), numpy.ones((size, 100), dtype="f"))
    return optimizer


# Everything that saves: (path, thousands of bytes) -> file.
WRITERS = {
    "write_atomically": lambda path, size: write_atomically(path, bytes(size * 500), b"x" * size * 500),
    "Model.to_disk": lambda path, size: filled(size * 3).to_disk(path),
    "Shim.to_disk": lambda path, size: BytesShim(bytes(size * 1000)).to_disk(path),
    "Optimizer.to_disk": lambda path, size: trained(size).to_disk(path),
    "save_checkpoint": lambda path, size: save_checkpoint(path, noisy(size * 3), Adam(), Progress()),
}


@pytest.fixture(params=WRITERS)
def save(request):
    return WRITERS[request.param]


def in_child(function, user=None):
    """Run a function in a forked process; what it raised, as text."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            if user is not None and os.geteuid() == 0:
                os.setgid(user)
                os.setuid(user)
            function()
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        text = file.read().decode()
    os.waitpid(pid, 0)
    return text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_replaces_and_leaves_nothing_else(tmp_path, save):
    path = tmp_path / "file"
    save(path, 10)
    first = path.read_bytes()
    save(str(path), 20)
    assert len(path.read_bytes()) > len(first) >= 10_000
    assert names(tmp_path) == ["file"]


def test_a_full_disk(tmp_path, save):
    path = tmp_path / "file"
    save(path, 10)
    old = path.read_bytes()

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        save(path, 1000)

    assert "OSError: [Errno 27] File too large" in (text := in_child(fill)) and str(path) in text
    assert path.read_bytes() == old
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_no_space_at_the_first_file(save):
    with pytest.raises(OSError, match="No space left"):
        save("/dev/full", 10)  # a device: written as it is


@pytest.fixture
def open_path(tmp_path):
    """A folder that any user may reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    (tmp_path / "models").mkdir(mode=0o755)
    return tmp_path / "models"


def test_a_read_only_folder(open_path, save):
    path = open_path / "file"
    save(path, 10)
    old = path.read_bytes()
    path.chmod(0o666)
    open_path.chmod(0o555)
    text = in_child(lambda: save(path, 20), user=65534)
    assert text.startswith("PermissionError") and "folder must be writable" in text and str(path) in text
    assert path.read_bytes() == old
    assert names(open_path) == ["file"]


def test_a_read_only_file(open_path, save):
    """It is protected against saving, as it is against opening, though its folder would let it be renamed over."""
    path = open_path / "file"
    save(path, 10)
    old = path.read_bytes()
    path.chmod(0o444)
    open_path.chmod(0o777)
    text = in_child(lambda: save(path, 20), user=65534)
    assert text.startswith("PermissionError") and str(path) in text
    assert path.read_bytes() == old
    assert names(open_path) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_is_kept(tmp_path, save, mode):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    save(path, 10)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.stat().st_size


def test_a_new_file_has_the_mode_of_the_umask(tmp_path, save):
    old = os.umask(0o027)
    try:
        save(tmp_path / "file", 1)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_links_are_followed(tmp_path, save, monkeypatch):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "file").write_bytes(b"old")
    (here / "link").symlink_to("../there/file")
    (here / "second").symlink_to("link")
    (here / "dangling").symlink_to("../there/new")
    monkeypatch.chdir(here)
    for name in ("second", "dangling"):
        save(name, 10)
        assert (here / name).is_symlink()
    assert names(there) == ["file", "new"] and names(here) == ["dangling", "link", "second"]
    assert all((there / name).stat().st_size >= 10_000 for name in ("file", "new"))
    (here / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        save("loop", 10)


def test_a_pipe_is_written_as_it_is(tmp_path, save):
    path, expected = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(path)
    save(expected, 200)
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    save(path, 200)
    reader.join()
    assert len(got[0]) == pytest.approx(expected.stat().st_size, abs=100)  # (a checkpoint holds what is random)
    assert names(tmp_path) == ["file", "pipe"] and stat.S_ISFIFO(path.stat().st_mode)


def test_a_folder_is_no_file(tmp_path, save):
    with pytest.raises(IsADirectoryError):
        save(tmp_path, 10)
    with pytest.raises(FileNotFoundError, match="missing"):
        save(tmp_path / "missing" / "file", 10)
    assert not names(tmp_path)


@pytest.mark.parametrize("name", ["n" * 255, "ä" * 127, "a*b[c]?.x", ".hidden", "with space", "new\nline"])
def test_odd_names(tmp_path, name):
    for _ in range(2):
        write_atomically(tmp_path / name, b"data")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("step", ["os.fsync", "os.replace", "os.chmod"])
@pytest.mark.parametrize("error", [OSError("no"), KeyboardInterrupt(), MemoryError()])
def test_interrupted_at_any_step(tmp_path, monkeypatch, save, step, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(step, fail)
        save(path, 10)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_only_what_the_dead_left_is_removed(tmp_path):
    ours, foreign = ".file.0123456789abcdef.part", [".file.mine.part", ".file2.0123456789abcdef.part", "file.part"]
    for name in (ours, *foreign):
        (tmp_path / name).write_bytes(b"x")
    write_atomically(tmp_path / "file", b"data")
    assert names(tmp_path) == sorted([*foreign, "file"])


# Children are forked, so that hundreds of them die within seconds.
KILLED = """
import os, random, signal, sys, time
from thinc.util import write_atomically
path, n = sys.argv[1], int(sys.argv[2])
texts = [bytes([i]) * (200_000 + 1_000_000 * i) for i in range(2)]
write_atomically(path, texts[0])
random.seed(0)
seen = set()
every = {0, 1, "0 left", "1 left"}
trial = 0
while trial < n or seen != every and trial < 20 * n:
    trial += 1
    pid = os.fork()
    if not pid:
        i = trial
        while True:
            i += 1
            write_atomically(path, texts[i % 2])
    time.sleep(random.random() * 0.012)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with open(path, "rb") as file:
        seen.add(texts.index(file.read()))
    litter = [name for name in os.listdir(os.path.dirname(path)) if name != os.path.basename(path)]
    assert len(litter) <= 1, litter
    seen.add(f"{len(litter)} left")
write_atomically(path, texts[0])
assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
assert seen == every, seen
"""


@pytest.mark.parametrize("n", [100, pytest.param(500, marks=pytest.mark.slow)])
def test_kills(tmp_path, n):
    """After each, the old or the new file whole; nothing else after the next save."""
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "file", str(n)], check=True)


def test_two_writers_and_a_reader(tmp_path):
    """Processes and threads that save to one path disturb neither each other nor a reader."""
    path = tmp_path / "file"
    texts = [bytes([i]) * (100_000 + 300_000 * i) for i in range(3)]
    write_atomically(path, texts[0])
    stop = time.monotonic() + 2
    failed = []

    def write(text):
        try:
            while time.monotonic() < stop:
                write_atomically(path, text)
        except OSError as error:
            failed.append(error)

    pids = []
    for text in texts[:2]:
        pid = os.fork()
        if not pid:
            write(text)
            os._exit(len(failed))
        pids.append(pid)
    thread = threading.Thread(target=write, args=[texts[2]])
    thread.start()
    seen = set()
    while time.monotonic() < stop:
        seen.add(texts.index(path.read_bytes()))
    thread.join()
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0] and not failed
    assert seen == {0, 1, 2}
    assert names(tmp_path) == ["file"]
