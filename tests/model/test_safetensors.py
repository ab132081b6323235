"""Models in safetensors files: the package of that name as oracle, mapped pages, and files that are damaged.

Over 500 lines: one kind of file, with all ways in which it can be wrong.
"""

import copy
import io
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy
import pytest
from numpy.testing import assert_array_equal

import thinc
from tests.cases import LayerCase
from tests.layers.rows import CASES
from tests.layers.test_contract import initialized
from tests.layers.values import assert_same
from thinc.api import Adam, Config, Linear, Maxout, Model, Relu, Shim, Softmax, chain, clone, residual
from thinc.model import _safetensors
from thinc.model._safetensors import TensorFile, load_tensors

safetensors = pytest.importorskip("safetensors.numpy")


def forward(model, X, is_train):
    return X, lambda dY: dY


def node(name="node", **settings):
    return Model(name, forward, **settings)


class BytesShim(Shim):
    def __init__(self, state=b""):
        super().__init__(None)
        self.state = state

    def to_bytes(self):
        return self.state

    def from_bytes(self, data):
        if data == b"refused":
            raise ZeroDivisionError("refused")
        self.state = data
        return self


def mlp(filled=True):
    model = chain(Relu(7, 5), Maxout(11, 7, nP=3), Softmax(3, 11))
    return model.initialize() if filled else model


X = numpy.random.RandomState(0).normal(size=(4, 5)).astype("float32")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def write(path, header, data=b"", length=None):
    """A file of any header: a dict, a text or bytes."""
    text = header if isinstance(header, (bytes, str)) else json.dumps(header)
    text = text.encode() if isinstance(text, str) else text
    length = len(text) if length is None else length
    path.write_bytes(length.to_bytes(8, "little") + text + data)


# The format, by the package


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_layer(case: LayerCase, path, mmap):
    """What is loaded saves the same bytes and predicts the same bits."""
    model, inputs = initialized(case)
    model.to_safetensors(path)
    loaded = case.build().from_safetensors(path, mmap=mmap)
    assert loaded.to_bytes() == model.to_bytes()
    numpy.random.seed(0)
    expected = model.predict(copy.deepcopy(inputs))
    numpy.random.seed(0)
    assert_same(loaded.predict(copy.deepcopy(inputs)), expected)


def test_the_package_reads_it(path):
    model = mlp()
    model.to_safetensors(path, metadata={"note": "ä"})
    tensors = safetensors.load_file(path)
    assert len(tensors) == 6
    for i, layer in enumerate(model.layers):
        for name in layer.param_names:
            assert_array_equal(tensors[f"layers.{i}.{name}"], layer.get_param(name))
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata()["note"] == "ä"


DTYPES = ["?", "i1", "u1", "i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8", "c8"]


@pytest.mark.parametrize("mmap", [True, False])
def test_dtypes_shapes_and_layouts(path, mmap):
    params = {dtype: numpy.arange(6).reshape(2, 3).astype(dtype) for dtype in DTYPES}
    params["big"] = numpy.arange(3, dtype=">f4")
    params["strided"] = numpy.arange(12, dtype="f4").reshape(3, 4).T[::2]
    params["empty"] = numpy.zeros((0, 4), dtype="f4")
    params["scalar"] = numpy.array(2.5, dtype="f8")
    params["odd"] = numpy.arange(7, dtype="u1")
    node(params=params).to_safetensors(path)
    theirs = safetensors.load_file(path)
    ours = node(params=dict.fromkeys(params)).from_safetensors(path, mmap=mmap)
    for name, param in params.items():
        for array in (theirs[name], ours.get_param(name)):
            assert array.dtype == param.dtype.newbyteorder("=") and array.shape == param.shape
            assert_array_equal(array, param)
        assert ours.get_param(name).flags.writeable and ours.get_param(name).flags.aligned


def test_data_are_aligned(path):
    """All begin on a line of 64 bytes but the small ones, which come last, at multiples of their own."""
    sizes = [16, 10, 32, 3, 1, 64, 160, 8, 48]
    params = {str(size): numpy.ones(size, dtype="f4") for size in sizes}
    params["bytes"] = numpy.ones(5, dtype="u1")
    node(params=params).to_safetensors(path)
    with TensorFile(path) as file:
        starts = {name: entry.start for name, entry in file.entries.items()}
    assert min(starts.values()) % 64 == 0
    for name, param in params.items():
        size = param.nbytes
        assert starts[name] % (64 if size % 64 == 0 else size & -size) == 0
    model = node(params=dict.fromkeys(params)).from_safetensors(path)
    assert all(model.get_param(str(size)).ctypes.data % 64 == 0 for size in (16, 32, 64, 160, 48))


