"""Numbers recorded from earlier releases, replayed through every CPU backend."""

import numpy
import pytest

from tests.shared import needs_shared, vectors

pytestmark = needs_shared

READS = {"relu": "Y", "sigmoid": "Y", "swish": "XY"}


def same(got, want, rtol=1e-5, atol=1e-6):
    assert got.shape == want.shape
    if want.dtype.kind == "f":
        assert got.dtype == want.dtype
        numpy.testing.assert_allclose(got, want, rtol=rtol, atol=atol)
    else:
        assert got.dtype.kind == want.dtype.kind
        numpy.testing.assert_array_equal(got, want)


def parse(op):
    """'mish(threshold=5)' -> 'mish', {'threshold': 5.0}"""
    name, _, rest = op.partition("(")
    pairs = (part.split("=") for part in rest.rstrip(")").split(",") if part)
    return name, {key: float(value) for key, value in pairs}


@pytest.mark.parametrize("case", vectors("activations"), ids=lambda case: f"{case['op']}-{case['dtype']}")
def test_activations(ops, case):
    X = case["X"]
    # The recorded erf was an approximation, good to 1.4e-7, times |x| in gelu.
    atol = 3e-6
    if case["op"].startswith("dsigmoid"):
        same(ops.dsigmoid(ops.sigmoid(X)), case["Y"])
        return
    if case["op"].startswith("dtanh"):
        same(ops.dtanh(numpy.tanh(X)), case["Y"])
        return
    name, kwargs = parse(case["op"])
    Y = getattr(ops, name)(X, **kwargs)
    same(Y, case["Y"], atol=atol)
    if "dX" in case:
        saved = [{"X": X, "Y": Y}[key] for key in READS.get(name, "X")]
        dX = getattr(ops, "backprop_" + name)(case["dY"], *saved, **kwargs)
        same(dX, case["dX"], atol=atol)


@pytest.mark.parametrize("case", vectors("maxout"))
def test_maxout(ops, case):
    best, which = ops.maxout(case["X"])
    same(best, case["best"])
    same(which, case["which"])
    same(ops.backprop_maxout(case["dY"], case["which"], case["P"]), case["dX"])


@pytest.mark.parametrize("case", vectors("seq2col"))
def test_seq2col(ops, case):
    nW, lengths = case["nW"], case["lengths"]
    same(ops.seq2col(case["X"], nW, lengths=lengths), case["Y"])
    same(ops.backprop_seq2col(case["dY"], nW, lengths=lengths), case["dX"])


@pytest.mark.parametrize("case", vectors("reductions"))
def test_reductions(ops, case):
    X, lengths, dY = case["X"], case["lengths"], case["dY"]
    for name in ("sum", "mean"):
        same(getattr(ops, "reduce_" + name)(X, lengths), case[name])
        dX = getattr(ops, "backprop_reduce_" + name)(dY, lengths)
        same(dX, case["backprop_" + name])
    if "max" not in case:
        return
    Y, which = ops.reduce_max(X, lengths)
    same(Y, case["max"])
    same(which, case["max_which"])
    same(ops.backprop_reduce_max(dY, which, lengths), case["backprop_max"])
    for name, record in (("first", "first_starts_ends"), ("last", "last_lasts")):
        Y, index = getattr(ops, "reduce_" + name)(X, lengths)
        same(Y, case[name])
        same(index, case[record])
        dX = getattr(ops, "backprop_reduce_" + name)(dY, index)
        same(dX, case["backprop_" + name])


def test_hash_and_ngrams(ops):
    cases = vectors("hash_ngrams")
    for case in cases["hash"]:
        same(ops.hash(case["ids"], case["seed"]), case["keys"])
    for case in cases["ngrams"]:
        same(ops.ngrams(case["n"], case["keys"]), case["out"])


def test_lists_of_sequences(ops):
    cases = vectors("padding")
    case = cases["list2padded"]
    padded = ops.list2padded(case["seqs"])
    for name in ("data", "size_at_t", "lengths", "indices"):
        same(getattr(padded, name), case[name])
    lists = [(ops.padded2list(padded), case["padded2list"])]
    for case in cases["pad"]:
        same(ops.pad(case["seqs"], case["round_to"]), case["out"])
    case = cases["unpad"]
    lists.append((ops.unpad(case["padded"], case["lengths"]), case["out"]))
    for case in cases["flatten"]:
        flat = ops.flatten(case["seqs"], pad=case["pad"])
        same(flat, case["out"])
        lengths = numpy.array([len(seq) for seq in case["seqs"]])
        back = ops.unflatten(flat, lengths, pad=case["pad"])
        lists.append((back, case["unflatten"]))
    for got, want in lists:
        assert len(got) == len(want)
        for one, other in zip(got, want):
            same(one, other)


