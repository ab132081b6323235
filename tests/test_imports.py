"""What an import costs, and that optional packages wait until they are needed."""

import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import numpy
import pytest
from packaging.version import Version

import thinc.compat

OPTIONAL = "torch tensorflow mxnet jax cupy cupyx h5py ray onnx onnxruntime pandas pyarrow datasets blis".split()

# An attempt to import an optional package is an error even where it is not installed
# and even inside `try: ... except ImportError`.
GUARD = f"""
import sys
from importlib.abc import MetaPathFinder

class Guard(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        assert name.split(".")[0] not in {OPTIONAL}, f"imports {{name}}"

sys.meta_path.insert(0, Guard())
"""

# CPU seconds, several times what is measured on a laptop.
BUDGET = 2.0


def run(code):
    """The output of a fresh interpreter."""
    command = [sys.executable, "-W", "error", "-c", code]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_alone_loads_little():
    code = "import thinc; print(*[name for name in sys.modules if 'thinc' in name])"
    # (an editable install has a finder whose name holds the package's)
    loaded = {name for name in run(GUARD + code).split() if name[0] != "_"}
    below = ("config", "types", "_array_types", "_table", "compat", "about")
    assert loaded <= {"thinc", *(f"thinc.{name}" for name in below)}


def test_the_facade_imports_no_optional_package():
    assert run(GUARD + "import thinc.api; print('done')") == "done"


def test_a_model_trains_without_optional_packages():
    code = """
import numpy
from thinc.api import Adam, Relu, Softmax, chain

X = numpy.ones((7, 5), dtype="f")
model = chain(Relu(3, dropout=0.1), Softmax()).initialize(X, X)
Y, backprop = model.begin_update(X)
backprop(Y)
model.finish_update(Adam())
print(model.copy().predict(X).shape)
"""
    assert run(GUARD + code) == "(7, 5)"


def test_enabling_a_framework_does_not_depend_on_the_order():
    code = """
import types
import warnings

fake = types.ModuleType("tensorflow")
fake.config = types.SimpleNamespace(list_physical_devices=lambda kind: [])
import thinc.api
import thinc.compat
import thinc.util
sys.modules["tensorflow"] = fake
assert not thinc.util.has_tensorflow
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    thinc.api.enable_tensorflow()
print(thinc.compat.has_tensorflow, thinc.util.has_tensorflow)
"""
    assert run("import sys\n" + code) == "True True"


def test_has_cupy_can_be_imported_from_the_facade():
    code = "from thinc.api import has_cupy; import thinc.compat as c"
    assert run(f"{code}; print(has_cupy is c.has_cupy)") == "True"


def test_names_that_modules_of_8_3_happened_to_have():
    code = """
import thinc.api
import thinc.types
from thinc.backends.numpy_ops import backprop_lstm, get_array_module
from thinc.layers.relu import Dropout, InT, LayerNorm, cast
from thinc.loss import abstractmethod
from thinc.shims.tensorflow import BytesIO
from thinc.util import table, types
assert types is thinc.types and Dropout is thinc.api.Dropout
assert not hasattr(sys.modules["thinc.layers.relu"], "nonsense")
print("done")
"""
    assert run(GUARD + code) == "done"


def test_import_is_quick():
    code = "import time; import thinc.api; print(time.process_time())"
    assert min(float(run(code)) for _ in range(2)) < BUDGET


# -- compat, in a module of its own so that the tests leave no trace


@pytest.fixture
def compat(monkeypatch):
    spec = importlib.util.spec_from_file_location("copy", thinc.compat.__file__)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "copy_of_compat", module)
    module.__name__ = spec.name = "copy_of_compat"
    spec.loader.name = "copy_of_compat"
    spec.loader.exec_module(module)
    return module


def hide(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_absent_packages(compat, monkeypatch):
    hide(monkeypatch, "torch", "cupy", "h5py", "os_signpost", "onnxruntime")
    for name in ("torch", "cupy", "cupyx", "cublas", "h5py", "os_signpost", "mxnet"):
        assert getattr(compat, name) is None
    for name in dir(compat):
        if name.startswith("has_"):
            assert getattr(compat, name) is False, name
    assert compat.torch_version == compat.cupy_version == Version("0.0.0")
    assert compat.cupy_from_dlpack is None


def test_unknown_name(compat):
    with pytest.raises(AttributeError, match="has_nonsense"):
        compat.has_nonsense  # noqa: B018
    assert {"torch", "has_cupy_gpu", "enable_mxnet"} <= set(dir(compat))


def test_present_packages(compat, monkeypatch):
    class CUDARuntimeError(RuntimeError):
        pass

    def count():
        raise CUDARuntimeError("no driver")

    cupy = types.ModuleType("cupy")
    runtime = types.SimpleNamespace(CUDARuntimeError=CUDARuntimeError, getDeviceCount=count)
    cupy.cuda = types.SimpleNamespace(runtime=runtime)
    cupy.__version__ = "13.1.0"
    cupy.from_dlpack = "from_dlpack"
    torch = types.ModuleType("torch")
    torch.__version__ = "2.4.0+cpu"
    torch.cuda = types.SimpleNamespace(device_count=lambda: 2, is_available=lambda: True)
    torch.backends = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupyx", types.ModuleType("cupyx"))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert compat.has_cupy is True
    assert compat.has_cupy_gpu is False
    assert compat.cublas is None
    assert compat.cupy_from_dlpack == "from_dlpack"
    assert compat.has_torch_gpu is compat.has_torch_cuda_gpu is True
    assert compat.has_torch_amp is True
    assert compat.has_torch_mps is compat.has_torch_mps_gpu is False
    assert compat.torch_version == Version("2.4.0+cpu")
    assert compat.has_gpu is False


def test_a_flag_set_by_hand_stays(compat, monkeypatch):
    hide(monkeypatch, "torch")
    compat.has_torch_mps_gpu = True
    assert compat.has_torch is False
    assert compat.has_torch_mps_gpu is True


def test_enable_frameworks(compat, monkeypatch):
    tensorflow = types.ModuleType("tensorflow")
    tensorflow.config = types.SimpleNamespace(list_physical_devices=lambda kind: [kind])
    mxnet = types.ModuleType("mxnet")
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    monkeypatch.setitem(sys.modules, "mxnet", mxnet)
    for _ in range(2):
        with pytest.deprecated_call():
            compat.enable_tensorflow()
        with pytest.deprecated_call():
            compat.enable_mxnet()
    assert compat.tensorflow is tensorflow
    assert compat.has_tensorflow is compat.has_tensorflow_gpu is True
    assert compat.mxnet is mxnet
    assert compat.has_mxnet is True


def test_enable_absent_frameworks(compat, monkeypatch):
    hide(monkeypatch, "tensorflow", "mxnet")
    for enable in (compat.enable_tensorflow, compat.enable_mxnet):
        with pytest.deprecated_call(), pytest.raises(ImportError):
            enable()
    assert compat.has_tensorflow is compat.has_mxnet is False


def test_old_numpy_names_are_only_lent(compat):
    before = set(dir(numpy))
    with compat._old_numpy_names():
        assert numpy.PZERO == 0.0
        assert numpy.msort(numpy.array([2, 1])).tolist() == [1, 2]
        with pytest.raises(NotImplementedError):
            numpy.fv()
    assert set(dir(numpy)) - {"bool"} == before - {"bool"}