def test_shared_layers_and_shims_are_stored_once(path):
    shim = BytesShim(b"state")
    inner = node("inner", params={"W": numpy.ones(3, dtype="f4")}, shims=[shim])
    model = node("outer", layers=[node("a", layers=[inner], shims=[shim, BytesShim(b"")]), inner])
    model.to_safetensors(path)
    assert sorted(safetensors.load_file(path)) == ["layers.0.shims.0", "layers.0.shims.1", "layers.1.W"]
    for each in model.walk():
        for shim in each.shims:
            shim.state = b"?"
    inner.get_param("W")[:] = 0
    model.from_safetensors(path)
    assert [shim.state for shim in model.layers[0].shims] == [b"state", b""]
    assert inner.get_param("W").tolist() == [1, 1, 1]


def test_names_dims_refs_and_attrs(path):
    def tree(filled):
        inner = node("new" if filled else "old", dims={"nO": 2 if filled else None, "nI": None})
        inner.attrs.update(rate=0.1 if filled else 0.0, skip=forward)
        refs = {"inner": inner if filled else None, "unset": None if filled else inner}
        params = {"W": None if filled else X, "b": X if filled else None}
        return node("root", layers=[inner, inner], refs=refs, params=params)

    tree(True).to_safetensors(path)
    loaded = tree(False).from_safetensors(path)
    assert loaded.to_bytes() == tree(True).to_bytes()
    assert loaded.layers[0].attrs["skip"] is forward
    assert loaded.has_param("W") is None and loaded.get_ref("inner") is loaded.layers[0]


@pytest.mark.parametrize("mmap", [True, False])
def test_a_file_of_others(path, mmap):
    model = mlp()
    arrays = {f"layers.{i}.{n}": layer.get_param(n) + 1 for i, layer in enumerate(model.layers) for n in ("W", "b")}
    for settings in ({}, {"metadata": {"format": "pt"}}):
        safetensors.save_file(arrays, path, **settings)
        for loaded in (mlp(), mlp(filled=False)):
            loaded.from_safetensors(str(path), mmap=mmap)
            for i, layer in enumerate(loaded.layers):
                assert_array_equal(layer.get_param("W"), arrays[f"layers.{i}.W"])


def test_data_at_odd_places_are_copied(path):
    header = {"W": {"dtype": "F32", "shape": [3], "data_offsets": [1, 13]}}
    header["a"] = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    write(path, header, b"x" + numpy.arange(3, dtype="<f4").tobytes())
    loaded = node(params={"W": None, "a": None}).from_safetensors(path).get_param("W")
    assert loaded.tolist() == [0, 1, 2] and loaded.flags.aligned


