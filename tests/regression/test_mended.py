"""What Thinc 8.3.14 does wrong: one test for each row of docs/compatibility.md, "Sane here, a defect there".

Over 500 lines: as long as that table.
"""

import copy
import pickle
import subprocess
import sys
import threading
import time
from typing import Callable, Dict

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.shared import ROOT
from thinc.api import (
    LSTM,
    Adam,
    Dish,
    HardSigmoid,
    HardTanh,
    LayerNorm,
    Linear,
    Maxout,
    Model,
    MultiSoftmax,
    NumpyOps,
    Ops,
    Padded,
    ParametricAttention_v2,
    Ragged,
    ReluK,
    add,
    bidirectional,
    chain,
    concatenate,
    noop,
    premap_ids,
    remap_ids_v2,
    with_reshape,
)
from thinc.testing import check_gradients
from thinc.util import DATA_VALIDATION, data_validation, validates

BOTH = [Ops(), NumpyOps()]
RNG = numpy.random.RandomState(0)
X = RNG.normal(size=(5, 3)).astype("f")
LENGTHS = numpy.array([2, 3], dtype="i")

MENDED: Dict[str, Callable] = {}

# Rows whose tests need the framework itself.
ELSEWHERE = {
    "`enable_tensorflow`, `enable_mxnet`": "tests/shims/test_tensorflow.py, test_mxnet.py",
    "`xp2torch`, `xp2tensorflow` of arrays with negative strides": "tests/shims/test_conversions.py",
    "modules with tuple outputs in `PyTorchWrapper`": "tests/shims/test_pytorch.py",
    "`PyTorchWrapper` where nothing can have a gradient": "tests/shims/test_pytorch.py",
    "`PyTorchWrapper`, predict beside training in another thread": "tests/shims/test_pytorch.py",
    "`TensorFlowWrapper` with several inputs": "tests/shims/test_tensorflow.py",
    "`MXNetShim`": "tests/shims/test_mxnet.py",
}


def mends(row: str) -> Callable:
    def register(test: Callable) -> Callable:
        MENDED[row] = test
        return test

    return register


def test_every_documented_row_has_a_test():
    text = (ROOT / "docs" / "compatibility.md").read_text()
    table = text.split("## Sane here")[1].split("\n## ")[0]
    rows = [line.split(" | ")[0][2:] for line in table.splitlines() if line[:2] == "| "]
    documented = set(rows) - {"where", "---"}
    assert set(MENDED) | set(ELSEWHERE) == documented
    assert not set(MENDED) & set(ELSEWHERE)
    for places in ELSEWHERE.values():
        for place in places.split(", "):
            assert (ROOT / "tests" / "shims" / place.split("/")[-1]).is_file()


@pytest.mark.parametrize("row", MENDED)
def test_mended(row):
    MENDED[row]()


def padded(*lengths: int) -> Padded:
    return NumpyOps().list2padded([X[:n] for n in lengths])


@mends("`use_params`, `define_operators`, `data_validation`")
def blocks_are_undone_when_they_raise():
    model = Linear(2, 3).initialize()
    W = model.get_param("W").copy()
    with pytest.raises(ZeroDivisionError):
        with model.use_params({(model.id, "W"): W + 1}), Model.define_operators({"+": add}), data_validation(True):
            raise ZeroDivisionError
    assert_array_equal(model.get_param("W"), W)
    assert not DATA_VALIDATION.get()
    with pytest.raises(TypeError):
        model + model


@mends("`use_ops`, `define_operators`, `data_validation` in generators")
def blocks_of_generators_end_in_their_own_context():
    def generate(value):
        with data_validation(value), Model.define_operators({"+": lambda a, b: value}):
            yield

    first, second = generate(True), generate(True)
    next(first), next(second)
    first.close()
    thread = threading.Thread(target=second.close)
    thread.start()
    thread.join()
    assert not validates()
    with pytest.raises(TypeError):
        noop() + noop()


