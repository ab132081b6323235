"""Quantized models: sizes, numbers, refusals, files."""

import copy
import pickle
import warnings

import numpy
import pytest
from thinc.backends._kernels.levels import isa_levels, isa_name, use_isa

import thinc.quantize
from thinc.api import (
    LSTM,
    Adam,
    CauchySimilarity,
    ClippedLinear,
    Dish,
    Embed,
    Gelu,
    HardSigmoid,
    HardSwish,
    HardSwishMobilenet,
    HashEmbed,
    LayerNorm,
    Linear,
    Maxout,
    Mish,
    Model,
    MultiSoftmax,
    NumpyOps,
    Ops,
    ParametricAttention,
    ParametricAttention_v2,
    Ragged,
    Relu,
    Sigmoid,
    Softmax,
    Softmax_v2,
    SparseLinear,
    Swish,
    chain,
    concatenate,
    fix_random_seed,
    kept_float,
    list2padded,
    padded2list,
    quantize,
    quantize_rule,
    residual,
    set_num_threads,
    use_ops,
    with_array,
    with_padded,
)
from thinc.backends._quantized import LEAST, int8_product, split_int8_rows, to_int8_rows

KINDS = ["float16", "int8"]
SIZES = [1, 3, 17, 127]


@pytest.fixture(params=isa_levels())
def level(request):
    before = isa_name()
    use_isa(request.param)
    yield request.param
    use_isa(before)


def normal(*shape, seed=0):
    return numpy.random.RandomState(seed).normal(size=shape).astype("float32")


def perceptron():
    return chain(Relu(768, 384), Relu(768, 768), Linear(384, 768))


# ---- the numbers


def test_int8_rows_hold_their_numbers_to_half_a_step():
    W = normal(5, 3, 17)
    W[0, 0] = 0
    numbers, scale = split_int8_rows(numpy, to_int8_rows(numpy, W))
    assert numbers.dtype == "int8" and numbers.shape == W.shape and scale.shape == (5, 3)
    numpy.testing.assert_array_equal(scale, abs(W).max(axis=-1) / numpy.float32(127))
    assert abs(numbers * scale[..., None] - W).max() <= scale.max() / 2 * (1 + 1e-6)
    assert abs(numbers).max() == 127 and not numbers[0, 0].any()


def by_hand(X, W, b):
    """The formula of int8.hh, number by number."""
    f = numpy.float32
    Y = numpy.zeros((len(X), len(W)), "float32")
    for n, x in enumerate(X):
        largest = max([abs(v) for v in x], default=f(0))
        step = f(largest) / f(127)
        q = [round(float(f(v) * (f(127) / f(largest)))) if largest else 0 for v in x]
        for o, row in enumerate(W):
            w, scale = row[:-4], row[-4:].view("<f4")[0]
            total = sum(int(a) * int(c) for a, c in zip(q, w))
            Y[n, o] = f(total) * (step * scale) + b[o]
    return Y


@pytest.mark.parametrize("N,I,O", [(1, 1, 1), (3, 17, 5), (6, 127, 3), (2, 0, 3), (0, 3, 2)])
def test_int8_product_by_hand(level, N, I, O):  # noqa: E741
    X, W, b = normal(N, I), to_int8_rows(numpy, normal(O, I, seed=1)), normal(O, seed=2)
    want = by_hand(X, W, b)
    numpy.testing.assert_array_equal(NumpyOps().affine(X, W, b), want)
    numpy.testing.assert_array_equal(Ops().affine(X, W, b), want)