def test_smaller_floats_are_widened(path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = numpy.array([0.1, -3e38, 1e-40, numpy.inf, numpy.nan, -0.0], dtype="f4")
    bf16 = values.astype(ml_dtypes.bfloat16)
    half = values[[0, 3, 4, 5]].astype("f2")
    header = {"W": {"dtype": "BF16", "shape": [6], "data_offsets": [0, 12]}}
    header["b"] = {"dtype": "F16", "shape": [4], "data_offsets": [12, 20]}
    write(path, header, bf16.tobytes() + half.tobytes())
    model = node(params={"W": numpy.zeros(6, dtype="f4"), "b": numpy.zeros(4, dtype="f4")}).from_safetensors(path)
    assert_array_equal(model.get_param("W"), bf16.astype("f4"))
    assert_array_equal(model.get_param("b"), half.astype("f4"))
    assert model.get_param("W").dtype == model.get_param("b").dtype == "float32"
    assert node(params={"W": None, "b": None}).from_safetensors(path).get_param("b").dtype == "float16"


def test_on_a_machine_of_the_other_byte_order(path, monkeypatch):
    """Its arrays are not those of the file, but copies."""
    other = {code: dtype.newbyteorder(">") for code, dtype in _safetensors._DTYPES.items()}
    write(path, {"W": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}, numpy.arange(3, dtype=">f4").tobytes())
    monkeypatch.setattr(_safetensors, "_DTYPES", other)
    array = node(params={"W": None}).from_safetensors(path).get_param("W")
    assert array.dtype.isnative and array.tolist() == [0, 1, 2]


def test_what_only_looks_like_a_path(path):
    class CloudPath:
        def open(self, mode):
            return path.open(mode)

    model = mlp()
    for mmap in (True, False):
        model.to_safetensors(CloudPath())
        assert len(safetensors.load_file(path)) == 6
        assert mlp().from_safetensors(CloudPath(), mmap=mmap).to_bytes() == model.to_bytes()


@pytest.mark.parametrize(
    "model, metadata, error",
    [
        (node(), {"thinc_model": "x"}, "'thinc_model' in the metadata is taken"),
        (node(), {"a": 1}, "'a': int"),
        (node(params={"layers.0.W": X}, layers=[node(params={"W": X})]), {}, "two tensors of the name 'layers.0.W'"),
        (node(params={"__metadata__": X}), {}, "two tensors of the name '__metadata__'"),
        (node(params={"W": numpy.ones(3, dtype="c16")}), {}, "'W' is of complex128"),
        (node("a", attrs={"x": 2**70}), {}, "layer 'a': its attr 'x'"),
        (node(attrs={"x": bytes(800)}), {}, "at most 1000. Use Model.to_disk"),
    ],
)
def test_what_cannot_be_written(path, monkeypatch, model, metadata, error):
    monkeypatch.setattr(_safetensors, "_MAX_HEADER", 1000)
    path.write_bytes(b"old")
    with pytest.raises((ValueError, TypeError), match=error):
        model.to_safetensors(path, metadata=metadata)
    assert path.read_bytes() == b"old"


# Mapped pages


def test_training_a_mapped_model(path):
    """The bits of a copied one, and the file stays as it is."""
    mlp().to_safetensors(path)
    old = path.read_bytes()
    mapped, copied = mlp(filled=False).from_safetensors(path), mlp(filled=False).from_safetensors(path, mmap=False)
    assert isinstance(root_of(mapped.layers[0].get_param("W")), _safetensors._mmap.mmap)
    for model in (mapped, copied):
        optimizer = Adam(0.1)
        for seed in range(3):
            numpy.random.seed(seed)
            Y, backprop = model.begin_update(X)
            backprop(Y - numpy.eye(4, 3, dtype="f"))
            model.finish_update(optimizer)
    assert mapped.to_bytes() == copied.to_bytes() != mlp().from_safetensors(path).to_bytes()
    assert path.read_bytes() == old
    twin = mapped.copy()
    assert twin.layers[0].get_param("W").base is None or twin.layers[0].get_param("W").flags.owndata


def root_of(array):
    while isinstance(array, numpy.ndarray):
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


def test_a_mapped_file_may_be_replaced(path):
    mlp().to_safetensors(path)
    model = mlp().from_safetensors(path)
    old = model.predict(X)
    mlp().to_safetensors(path)
    assert_array_equal(model.predict(X), old)
    path.unlink()
    assert_array_equal(model.predict(X), old)


def anonymous():
    """Private memory of this process, in MB: what does not belong to a file."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return int(re.search(r"Anonymous: +(\d+)", text)[1]) / 1024


OPEN = """
import sys, time, numpy
from thinc.api import Linear, chain
from tests.model.test_safetensors import anonymous
n = int(sys.argv[2])
model = chain(*[Linear(1024, 1024) for _ in range(n)])
before = anonymous()
times = []
for _ in range(20):
    start = time.process_time()  # (what others on the machine do is not counted)
    model.from_safetensors(sys.argv[1])
    times.append(time.process_time() - start)
after = anonymous()
X = numpy.ones((1, 1024), dtype="f")
assert numpy.isfinite(model.predict(X)).all()
print(min(times) * 1000, after - before, anonymous() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs /proc/self/smaps_rollup")
@pytest.mark.parametrize("n", [25, pytest.param(250, marks=pytest.mark.slow)])
def test_opening_takes_no_time_and_no_memory(path, n):
    """1 GB in at most 20 ms and 8 MB, also after a prediction; quickly a tenth of it."""
    chain(*[Linear(1024, 1024) for _ in range(n)]).initialize().to_safetensors(path)
    run = subprocess.run([sys.executable, "-c", OPEN, path, str(n)], check=True, capture_output=True, text=True)
    ms, opened, predicted = map(float, run.stdout.split())
    assert ms < 20 and opened < 8 and predicted < 8


SHARE = """
import re, sys, time
import numpy
from thinc.api import Linear, chain
n = int(sys.argv[2])
model = chain(*[Linear(1024, 1024) for _ in range(n)]).from_safetensors(sys.argv[1])
model.predict(numpy.ones((1, 1024), dtype="f"))
print("ready", flush=True)
sys.stdin.readline()
text = open("/proc/self/smaps_rollup").read()
print(int(re.search(r"Pss: +(\\d+)", text)[1]), flush=True)
sys.stdin.readline()
"""


def sum_of_pss(path, n, n_processes):
    """In MB, of processes that share a model of n layers of 4 MB."""
    command = [sys.executable, "-c", SHARE, path, str(n)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(n_processes)]
    try:
        total = 0
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:  # all are there, and stay until all have measured
            process.stdin.write("\n")
            process.stdin.flush()
            total += int(process.stdout.readline()) / 1024
        return total
    finally:
        for process in processes:
            process.communicate()


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="needs /proc/self/smaps_rollup")
@pytest.mark.parametrize("n", [25, pytest.param(250, marks=pytest.mark.slow)])
def test_four_processes_share_the_weights(path, n):
    chain(*[Linear(1024, 1024) for _ in range(n)]).initialize().to_safetensors(path)
    one, four = sum_of_pss(path, n, 1), sum_of_pss(path, n, 4)
    size = path.stat().st_size / 2**20
    assert one > size
    if n == 250:
        assert four <= 1.15 * one
    else:  # the processes themselves weigh more in proportion
        assert four - one <= 0.15 * 1000


def predict_there(path, queue):
    queue.put(mlp(filled=False).from_safetensors(path).predict(X))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes(path, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    mlp().to_safetensors(path)
    model = mlp().from_safetensors(path)
    expected = model.predict(X)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=predict_there, args=(path, queue))
    process.start()
    assert_array_equal(queue.get(timeout=60), expected)
    process.join()
    assert process.exitcode == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_with_mapped_weights_after_threads(path):
    """The child predicts, trains and changes neither its parent nor the file."""
    mlp().to_safetensors(path)
    model = mlp().from_safetensors(path)
    expected, old = model.predict(X), path.read_bytes()
    threads = [threading.Thread(target=model.predict, args=[X]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pid = os.fork()
    if not pid:
        same = (model.predict(X) == expected).all()
        Y, backprop = model.begin_update(X)
        backprop(Y - numpy.eye(4, 3, dtype="f"))
        model.finish_update(Adam(0.1))
        os._exit(0 if same and (model.predict(X) != expected).any() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert_array_equal(model.predict(X), expected)
    assert path.read_bytes() == old


# Files that do not fit


def test_differences_are_listed(path):
    mlp().to_safetensors(path)
    with pytest.raises(ValueError) as caught:
        chain(Relu(7, 5), Maxout(11, 7, nP=2), Softmax(3, 11)).initialize().from_safetensors(path)
    assert "layer 'maxout' has nP=3, and in the model nP=2" in str(caught.value)
    arrays = safetensors.load_file(path)
    arrays["layers.0.W"] = arrays["layers.0.W"].astype("f8")
    arrays["layers.1.b"] = arrays["layers.1.b"].T.copy()
    arrays["more"] = arrays.pop("layers.2.b")
    safetensors.save_file(arrays, path)
    model = mlp()
    old = model.to_bytes()
    with pytest.raises(ValueError) as caught:
        model.from_safetensors(path)
    first, *lines = str(caught.value).splitlines()
    assert str(path) in first and "'relu>>maxout>>softmax'" in first
    assert lines == [
        "  layers.0.W: float64 of shape (7, 5) in the file, float32 of shape (7, 5) in the model",
        "  layers.1.b: float32 of shape (3, 11) in the file, float32 of shape (11, 3) in the model",
        "  layers.2.b: missing in the file, float32 of shape (3,) in the model",
        "  more: float32 of shape (3,) in the file, missing in the model",
    ]
    assert model.to_bytes() == old


def test_shapes_that_the_dims_forbid(path):
    """Of a file of others, into a layer that has dims but no parameters yet."""
    safetensors.save_file({"W": numpy.ones((3, 4), dtype="f4"), "b": numpy.ones(3, dtype="f4")}, path)
    model = Linear(3, 5)
    with pytest.raises(ValueError, match=r"W: float32 of shape \(3, 4\) in the file, shape \(3, 5\)"):
        model.from_safetensors(path)
    assert not model.has_param("W") and not model.has_param("b")
    for model in (Linear(3, 4), Linear(3), Linear()):
        assert model.from_safetensors(path).get_param("W").shape == (3, 4)
    with pytest.raises(ValueError, match=r"shape \(2, any\)"):
        Linear(2).from_safetensors(path)


def test_many_differences_are_counted(path):
    node(params={f"W{i}": X for i in range(17)}).to_safetensors(path)
    with pytest.raises(ValueError, match="does not fit") as caught:
        node().from_safetensors(path)
    assert len(str(caught.value).splitlines()) == 12 and str(caught.value).endswith("and 7 more")


@pytest.mark.parametrize(
    "saved, model, error",
    [
        (node(layers=[node()]), node(), "holds 2 layers, the model 'node' has 1"),
        (node(dims={"nO": 2}), node(dims={"nO": 3}), "nO=2, and in the model nO=3"),
        (node(dims={"nO": 2}), node(), "nO=2, and in the model nO=None"),
        (node(shims=[BytesShim()]), node(), r"shims.0: uint8 of shape \(0,\) in the file, missing in the model"),
        (node(), node(shims=[BytesShim()]), r"shims.0: missing in the file, uint8 of shape \(n,\) in the model"),
        (node(params={"W": X.astype("i4")}), node(params={"W": X}), "W: int32 .* float32"),
        (node(params={"W": X}), node(params={"W": X.astype("f2")}), "W: float32 .* float16"),
        (
            node(params={"shims.0": X}),
            node(shims=[BytesShim()]),
            r"shims.0: float32 of shape \(4, 5\) in the file, uint8",
        ),
        (node(shims=[BytesShim(b"refused")]), node(shims=[BytesShim(b"old")]), "shims.0 does not load: refused"),
    ],
)
def test_other_models(path, saved, model, error):
    saved.to_safetensors(path)
    old = model.to_bytes()
    with pytest.raises(ValueError, match=error):
        model.from_safetensors(path)
    assert model.to_bytes() == old


def test_shims_are_loaded_all_or_none(path):
    node(shims=[BytesShim(b"new"), BytesShim(b"refused")]).to_safetensors(path)
    model = node(shims=[BytesShim(b"old"), BytesShim(b"older")])
    with pytest.raises(ValueError, match=f"{path.name}: shims.1 does not load"):
        model.from_safetensors(path)
    assert [shim.state for shim in model.shims] == [b"old", b"older"]


# Damaged files


def tensor(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


EIGHT = bytes(8)
# A file's header, data and length, and what the error says beside the name of the file.
DAMAGED = {
    "no header": ({}, b"", 2**63, "header: its length is 9223372036854775808"),
    "a header longer than the file": ({}, b"", 3, "header: its length is 3"),
    "not UTF-8": (b'{"\xff": 1}', b"", None, "header: no JSON: 'utf-8' codec"),
    "not JSON": ("{", b"", None, "header: no JSON"),
    "empty": ("", b"", None, "header: no JSON"),
    "nothing but an array": ("[]", b"", None, "header: expected an object, got list"),
    "deep nesting": ("[" * 100_000, b"", None, "header: no JSON"),
    "a giant number": (f'{{"W": {"9" * 5000}}}', b"", None, "(header|W): "),
    "a name twice": ('{"W": 1, "W": 2}', b"", None, "'W' occurs twice"),
    "a key twice": ('{"W": {"dtype": "F32", "dtype": "F32"}}', b"", None, "'dtype' occurs twice"),
    "no object": ({"W": 3}, b"", None, "W: expected dtype, shape and data_offsets, got 3"),
    "a key too few": ({"W": {"dtype": "F32"}}, b"", None, "W: expected dtype"),
    "a key too many": ({"W": tensor(x=1)}, EIGHT, None, "W: expected dtype"),
    "unknown dtype": ({"W": tensor("F31")}, EIGHT, None, "W: unknown dtype 'F31'"),
    "a dtype that is no text": ({"W": tensor(["F32"])}, EIGHT, None, "W: unknown dtype"),
    "negative shape": ({"W": tensor(shape=(-2, -1))}, EIGHT, None, "W: .*sizes"),
    "fractions": ({"W": tensor(shape=(2.0,))}, EIGHT, None, "W: .*sizes"),
    "truth as a size": ({"W": tensor(shape=(2, True))}, EIGHT, None, "W: .*sizes"),
    "a shape that is a text": ({"W": {**tensor(), "shape": "2"}}, EIGHT, None, "W: .*sizes"),
    "overflowing shape": ({"W": tensor(shape=(2**62, 4, 2))}, EIGHT, None, "W: F32 of shape .* takes"),
    "overflow to the right size": ({"W": tensor(shape=(2**62 + 1, 2))}, EIGHT, None, "W: F32 of shape .* takes"),
    "a huge size": ({"W": tensor(shape=(2**64 + 2,))}, EIGHT, None, "W: .*sizes"),
    "empty of a huge size": ({"W": tensor(shape=(0, 2**62, 2**62), offsets=(0, 0))}, b"", None, "W: .*too large"),
    "too many axes": ({"W": tensor(shape=(1,) * 33 + (2,))}, EIGHT, None, "W: expected at most 32 sizes"),
    "negative offsets": ({"W": tensor(offsets=(-8, 0))}, EIGHT, None, "W: expected two offsets"),
    "one offset": ({"W": tensor(offsets=(8,))}, EIGHT, None, "W: expected two offsets"),
    "offsets turned round": ({"W": tensor(offsets=(8, 0))}, EIGHT, None, "W: F32 of shape"),
    "offsets out of range": ({"W": tensor(offsets=(8, 16))}, EIGHT, None, "W: begins at byte .* a hole"),
    "a file too short": ({"W": tensor()}, bytes(7), None, "W: ends at byte"),
    "a file too long": ({"W": tensor()}, bytes(9), None, "W: ends at byte"),
    "an overlap": ({"V": tensor(), "W": tensor(offsets=(4, 12))}, bytes(12), None, "W: begins .* V ends .* an overlap"),
    "the same place": ({"V": tensor(), "W": tensor()}, bytes(8), None, "W: begins .* an overlap"),
    "a hole": ({"V": tensor(), "W": tensor(offsets=(12, 20))}, bytes(20), None, "W: begins .* a hole"),
    "metadata that are no texts": ({"__metadata__": {"a": 1}}, b"", None, "__metadata__: expected texts"),
    "metadata that are a list": ({"__metadata__": []}, b"", None, "__metadata__: expected texts"),
    "no checksum": ({"__metadata__": {"thinc_version": "1"}}, b"", None, "__metadata__: the checksum"),
}


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file(path, name, mmap):
    header, data, length, error = DAMAGED[name]
    write(path, header, data, length)
    model = node(params={"W": numpy.ones(2, dtype="f4"), "V": numpy.ones(2, dtype="f4")})
    old = model.to_bytes()
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}.*{error}"):
        model.from_safetensors(path, mmap=mmap)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
    assert model.to_bytes() == old


def test_a_header_of_more_than_100_mb(path):
    with open(path, "wb") as file:
        file.write((100_000_001).to_bytes(8, "little"))
        file.truncate(200_000_000)
    with pytest.raises(ValueError, match="its length is 100000001"):
        node().from_safetensors(path)


class InMemory:
    """Bytes that open as a file: thousands of them are read in no time."""

    def __init__(self, data):
        self.data = data

    def __str__(self):
        return "in memory"

    def open(self, mode):
        return io.BytesIO(self.data)


def assert_refused(data, what):
    """The file does not load into the model it was saved from, which stays as it was."""
    model = node(params={"W": X[:1]}, dims={"nO": 1})
    with pytest.raises(ValueError, match="^in memory "):
        model.from_safetensors(InMemory(data))
        pytest.fail(f"loaded in spite of {what}")
    assert model.get_param("W") is not None and model.get_param("W").tolist() == X[:1].tolist()
    assert (model.name, model.attrs, model.get_dim("nO")) == ("node", {}, 1)


@pytest.fixture
def saved(path):
    node(params={"W": X[:1] + 1}, dims={"nO": 1}, attrs={"a": 1}).to_safetensors(path, metadata={"config": "x"})
    return path.read_bytes()


def test_every_bit_of_the_header(saved):
    assert (n := 8 + int.from_bytes(saved[:8], "little")) < 512
    for i in range(8 * n):
        damaged = bytearray(saved)
        damaged[i // 8] ^= 1 << i % 8
        assert_refused(damaged, f"bit {i % 8} of byte {i // 8}")


def test_every_length(saved):
    for n in range(len(saved)):
        assert_refused(saved[:n], f"{n} bytes")
    assert_refused(saved + b"x", "one byte more")


@pytest.mark.parametrize(
    "text", ["", "3", "{}", "[3]", '[{"name": 1}]', "[" * 10_000, '[{"name": "a", "dims": {"nO": -1}, "refs": {}}]']
)
def test_metadata_of_ours_that_mean_nothing(path, text):
    """With a checksum that fits: somebody made it so."""
    metadata = {"thinc_version": "1", "thinc_model": text}
    metadata["thinc_checksum"] = _safetensors._checksum(metadata)
    write(path, {"__metadata__": metadata})
    with pytest.raises(ValueError, match="thinc_model describes no layers"):
        node().from_safetensors(path)
    metadata["thinc_version"] = "2"
    metadata["thinc_checksum"] = _safetensors._checksum(metadata)
    write(path, {"__metadata__": metadata})
    with pytest.raises(ValueError, match="format version 2, and this thinc reads 1"):
        node().from_safetensors(path)


def test_an_attr_that_does_not_load(path):
    info = {"name": "a", "dims": {}, "refs": {}, "unset": [], "attrs": {"rate": "$"}}
    for text in ("$", "gw=="):  # no base64; no msgpack
        info["attrs"]["rate"] = text
        metadata = {"thinc_version": "1", "thinc_model": json.dumps([info])}
        metadata["thinc_checksum"] = _safetensors._checksum(metadata)
        write(path, {"__metadata__": metadata})
        with pytest.raises(ValueError, match="the attr 'rate' of layer 'a' does not load"):
            node().from_safetensors(path)


def test_a_file_that_shrinks_while_it_is_read(path):
    model = Linear(100, 100).initialize()
    model.to_safetensors(path)
    old = model.to_bytes()
    for mmap in (False, True):
        with TensorFile(path) as file:
            os.truncate(path, path.stat().st_size - 1)
            with pytest.raises(ValueError, match=f"{path.name}.*became shorter"):
                load_tensors(model, file, mmap)
        model.to_safetensors(path)
    assert model.to_bytes() == old


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        node().from_safetensors(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        node().from_safetensors(tmp_path)


# thinc.load

CONFIG = """
[vars]
width = 7

[model]
@layers = "chain.v1"

[model.*.relu]
@layers = "Relu.v1"
nO = ${vars.width}
dropout = 0.2

[model.*.softmax]
@layers = "Softmax.v1"
"""


@pytest.mark.parametrize("mmap", [True, False])
def test_load(path, mmap):
    config = Config().from_str(CONFIG)
    model = chain(Relu(7, dropout=0.2), Softmax()).initialize(X, numpy.eye(4, 3, dtype="f"))
    model.to_safetensors(path, metadata={"config": config.to_str()})
    for name in (path, str(path)):
        loaded = thinc.load(name, mmap=mmap)
        assert loaded.model.to_bytes() == model.to_bytes()
        assert loaded.config == config
        assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("metadata", [{}, {"config": ""}, {"config": "[other]\nx = 1"}, {"config": "[model]x"}])
def test_load_without_a_config(path, metadata):
    mlp().to_safetensors(path, metadata=metadata)
    with pytest.raises(ValueError):
        thinc.load(path)


def test_wrapped_layers_have_places(path):
    """The path through combinators is the name."""
    model = clone(residual(Linear(5, 5)), 2).initialize()
    model.to_safetensors(path)
    assert sorted(safetensors.load_file(path)) == [f"layers.{i}.layers.0.{name}" for i in range(2) for name in "Wb"]