@mends("a forward function that does not answer a pair")
def two_rows_are_no_pair():
    model = Model("rows", lambda model, X, is_train: X[:2])
    for run in (model.predict, model.begin_update):
        with pytest.raises(ValueError, match="rows"):
            run(X)


@mends("`from_bytes`, `from_dict`, `from_disk` of data that does not fit")
def data_that_does_not_fit_changes_nothing():
    model = Model("outer", None, layers=[Linear(2, 3).initialize(), Linear(3, 3).initialize()])
    before = model.to_bytes()
    message = model.to_dict()
    message["params"][1] = {name: array + 1 for name, array in message["params"][1].items()}
    for wrong in ({"W": X}, {"W": X[:3].astype("d"), "b": X[0]}, {"W": X[:3], "b": X[0], "c": X}):
        message["params"][2] = wrong
        with pytest.raises(ValueError, match="outer.1.linear"):
            model.from_dict(message)
        assert not model.can_from_dict(message)
        assert model.to_bytes() == before


@mends("`can_from_bytes`, `can_from_dict` of broken data")
def broken_data_cannot_be_loaded():
    model = Linear(2, 3).initialize()
    for part in ("attrs", "params", "shims"):
        for broken in ([], None, [None], [5]):
            assert model.can_from_dict({**model.to_dict(), part: broken}) is False
    assert model.can_from_bytes(b"\x81") is False