@pytest.mark.parametrize("N", [1, 2, 5, 13, 97])
@pytest.mark.parametrize("I", [*SIZES, 64, 300, 1031])
def test_int8_bits_are_those_of_the_readable_formula(level, N, I):  # noqa: E741
    for O in (1, 4, 9, 130):  # noqa: E741
        X, b = normal(N, I, seed=N), normal(O, seed=O)
        W = to_int8_rows(numpy, normal(O, I, seed=I))
        W[0, : min(I, 2)] = -128  # no number of ours, but one that a file may hold
        whole = NumpyOps().affine(X, W, b)
        assert whole.tobytes() == Ops().affine(X, W, b).tobytes()
        for start, stop in ((0, 1), (N // 2, N), (N - 1, N)):
            assert NumpyOps().affine(X[start:stop], W, b).tobytes() == whole[start:stop].tobytes()


@pytest.mark.parametrize("N", [1, 2, 5, 13, 97])
@pytest.mark.parametrize("I", [*SIZES, 64, 300, 1031])
def test_half_weights_give_the_bits_of_widened_ones(level, N, I):  # noqa: E741
    ops = NumpyOps()
    for O in (1, 9, 35, 130):  # noqa: E741
        X, W, b = normal(N, I), normal(O, I, seed=1).astype("float16"), normal(O, seed=2)
        wide = W.astype("float32")
        assert ops.affine(X, W, b).tobytes() == ops.affine(X, wide, b).tobytes()
        pieces = W[: O // 3 * 3].reshape((-1, 3, I))
        bias = b[: O // 3 * 3].reshape((-1, 3))
        for got, want in zip(ops.affine_maxout(X, pieces, bias), ops.affine_maxout(X, pieces.astype("f"), bias)):
            assert got.tobytes() == want.tobytes()


def test_every_half_is_widened_exactly(level):
    halves = numpy.arange(2**16, dtype="uint16").view("float16").reshape((-1, 64))
    rows = numpy.arange(len(halves), dtype="int32").reshape((-1, 1))
    with numpy.errstate(invalid="ignore"):  # NumPy's cast of a signalling NaN on arm64
        want = halves.astype("float32")
    numpy.testing.assert_array_equal(NumpyOps().gather_add(halves, rows), want)


@pytest.mark.parametrize("op", ["affine", "maxout"])
def test_rows_of_int8_products_at_the_edges(level, op):
    """Zeros give the bias, infinity and NaN a row of NaN, tiny numbers zeros; other rows do not care."""
    X = normal(7, 33)
    X[0], X[1, 5], X[2, 32], X[3, 0] = 0, numpy.inf, numpy.nan, -numpy.inf
    X[4] *= LEAST / 1e3
    X[5] *= numpy.float32(3e38) / abs(X[5]).max()
    W, b = to_int8_rows(numpy, normal(6, 33, seed=1) / 100), normal(6, seed=2)
    with numpy.errstate(over="ignore", invalid="ignore"):
        if op == "affine":
            Y, want, at_zero = NumpyOps().affine(X, W, b), Ops().affine(X, W, b), b
        else:
            Y = NumpyOps().affine_maxout(X, W.reshape((3, 2, -1)), b.reshape((3, 2)))[0]
            want = Ops().affine_maxout(X, W.reshape((3, 2, -1)), b.reshape((3, 2)))[0]
            at_zero = b.reshape((3, 2)).max(axis=1)
    numpy.testing.assert_array_equal(Y, want)
    numpy.testing.assert_array_equal(Y[0], at_zero)
    numpy.testing.assert_array_equal(Y[4], at_zero)
    assert numpy.isnan(Y[1:4]).all() and numpy.isfinite(Y[5:]).all()


@pytest.mark.parametrize("I", [12 * 1024, 12 * 1024 + 1])
def test_the_longest_rows(level, I):  # noqa: E741
    """The first by a kernel, the second by the readable formula."""
    X, W, b = numpy.ones((5, I), "float32"), to_int8_rows(numpy, -numpy.ones((3, I))), numpy.zeros(3, "float32")
    numpy.testing.assert_allclose(NumpyOps().affine(X, W, b), -float(I), rtol=1e-6)
    numpy.testing.assert_array_equal(NumpyOps().affine(X, W, b), int8_product(numpy, X, W))


def test_other_layouts_of_x(level):
    X, W, b = normal(9, 17), to_int8_rows(numpy, normal(5, 17)), normal(5)
    want = NumpyOps().affine(X, W, b)
    wide = numpy.zeros((18, 34), "float32")
    wide[::2, ::2] = X
    for other in (X.astype("float64"), wide[::2, ::2], numpy.asfortranarray(X), X.astype(">f4")):
        numpy.testing.assert_array_equal(NumpyOps().affine(other, W, b), want)


# ---- the layers


def ragged(width):
    return Ragged(normal(9, width), numpy.array([4, 0, 5], "int32"))


LAYERS = {
    "Linear": lambda: (Linear(17, 127), normal(5, 127)),
    "Relu": lambda: (Relu(17, 127, normalize=True), normal(5, 127)),
    "Sigmoid": lambda: (Sigmoid(3, 17), normal(5, 17)),
    "Swish": lambda: (Swish(17, 3), normal(5, 3)),
    "Gelu": lambda: (Gelu(17, 127), normal(5, 127)),
    "Mish": lambda: (Mish(17, 127), normal(5, 127)),
    "Dish": lambda: (Dish(17, 127), normal(5, 127)),
    "HardSwish": lambda: (HardSwish(17, 127), normal(5, 127)),
    "HardSwishMobilenet": lambda: (HardSwishMobilenet(17, 127), normal(5, 127)),
    "ClippedLinear": lambda: (ClippedLinear(17, 127), normal(5, 127)),
    "HardSigmoid": lambda: (HardSigmoid(17, 127), normal(5, 127)),
    "Softmax": lambda: (Softmax(17, 127), normal(5, 127)),
    "Softmax_v2": lambda: (Softmax_v2(17, 127, temperature=2.0), normal(5, 127)),
    "MultiSoftmax": lambda: (MultiSoftmax((3, 5), 17), normal(5, 17)),
    "Maxout": lambda: (Maxout(17, 127, 3), normal(5, 127)),
    "Maxout normalized": lambda: (Maxout(17, 127, 2, normalize=True, dropout=0.2), normal(5, 127)),
    "Embed": lambda: (Embed(17, 127), numpy.array([0, 126, 3, 3], "int32")),
    "HashEmbed": lambda: (HashEmbed(17, 127, seed=3), numpy.arange(9, dtype="uint64")),
    "LSTM": lambda: (chain(list2padded(), LSTM(6, 5, bi=True, depth=2), padded2list()), [normal(4, 5), normal(2, 5)]),
    "ParametricAttention": lambda: (ParametricAttention(17), ragged(17)),
    "ParametricAttention_v2": lambda: (ParametricAttention_v2(key_transform=Relu(17, 17), nO=17), ragged(17)),
}


def built(name):
    fix_random_seed(0)
    model, X = LAYERS[name]()
    model.initialize()
    for node in model.walk():  # (some begin with zeros)
        for key in node.param_names:
            array = node.get_param(key)
            node.set_param(key, array + normal(*array.shape, seed=5) * numpy.float32(0.2))
    return model, X


def rows_of(Y):
    return numpy.concatenate(Y) if isinstance(Y, list) else Y.dataXd if isinstance(Y, Ragged) else Y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, kind):
    model, X = built(name)
    before = model.to_bytes()
    small = quantize(model, kind)
    assert model.to_bytes() == before and kept_float(small) == []
    want, got = rows_of(model.predict(X)), rows_of(small.predict(X))
    assert got.dtype == "float32" and got.shape == want.shape
    error = numpy.linalg.norm(got - want) / numpy.linalg.norm(want)
    assert 0 < error < (2e-3 if kind == "float16" else 0.03)
    # Every matrix is narrow, and so are the files.
    narrow = [a.dtype == kind for node in small.walk() for key, a in params_of(node) if key in ("W", "E", "Q", "LSTM")]
    assert narrow and all(narrow)
    with use_ops("numpy"):
        same_bits(small, kind, name, X)


def params_of(node):
    return [(key, node.get_param(key)) for key in node.param_names]


def same_bits(small, kind, name, X):
    want = rows_of(small.predict(X)).tobytes()
    fresh = [quantize(LAYERS[name]()[0], kind) for _ in range(2)]
    others = [small.copy(), copy.deepcopy(small), pickle.loads(pickle.dumps(small))]
    others.append(fresh[0].from_bytes(small.to_bytes()))
    for other in others:
        assert rows_of(other.predict(X)).tobytes() == want
        with pytest.raises(ValueError, match="quantized to"):
            other.begin_update(X)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_safetensors(name, kind, tmp_path):
    model, X = built(name)
    small = quantize(model, kind)
    small.to_safetensors(tmp_path / "model")
    for mmap in (True, False):
        other = quantize(LAYERS[name]()[0], kind).from_safetensors(tmp_path / "model", mmap=mmap)
        assert rows_of(other.predict(X)).tobytes() == rows_of(small.predict(X)).tobytes()


CONFIG = """
[model]
@layers = "chain.v1"

[model.*.maxout]
@layers = "Maxout.v1"
nO = 7
nI = 33
normalize = true

[model.*.linear]
@layers = "Linear.v1"
%s
"""


@pytest.mark.parametrize("sizes", ["nO = 5\nnI = 7", ""])  # parameters are there when the config is read, or not
@pytest.mark.parametrize("parts", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_load_by_its_path_alone(kind, parts, sizes, tmp_path):
    maxout, linear = Maxout(7, 33, normalize=True), Linear(5, 7)
    trained = chain(maxout, linear).initialize()
    small = quantize(trained, kind) if not parts else chain(maxout, quantize(linear, kind))
    small.to_safetensors(tmp_path / "model", metadata={"config": CONFIG % sizes})
    X = normal(4, 33)
    for mmap in (True, False):
        loaded = thinc.load(tmp_path / "model", mmap=mmap)
        assert loaded.predict(X).tobytes() == small.predict(X).tobytes()
        assert loaded.model.to_bytes() == small.to_bytes()
        stored = sorted(A.dtype.name for node in loaded.model.walk() for key, A in params_of(node) if key == "W")
        assert stored == sorted(["float32" if parts else kind, kind])
        with pytest.raises(ValueError, match=f"'linear' is quantized to {kind}"):
            loaded.model.layers[1].begin_update(X[:, :7])


def test_load_of_what_this_thinc_cannot_quantize(tmp_path):
    small = quantize(chain(Maxout(7, 33, normalize=True), Linear(5, 7)).initialize(), "int8")
    small.layers[1]._func.quantized = "int3"
    small.to_safetensors(tmp_path / "model", metadata={"config": CONFIG % ""})
    with pytest.raises(ValueError, match="'linear' has no rule for 'int3'"):
        thinc.load(tmp_path / "model")
    small.layers[1]._func.quantized = 8
    small.to_safetensors(tmp_path / "model", metadata={"config": CONFIG % ""})
    with pytest.raises(ValueError, match="describes no layers"):
        thinc.load(tmp_path / "model")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LAYERS)
def test_compiled_layers_are_readable_ones(name, kind, level):
    model, X = built(name)
    fast = quantize(model, kind)
    readable = fast.copy()
    for node in readable.walk():
        node.ops = Ops()
    tight = 1e-5 if kind == "float16" or "LSTM" not in name else 1e-2  # where a rounding turns, a step of 8 bits
    numpy.testing.assert_allclose(rows_of(fast.predict(X)), rows_of(readable.predict(X)), rtol=tight, atol=tight)


@pytest.mark.parametrize("kind", KINDS)
def test_any_split_of_a_batch_on_every_level(kind):
    fix_random_seed(0)
    small = quantize(chain(Maxout(33, 127, 3), residual(Relu(33, 33)), Linear(5, 33)).initialize(), kind)
    X, found, before = normal(97, 127), set(), isa_name()
    try:
        for isa in isa_levels():
            use_isa(isa)
            whole = small.predict(X)
            for size in (1, 3, 50):
                parts = [small.predict(X[i : i + size]) for i in range(0, 97, size)]
                assert numpy.concatenate(parts).tobytes() == whole.tobytes()
            if kind == "int8" or isa != "base":  # (which has no fused multiply-add)
                found.add(whole.tobytes())
    finally:
        use_isa(before)
    assert len(found) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_nothing(kind):
    fix_random_seed(0)
    layers = (
        Maxout(96, 384, 3, normalize=True),
        Maxout(96, 96, 2),
        with_padded(LSTM(96, 96)),
        with_array(Linear(5, 96)),
    )
    small = quantize(chain(with_array(layers[0]), with_array(layers[1]), *layers[2:]).initialize(), kind)
    X = [normal(length, 384, seed=length) for length in range(1, 80)]
    alone = rows_of(small.predict(X)).tobytes()
    set_num_threads(2)
    try:
        assert rows_of(small.predict(X)).tobytes() == alone
    finally:
        set_num_threads(1)


def test_perceptron_is_as_small_and_exact_as_promised():
    fix_random_seed(0)
    model = perceptron().initialize()
    X = normal(64, 384)
    want, size = model.predict(X), len(model.to_bytes())
    half, int8 = quantize(model, "float16"), quantize(model, "int8")
    assert len(half.to_bytes()) <= 0.51 * size and len(int8.to_bytes()) <= 0.27 * size
    assert abs(half.predict(X) - want).max() <= 1e-3
    assert numpy.linalg.norm(int8.predict(X) - want) <= 0.02 * numpy.linalg.norm(want)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_nothing(kind):
    assert quantize(Embed(5, 7).initialize(), kind).predict(numpy.zeros(0, "int32")).shape == (0, 5)
    assert quantize(HashEmbed(5, 7).initialize(), kind).predict(numpy.zeros(0, "uint64")).dtype == "float32"
    assert quantize(Linear(5, 7).initialize(), kind).predict(numpy.zeros((0, 0), "float32")).shape == (0, 5)
    tagger = chain(with_array(HashEmbed(5, 7)), with_array(Softmax(3, 5))).initialize()
    assert quantize(tagger, kind).predict([]) == []


# ---- what cannot be, and the way out


def test_refusals():
    model = Linear(3, 2).initialize()
    with pytest.raises(ValueError, match="expected one of 'float16', 'int8', got 'int4'"):
        quantize(model, "int4")
    small = quantize(model, "int8")
    with pytest.raises(ValueError, match="layer 'linear' is quantized to int8 already"):
        quantize(chain(small, Linear(2, 3)), "float16")
    with pytest.raises(ValueError, match="Layer 'linear' is quantized to int8: it predicts.*Train the model that"):
        small.begin_update(normal(1, 2))
    with pytest.raises(ValueError, match="cannot be trained"):
        small(normal(1, 2), False)[1](normal(1, 3))
    with pytest.raises(ValueError, match="Initialize the model before quantize"):
        small.initialize()
    with pytest.raises(ValueError, match="expected shape"):
        small.from_bytes(model.to_bytes())
    with pytest.raises(ValueError):
        Linear(3, 2).from_bytes(small.to_bytes())
    with pytest.warns(UserWarning):  # nothing of it has a gradient
        small.finish_update(Adam())


@pytest.mark.parametrize("value,kind", [("nan", "int8"), ("inf", "float16"), ("7e4", "float16")])
def test_weights_that_cannot_be_stored(value, kind):
    model = chain(Relu(3, 2), Linear(3, 3)).initialize()
    model.layers[1].get_param("W")[1, 2] = float(value)
    with pytest.raises(ValueError, match=f"parameter 'W' of layer 'linear' has a .*, which {kind} cannot hold"):
        quantize(model, kind)


def scaled_forward(model, X, is_train):
    return model.ops.affine(X, model.get_param("M"), model.get_param("b")) * 2, lambda dY: dY


def Scaled():
    return Model("scaled", scaled_forward, params={"M": normal(3, 5), "b": normal(3)})


def test_layers_without_a_rule_stay_float_and_are_named(monkeypatch):
    monkeypatch.setattr(thinc.quantize, "_RULES", dict(thinc.quantize._RULES))
    model = chain(concatenate(Linear(2, 5), Scaled()), LayerNorm(5)).initialize()
    with pytest.warns(UserWarning, match=r"1 layer\(s\) stay float. layers.0.layers.1 'scaled': .* has no rule"):
        small = quantize(model, "int8")
    assert [(each.path, each.name) for each in kept_float(small)] == [("layers.0.layers.1", "scaled")]
    assert small.layers[0].layers[1].get_param("M").dtype == "float32"

    quantize_rule(scaled_forward, "M")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small = quantize(model, "int8")
    assert small.layers[0].layers[1].get_param("M").shape == (3, 9)
    X = normal(4, 5)
    numpy.testing.assert_allclose(small.predict(X), model.predict(X), rtol=0.1, atol=0.1)


def test_other_layers_that_stay_float():
    wide = Linear(2, 12 * 1024 + 1).initialize()
    with pytest.warns(UserWarning, match="its rows have more than 12288 numbers"):
        assert quantize(wide, "int8").get_param("W").dtype == "float32"
    assert quantize(wide, "float16").get_param("W").dtype == "float16"
    with pytest.warns(UserWarning, match="sparselinear"):
        quantize(SparseLinear(2).initialize(), "int8")
    assert kept_float(quantize(CauchySimilarity(3).initialize(), "int8")) == []
    double = Linear(2, 3).initialize()
    for name in ("W", "b"):
        double.set_param(name, double.get_param(name).astype("float64"))
    with pytest.warns(UserWarning, match="'W' is float64, and float32 is expected"):
        quantize(double, "int8")


@pytest.mark.parametrize("kind", KINDS)
def test_summary_and_export(kind):
    pytest.importorskip("onnx")
    from thinc.export import ExportError, to_onnx

    small = quantize(chain(Maxout(5, 3, normalize=True), Linear(2, 5)).initialize(), kind)
    text = str(small.summary(normal(4, 3)))
    assert "maxout" in text and "linear" in text
    with pytest.raises(ExportError, match=f"is quantized to {kind}. Export the model that quantize"):
        to_onnx(small, "unused.onnx", X=normal(4, 3))


@pytest.mark.parametrize("use_blis", [True, False])
@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "bool", "float64", ">f4"])
@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_inputs_of_other_types_are_right_or_refused(kind, dtype, use_blis):
    with use_ops("numpy", use_blis=use_blis):
        model = quantize(chain(Relu(7, 5), Linear(3, 7)).initialize(), kind)
        X = (numpy.arange(20).reshape(4, 5) % 3).astype(dtype)
        want = model.predict(X.astype("float32"))
        try:
            got = model.predict(X)
        except ValueError as error:
            assert dtype in str(error) and "astype" in str(error)
        else:
            numpy.testing.assert_allclose(got, want, atol=1e-5)
