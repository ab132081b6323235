"""Hashing, lookups, and layers made of them."""

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thinc.api import SparseLinear

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DTYPES = ["float32", "float64"]
M32, M64 = 2**32 - 1, 2**64 - 1
u64 = st.integers(0, M64)


def rotl(x, n, bits):
    return ((x << n) | (x >> (bits - n))) & ((1 << bits) - 1)


def fmix64(z):
    z = ((z ^ (z >> 33)) * 0xFF51AFD7ED558CCD) & M64
    z = ((z ^ (z >> 33)) * 0xC4CEB9FE1A85EC53) & M64
    return z ^ (z >> 33)


def murmur3_x64_128(key, seed):
    """Of 8 bytes, in Python numbers; four words of 32 bits."""
    k = (rotl((key * 0x87C37B91114253D5) & M64, 31, 64) * 0x4CF5AD432745937F) & M64
    h1, h2 = seed ^ k ^ 8, seed ^ 8
    h1 = (h1 + h2) & M64
    h2 = (h2 + h1) & M64
    h1, h2 = fmix64(h1), fmix64(h2)
    h1 = (h1 + h2) & M64
    h2 = (h2 + h1) & M64
    return [h1 & M32, h1 >> 32, h2 & M32, h2 >> 32]


def murmur3_x86_32(key, seed):
    h = seed
    for k in (key & M32, key >> 32):
        k = (rotl((k * 0xCC9E2D51) & M32, 15, 32) * 0x1B873593) & M32
        h = (rotl(h ^ k, 13, 32) * 5 + 0xE6546B64) & M32
    h ^= 8
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & M32
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & M32
    return h ^ (h >> 16)


def murmur64a(keys):
    m = 0xC6A4A7935BD1E995
    h = (8 * len(keys) * m) & M64
    for k in keys:
        k = (k * m) & M64
        k = ((k ^ (k >> 47)) * m) & M64
        h = ((h ^ k) * m) & M64
    h = ((h ^ (h >> 47)) * m) & M64
    return h ^ (h >> 47)


def ids(values):
    return numpy.array(values, dtype="uint64")


def ints(values):
    return numpy.array(values, dtype="int32")


@quick
@given(keys=st.lists(u64, max_size=9), seed=st.integers(0, M32))
def test_hash(ops, keys, seed):
    hashes = ops.hash(ids(keys), seed)
    assert hashes.dtype == "uint32" and hashes.shape == (len(keys), 4)
    assert hashes.tolist() == [murmur3_x64_128(key, seed) for key in keys]


def test_hash_known_values(ops):
    assert ops.hash(ids([0, 1]), 0).tolist() == [
        [3428303819, 685728695, 3303603794, 4065689084],
        [4211459146, 4457399, 3547175942, 1032506804],
    ]


def test_hash_refuses(ops):
    for seed in (-1, 2**32):
        with pytest.raises(OverflowError):
            ops.hash(ids([1]), seed)
    with pytest.raises(TypeError):
        ops.hash([1, 2], 0)


def test_hash_takes_any_layout(ops):
    keys = ids([1, 2, 3, 4])
    want = ops.hash(keys, 7)[::2]
    numpy.testing.assert_array_equal(ops.hash(keys[::2], 7), want)
    keys.flags.writeable = False
    numpy.testing.assert_array_equal(ops.hash(keys, 7)[::2], want)


@quick
@given(keys=st.lists(u64, max_size=8), n=st.integers(-1, 9))
def test_ngrams(ops, keys, n):
    grams = ops.ngrams(n, ids(keys))
    assert grams.dtype == "uint64"
    count = len(keys) - n + 1 if n >= 1 else 0
    assert grams.tolist() == [murmur64a(keys[i : i + n]) for i in range(count)]


@quick
@given(
    shape=st.tuples(st.integers(0, 5), st.integers(0, 4)),
    width=st.integers(0, 6),
    dtype=st.sampled_from(DTYPES),
    index_dtype=st.sampled_from(["int32", "uint32"]),
)
def test_gather_add(ops, shape, width, dtype, index_dtype):
    random = numpy.random.RandomState(0)
    table = random.normal(size=(7, width)).astype(dtype)
    indices = random.randint(0, 7, size=shape).astype(index_dtype)
    Y = ops.gather_add(table, indices)
    assert Y.shape == (shape[0], width) and Y.dtype == dtype
    want = numpy.zeros((shape[0], width))
    for i in range(shape[0]):
        for k in range(shape[1]):
            want[i] += table[indices[i, k]]
    numpy.testing.assert_allclose(Y, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("index", [-1, 7, 1000])
def test_gather_add_checks_bounds(ops, index):
    with pytest.raises(IndexError, match=str(index)):
        ops.gather_add(numpy.ones((7, 2), dtype="float32"), ints([[0, index]]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("index_dtype", ["int32", "int64"])
def test_scatter_add_accumulates(ops, dtype, index_dtype):
    table = numpy.ones((4, 2), dtype=dtype)
    values = numpy.arange(6).reshape((3, 2)).astype(dtype)
    indices = numpy.array([2, 0, 2], dtype=index_dtype)
    assert ops.scatter_add(table, indices, values) is None
    assert table.tolist() == [[3.0, 4.0], [1.0, 1.0], [5.0, 7.0], [1.0, 1.0]]


def test_scatter_add_of_minus_one(ops):
    values = numpy.ones((3, 2), dtype="float32")
    table = numpy.zeros((3, 2), dtype="float32")
    ops.scatter_add(table, ints([-1, 1, 1]), values)
    assert table.tolist() == [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0]]
    table = numpy.zeros((3, 2), dtype="float32")
    ops.scatter_add(table, numpy.array([-1, 1, 1]), values)
    assert table.tolist() == [[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]]


def test_scatter_add_into_views_and_vectors(ops):
    wide = numpy.zeros((6, 4), dtype="float32")
    ops.scatter_add(wide[::2, ::2], ints([1, 1]), numpy.ones((2, 2), dtype="float32"))
    assert wide[2].tolist() == [2.0, 0.0, 2.0, 0.0] and wide.sum() == 4.0
    vector = numpy.zeros(3, dtype="float32")
    ops.scatter_add(vector, ints([1, 1]), numpy.ones(2, dtype="float32"))
    assert vector.tolist() == [0.0, 2.0, 0.0]


@pytest.mark.parametrize("index_dtype", ["int32", "int64"])
def test_scatter_add_checks_bounds(ops, index_dtype):
    table = numpy.zeros((3, 2), dtype="float32")
    values = numpy.ones((2, 2), dtype="float32")
    with pytest.raises(IndexError, match="3"):
        ops.scatter_add(table, numpy.array([0, 3], dtype=index_dtype), values)
    assert not table.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 9])