@mends("settings of optimizers that are not finite or out of range")
def settings_are_numbers_of_their_range():
    for settings in ({"learn_rate": -1.0}, {"beta1": 1.0}, {"eps": numpy.nan}, {"L2": numpy.inf}, {"grad_clip": -1}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            Adam(**settings)


@mends("`add(m, m)`, `concatenate(m, m)` of a sum or concatenation")
def no_layer_is_put_into_itself():
    for combine in (add, concatenate):
        model = combine(noop(), noop())
        assert all(layer is model for layer in combine(model, model).layers) and len(model.layers) == 2


@mends("`initialize` with a Y of floats that the last layer cannot give")
def targets_of_another_width():
    X, Y = numpy.zeros((4, 3), "f"), numpy.zeros((4, 7), "f")
    model = chain(Linear(5), chain(Linear(2), Maxout(2)))
    wrong = "Y has 7 columns, but layer .* gives nO=2"
    with pytest.raises(ValueError, match=wrong):
        model.initialize(X, Y)
    model.initialize(X)
    with pytest.warns(UserWarning, match=wrong):
        model.initialize(X, Y)
    assert model.predict(X).shape == (4, 2)
    # A part of a model may have any width.
    chain(chain(chain(Linear(5), Maxout(4)), noop()), Linear()).initialize(X, Y)


@mends("`finish_update` where no parameter ever had a gradient")
def nothing_learnt_is_said():
    with pytest.warns(UserWarning, match="none of its parameters has a gradient"):
        Linear(2, 3).initialize().finish_update(Adam())


@mends("`remove_node`, `replace_node`")
def unset_refs_are_skipped():
    child = noop()
    parent = Model("parent", None, layers=[child, noop()], refs={"unset": None})
    parent.set_ref("child", child)
    parent.remove_node(child)
    assert len(parent.layers) == 1
    assert parent.has_ref("child") is None and parent.has_ref("unset") is None
    other = noop()
    assert parent.replace_node(parent.layers[0], other)
    assert parent.layers == [other]


@mends("models unpickled, deep-copied, `copy.copy`")
def no_id_is_given_twice():
    model, optimizer = Linear(2, 3).initialize(), Adam()
    for made, followed in (pickle.loads(pickle.dumps((model, optimizer))), copy.deepcopy((model, optimizer))):
        assert made.id != model.id
        model.inc_grad("W", numpy.ones((2, 3), "f"))
        model.finish_update(optimizer)
        assert not followed.mom1 or {key[0] for key in followed.mom1} == {made.id}
    assert copy.copy(model).id != model.id
    assert {key[0] for key in pickle.loads(pickle.dumps(optimizer)).mom1} == {model.id}


@mends("`Model.copy`")
def refs_of_a_copy_point_into_the_copy():
    child = Linear(2, 3)
    parent = Model("parent", None, layers=[child], refs={"child": child})
    copied = parent.copy()
    assert copied.get_ref("child") is copied.layers[0]
    assert copied.layers[0] is not child


@mends("`Ragged[-1]`, `Ragged[:n]`, slices with a step")
def ragged_is_selected_like_a_list():
    ragged = Ragged(X, numpy.array([1, 0, 4], dtype="i"))
    assert ragged[-1].lengths.tolist() == [4]
    assert_array_equal(ragged[-1].data, X[1:])
    assert ragged[:2].lengths.tolist() == [1, 0]
    assert_array_equal(ragged[::2].data, X)
    assert ragged[::-1].lengths.tolist() == [4, 0, 1]
    assert_array_equal(ragged[::-1].data, numpy.concatenate([X[1:], X[:1]]))


@mends("`Padded[i:j]`")
def sizes_of_a_part_of_a_padded():
    part = padded(3, 2, 1)[1:3]
    assert part.lengths.tolist() == [2, 1]
    assert part.size_at_t.tolist() == [2, 1, 0]


@mends("`chain`, `concatenate`, … with widths that do not fit")
def widths_that_do_not_fit_are_found_before_any_data():
    with pytest.raises(ValueError) as caught:
        chain(Linear(4, 3), Linear(5, 6)).initialize()
    message = str(caught.value)
    assert "nO=4" in message and "nI=6" in message and message.count("'linear'") == 2


@mends("`KeyError`, `ValueError` of dims, params and refs")
def errors_name_the_layer():
    model = Linear()
    for error, read in (
        (KeyError, lambda: model.get_dim("nX")),
        (ValueError, lambda: model.get_dim("nO")),
        (KeyError, lambda: model.get_param("X")),
        (KeyError, lambda: model.get_param("W")),
        (KeyError, lambda: model.get_ref("r")),
    ):
        with pytest.raises(error, match="linear"):
            read()


@mends("optional frameworks")
def frameworks_are_not_imported():
    names = "{'torch', 'tensorflow', 'mxnet', 'jax', 'cupy', 'h5py', 'onnxruntime'}"
    code = f"import sys, thinc.api; print(sorted({names} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr


@mends("`ops.asarray(x, dtype=)` of an object with `.numpy`")
def asarray_honours_the_dtype():
    class Tensor:
        def numpy(self):
            return X

    for ops in BOTH:
        assert ops.asarray(Tensor(), dtype="float64").dtype == "float64"


@mends("`minibatch`")
def sizes_of_batches():
    ops = NumpyOps()
    sizes = [len(b) for b in ops.minibatch(iter([1.0, 2.5, 2.5]), list(range(9)))]
    assert sum(sizes) == 9 and sizes[0] == 1
    assert [len(b) for b in ops.minibatch(iter([2, 3]), list(range(9)))] == [2, 3, 3, 1]
    with pytest.raises(ValueError):
        list(ops.minibatch(0, [1, 2]))


@mends("`gemm(out=)`")
def gemm_writes_into_any_array():
    W = RNG.normal(size=(4, 3)).astype("f")
    for ops in BOTH:
        wide = numpy.zeros((5, 8), dtype="f")
        ops.gemm(X, W, trans2=True, out=wide[:, ::2])
        assert_allclose(wide[:, ::2], X @ W.T, rtol=1e-5)
        assert not wide[:, 1::2].any()
        with pytest.raises(ValueError):
            ops.gemm(X, W, trans2=True, out=numpy.zeros((5, 3), "f"))


@mends("`gemm` of float64")
def gemm_in_double_precision():
    A = RNG.normal(size=(3, 4))
    for ops in BOTH:
        Y = ops.gemm(A, A, trans2=True)
        assert Y.dtype == "float64"
        assert_allclose(Y, A @ A.T, rtol=1e-13)


@mends("`relu`, `mish`, `clipped_linear` on strided views")
def activations_of_views():
    for ops in BOTH:
        for name in ("relu", "mish", "clipped_linear"):
            op = getattr(ops, name)
            assert_array_equal(op(X[:, ::2]), op(X[:, ::2].copy()))
            view = X.copy()[::2]
            assert_array_equal(op(view, inplace=True), op(X[::2].copy()))


@mends("`backprop_hard_sigmoid`, `backprop_hard_tanh`")
def backward_in_place():
    for ops in BOTH:
        for name in ("hard_sigmoid", "hard_tanh"):
            dY = numpy.ones_like(X)
            dX = getattr(ops, f"backprop_{name}")(dY, X, inplace=True)
            assert dX is dY
            expected = getattr(Ops(), f"backprop_{name}")(numpy.ones_like(X), X)
            assert_allclose(dY, expected)


@mends("`backprop_maxout`, `backprop_reduce_max`")
def indices_are_checked():
    for ops in BOTH:
        for bad in (-1, 7):
            which = numpy.full((2, 3), bad, dtype="i")
            with pytest.raises(IndexError, match=str(bad)):
                ops.backprop_maxout(X[:2], which, 3)
            with pytest.raises(IndexError, match=str(bad)):
                ops.backprop_reduce_max(X[:2], which, LENGTHS)


@mends("`backprop_reduce_*`")
def rows_are_counted():
    """One row of gradient for two sequences."""
    for ops in BOTH:
        for op in (ops.backprop_reduce_sum, ops.backprop_reduce_mean):
            with pytest.raises(ValueError):
                op(X[:1], LENGTHS)
        for op in (ops.backprop_reduce_first, ops.backprop_reduce_last):
            starts_ends = numpy.array([0, 2, 5], dtype="i")
            with pytest.raises(ValueError):
                op(X[:1], starts_ends)


@mends("`reduce_*` of no rows")
def reductions_of_nothing():
    empty = numpy.zeros((0, 3), dtype="f")
    for ops in BOTH:
        for lengths in ([], [0, 0]):
            n = numpy.array(lengths, dtype="i")
            for op in (ops.reduce_sum, ops.reduce_mean):
                assert_array_equal(op(empty, n), numpy.zeros((len(lengths), 3)))
        with pytest.raises(ValueError):
            ops.reduce_max(empty, numpy.array([0], dtype="i"))


@mends("reference `reduce_sum`, `reduce_mean`, `hash`")
def dtypes_of_the_readable_formulas():
    assert Ops().reduce_sum(X.astype("d"), LENGTHS).dtype == "float64"
    assert Ops().reduce_mean(X.astype("d"), LENGTHS).dtype == "float64"
    assert Ops().hash(numpy.arange(3, dtype="uint64"), 1).dtype == "uint32"


@mends("`ngrams` of no keys")
def no_keys_have_no_ngrams():
    for ops in BOTH:
        assert ops.ngrams(2, numpy.zeros(0, dtype="uint64")).shape == (0,)


@mends("LSTM, backward")
def gradient_of_an_lstm():
    for ops in BOTH:
        model = LSTM(4, 3, bi=True, depth=2).initialize()
        model.ops = ops
        check_gradients(model, padded(3, 1), constants=["HC0"])


@mends("LSTM, reference backend")
def lstm_of_several_sequences():
    model = LSTM(4, 3).initialize()
    model.ops = Ops()
    together = model.predict(padded(3, 2))
    for i, n in enumerate((3, 2)):
        alone = model.predict(padded(n))
        assert_allclose(together.data[:n, i], alone.data[:, 0], rtol=1e-5)


@mends("`Maxout`, `LayerNorm` and others with an empty batch")
def empty_batches():
    empty = numpy.zeros((0, 3), dtype="f")
    for model in (Maxout(4, 3, 2), LayerNorm(3), Maxout(4, 3, 2, normalize=True)):
        model.initialize()
        Y, backprop = model(empty, is_train=True)
        assert backprop(Y).shape == (0, 3)


@mends("`Dish`")
def derivative_of_dish():
    check_gradients(Dish(4, 3).initialize(), X)


@mends("`HardSigmoid`, `HardTanh`, `ReluK`")
def biases_are_initialized():
    def ones(ops, shape):
        return numpy.ones(shape, dtype="f")

    for layer in (HardSigmoid, HardTanh, ReluK):
        assert (layer(2, 3, init_b=ones).initialize().get_param("b") == 1).all()


@mends("`MultiSoftmax`")
def each_piece_is_normalized():
    Y = MultiSoftmax((2, 4), 3).initialize().predict(X)
    assert_allclose(Y[:, :2].sum(axis=1), 1, rtol=1e-6)
    assert_allclose(Y[:, 2:].sum(axis=1), 1, rtol=1e-6)


@mends("`bidirectional`")
def the_second_direction_reads_backwards():
    def previous(model, Xp, is_train):
        """Each step is given the step before."""
        data = numpy.zeros_like(Xp.data)
        data[1:] = Xp.data[:-1]
        return Padded(data, Xp.size_at_t, Xp.lengths, Xp.indices), lambda dY: dY

    Y = bidirectional(Model("previous", previous)).predict(padded(3))
    zeros = numpy.zeros((1, 3), dtype="f")
    before = numpy.concatenate([zeros, X[:2]])
    after = numpy.concatenate([X[1:3], zeros])
    assert_array_equal(Y.data[:, 0], numpy.concatenate([before, after], axis=1))


@mends("`add` on lists and Ragged")
def sums_of_sequences():
    lists = [X[:2], X]
    for Y, x in zip(add(noop(), noop()).predict(lists), lists):
        assert_array_equal(Y, 2 * x)
    Yr = add(noop(), noop()).predict(Ragged(X, LENGTHS))
    assert_array_equal(Yr.data, 2 * X)


@mends("`with_reshape`, backward")
def gradient_of_with_reshape():
    data = RNG.normal(size=(2, 4, 3))
    check_gradients(with_reshape(Linear(2, 3)).initialize(), data)


@mends("`premap_ids`, `remap_ids.v2`, backward")
def gradients_of_ids():
    ids = numpy.arange(6)
    for model in (premap_ids({0: 1}), remap_ids_v2({0: 1})):
        Y, backprop = model(ids, is_train=True)
        assert_array_equal(backprop(Y), numpy.zeros(6))


@mends("`ParametricAttention.v2` copied")
def copy_of_attention():
    model = ParametricAttention_v2(key_transform=Linear(3, 3), nO=3).initialize()
    copied = model.copy()
    assert copied.get_ref("key_transform") is copied.layers[0]
    ragged = Ragged(X, LENGTHS)
    assert_array_equal(copied.predict(ragged).data, model.predict(ragged).data)


@mends("moments of weights without a gradient")
def moments_fade_to_zero():
    tiny = numpy.full(3, 1e-45, dtype="f")
    zeros = numpy.zeros(3, dtype="f")
    _, _, mom1, mom2 = NumpyOps().adam(X[0].copy(), zeros, tiny.copy(), tiny.copy(), 0.9, 0.999, 1e-8, 0.1)
    assert not mom1.any() and not mom2.any()


@mends("GIL")
def other_threads_run_during_a_kernel():
    """A thread that counts gets on while one long product is computed."""
    A = RNG.normal(size=(1500, 1500)).astype("f")
    counted = 0
    done = threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = counted
        NumpyOps().gemm(A, A)
        during = counted - before
    finally:
        done.set()
        thread.join()
    assert during > 3