def test_training(ops):
    cases = vectors("optim")
    for case in cases["adam_base" if ops.name == "base" else "adam_numpy"]:
        names = ("weights", "gradient", "mom1", "mom2")
        arrays = [case[name].copy() for name in names]
        hyper = [case[key] for key in ("beta1", "beta2", "eps", "learn_rate")]
        result = ops.adam(*arrays, *hyper)
        for name, array, returned in zip(names, arrays, result):
            assert returned is array
            same(array, case["out_" + name])
    for case in cases["update_averages"]:
        ema = case["ema"].copy()
        ops.update_averages(ema, case["weights"], case["t"])
        same(ema, case["out"])
    for case in cases["clip_gradient"]:
        gradient = ops.clip_gradient(case["gradient"].copy(), case["threshold"])
        same(gradient, case["out"])


@pytest.mark.parametrize("case", vectors("lstm"))
def test_lstm(ops, case):
    args = [case[key] for key in ("params", "H0", "C0", "X", "size_at_t")]
    Y, state = ops.lstm_forward_training(*args)
    same(Y, case["Y"], atol=1e-5)
    same(ops.lstm_forward_inference(*args), case["Y"], atol=1e-5)
    for got, name in zip(state, ("state_Y", "state_G", "state_C")):
        same(got, case[name], atol=1e-5)
    dX, d_params = ops.backprop_lstm(case["dY"].copy(), case["size_at_t"], case["params"], state)
    numpy.testing.assert_allclose(dX, case["true_dX"], rtol=1e-3, atol=1e-5)
    numpy.testing.assert_allclose(d_params, case["true_dparams"], rtol=1e-3, atol=1e-5)


def test_products_and_lookups(ops):
    cases = vectors("misc")
    for case in cases["gemm"]:
        trans = {"trans1": case["trans1"], "trans2": case["trans2"]}
        same(ops.gemm(case["x"], case["y"], **trans), case["out"])
    case = cases["affine"]
    same(ops.affine(case["X"], case["W"], case["b"]), case["out"])
    for case in cases["gather_add"]:
        same(ops.gather_add(case["table"], case["indices"]), case["out"])
    for case in cases["scatter_add_into_zeros_3x2"]:
        table = numpy.zeros((3, 2), dtype="float32")
        ops.scatter_add(table, case["indices"], case["values"])
        same(table, case["out"])


def test_softmax_and_positions(ops):
    cases = vectors("misc")
    for case in cases["softmax"]:
        kwargs = {"axis": case["axis"], "temperature": case["temperature"]}
        same(ops.softmax(case["X"], **kwargs), case["Y"])
        same(ops.backprop_softmax(case["Y"], case["dY"], **kwargs), case["dX"])
    for case in cases["softmax_sequences"]:
        lengths = case["lengths"]
        same(ops.softmax_sequences(case["X"], lengths), case["Y"])
        dX = ops.backprop_softmax_sequences(case["dY"], case["Y"], lengths)
        same(dX, case["dX"])
    for case in cases["position_encode"]:
        Y = ops.position_encode(case["N"], case["D"], case["period"])
        same(Y, case["out"])


def test_random_draws(ops):
    cases = vectors("misc")
    numpy.random.seed(0)
    mask = ops.get_dropout_mask((3, 4), 0.3)
    same(mask, cases["dropout_mask_seed0_shape_3x4_drop0.3"])
    for case in cases["minibatch_range8"]:
        numpy.random.seed(case["seed"])
        sizes = case["sizes"]
        batches = ops.minibatch(
            sizes if isinstance(sizes, int) else iter(sizes), list(range(8)), shuffle=case["shuffle"]
        )
        assert len(batches) == case["len"]
        for key in ("first_pass", "second_pass"):
            assert [list(map(int, batch)) for batch in batches] == case[key]


def test_bytes(ops):
    X = numpy.array([1.5, -2.0, 0.25])
    for case in vectors("misc")["to_numpy"]:
        got = ops.to_numpy(X, byte_order=case["byte_order"]).tobytes().hex()
        assert got == case["itembytes_hex"]