def test_hash_embed(ops, dtype, n):
    random = numpy.random.RandomState(0)
    E = random.normal(size=(5, 3)).astype(dtype)
    keys = ids(random.randint(0, 2**62, size=n))
    cells = [[h % 5 for h in murmur3_x64_128(int(key), 3)] for key in keys]
    Y = ops.hash_embed(E, keys, 3)
    want = numpy.zeros((n, 3))
    for i, row in enumerate(cells):
        want[i] = E[row].astype("float64").sum(axis=0)
    assert Y.dtype == dtype and Y.shape == (n, 3)
    numpy.testing.assert_allclose(Y, want, rtol=1e-5, atol=1e-6)
    dY = random.normal(size=(n, 3)).astype(dtype)
    dE = numpy.ones((5, 3), dtype=dtype)
    want = numpy.ones((5, 3))
    for row, d in zip(cells, dY):
        for cell in row:
            want[cell] += d
    assert ops.backprop_hash_embed(dE, dY, keys, 3) is None
    numpy.testing.assert_allclose(dE, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32"])
@pytest.mark.parametrize("v1_indexing", [True, False])
def test_sparse_linear(ops, v1_indexing, dtype):
    nO, length = 3, 16
    random = numpy.random.RandomState(0)
    lengths = ints([2, 0, 3, 1])
    keys = ids([5, M64, 7, 5, 2**40 + 3, 0])
    values = random.normal(size=6).astype(dtype)
    W = random.normal(size=nO * length).astype(dtype)
    b = random.normal(size=nO).astype(dtype)
    dY = random.normal(size=(4, nO)).astype(dtype)
    want = numpy.tile(b.astype("float64"), (4, 1))
    want_dW = numpy.ones(nO * length)
    examples = numpy.repeat(numpy.arange(4), lengths)
    for example, key, value in zip(examples, keys.tolist(), values):
        for seed in (0, 1):
            h = murmur3_x86_32(key, seed)
            for c in range(nO):
                cell = (h & (length - 1)) + c if v1_indexing else h % length + c * length
                want[example, c] += value * W[cell]
                want_dW[cell] += value * dY[example, c]
    tail = (nO, length, v1_indexing)
    Y = ops.sparse_linear(keys, values, lengths, W, b, *tail)
    numpy.testing.assert_allclose(Y, want, rtol=1e-5, atol=1e-5)
    dW, db = numpy.ones(nO * length, dtype=dtype), numpy.ones(nO, dtype=dtype)
    assert ops.backprop_sparse_linear(dW, db, dY, keys, values, lengths, *tail) is None
    numpy.testing.assert_allclose(dW, want_dW, rtol=1e-5, atol=1e-5)
    numpy.testing.assert_allclose(db, 1 + dY.sum(axis=0), rtol=1e-5)


def test_sparse_linear_refuses(ops):
    W, b = numpy.zeros(16, dtype="float32"), numpy.zeros(1, dtype="float32")
    values = numpy.ones(2, dtype="float32")
    for lengths in ([1], [3], [-1, 3]):
        with pytest.raises(ValueError):
            ops.sparse_linear(ids([1, 2]), values, ints(lengths), W, b, 1, 16, True)


@pytest.mark.parametrize("dtypes", ["Qfi", "qfi", "Ldl", "fff", "IBh", "ddd"])
def test_sparse_linear_predicts_what_it_trains_on(dtypes):
    """A prediction converts less than a step does, and takes the same."""
    model = SparseLinear(3, length=8).initialize()
    model.set_param("W", numpy.arange(24, dtype="f"))
    X = tuple(numpy.array(part, dtype) for part, dtype in zip(([5, 7, 5], [1, 2, 1], [2, 1]), dtypes))
    Y, _ = model.begin_update(X)
    assert numpy.array_equal(model.predict(X), Y) and Y.any()
