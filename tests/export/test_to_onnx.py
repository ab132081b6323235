"""What `to_onnx` promises beside equal numbers: files, names, refusals, layers of users, graphs inside graphs."""

import os
import sys

import numpy
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is missing")
onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from tests.export.test_rules import run, session_of  # noqa: E402
from thinc.api import (  # noqa: E402
    LSTM,
    CauchySimilarity,
    Embed,
    HashEmbed,
    LayerNorm,
    Linear,
    Maxout,
    Model,
    OnnxWrapper,
    Padded,
    ParametricAttention,
    Ragged,
    Relu,
    Softmax,
    chain,
    clone,
    concatenate,
    expand_window,
    list2ragged,
    map_list,
    noop,
    reduce_max,
    reduce_mean,
    reduce_sum,
    residual,
    siamese,
    strings2arrays,
    with_array,
    with_padded,
)
from thinc.export import ExportError, onnx_rule, split_features, to_onnx, write  # noqa: E402
from thinc.export.graph import _RULES  # noqa: E402
from thinc.export.values import feeds, value_of  # noqa: E402

RNG = numpy.random.RandomState(0)
X = RNG.normal(size=(7, 5)).astype("f")


def dense(*widths):
    model = chain(*[Relu(nO, nI) for nI, nO in zip(widths, widths[1:])], noop())
    return model.initialize()


def outputs_of(path, **inputs):
    return session_of(path).run(None, inputs)


def lists(*lengths, width=5):
    return [RNG.normal(size=(n, width)).astype("f") for n in lengths]


# What is written


def test_the_numbers_are_those_of_the_formula(tmp_path):
    model = chain(Linear(4, 5), LayerNorm(4), Softmax(3, 4)).initialize()
    linear, norm, softmax = model.layers
    softmax.set_param("W", RNG.normal(size=(3, 4)).astype("f"))
    exported = to_onnx(model, tmp_path / "model.onnx", X)
    A = X @ linear.get_param("W").T + linear.get_param("b")
    A = (A - A.mean(1, keepdims=True)) / A.std(1, keepdims=True)
    scores = numpy.exp(A @ softmax.get_param("W").T)
    expected = scores / scores.sum(1, keepdims=True)
    (Y,) = outputs_of(exported.path, X=X)
    numpy.testing.assert_allclose(Y, expected, atol=1e-5)
    assert exported.difference < 1e-6 and exported.data_path is None
    assert exported.inputs == {"X": ("float32", ("N", 5))}
    assert exported.outputs == {"Y": ("float32", ("N", 3))}


def test_inputs_follow_the_kind_of_the_sample(tmp_path):
    """The array of a Padded, say, with its lengths; a size that may vary is a name."""
    layer = with_array(noop())
    arrays = lists(2, 1)
    padded = layer.ops.list2padded(arrays)
    pair = (X, numpy.zeros((3, 2), dtype="uint64"))
    cases = [
        (X, {"X": ("N", 5)}),
        (arrays, {"X": ("N", 5), "X_lengths": ("B",)}),
        (Ragged(X, numpy.array([3, 4], "i")), {"X": ("N", 5), "X_lengths": ("B",)}),
        (padded, {"X": ("T", "B", 5), "X_lengths": ("B",), "X_indices": ("B",)}),
        (pair, {"X0": ("0_N", 5), "X1": ("1_N", 2)}),
    ]
    for sample, shapes in cases:
        model = noop() if isinstance(sample, tuple) else layer
        exported = to_onnx(model, tmp_path / "model.onnx", sample)
        assert {name: shape for name, (_, shape) in exported.inputs.items()} == shapes
        inputs = session_of(exported.path).get_inputs()
        assert {node.name: tuple(node.shape) for node in inputs} == shapes
        assert [node.name for node in session_of(exported.path).get_outputs()] == [n.replace("X", "Y") for n in shapes]


def test_each_layer_is_a_node_named_by_its_path(tmp_path):
    model = chain(clone(residual(chain(expand_window(1), Maxout(5, 15, 2, normalize=True))), 2), Softmax(3, 5))
    model.initialize(X)
    for node in model.walk():
        node.name = "a name that nobody looks at"
    exported = to_onnx(model, tmp_path / "model.onnx", X)
    graph = onnx.load(exported.path).graph
    assert [(node.op_type, node.domain, node.name) for node in graph.node] == [
        (name, domain, path)
        for i in range(2)
        for name, domain, path in (
            ("ExpandWindow", "thinc", f"chain/0.chain/{i}.residual/0.chain/0.expand_window"),
            ("Maxout", "thinc", f"chain/0.chain/{i}.residual/0.chain/1.maxout/0.maxout"),
            ("LayerNorm", "thinc", f"chain/0.chain/{i}.residual/0.chain/1.maxout/1.layernorm"),
            ("Sum", "", f"chain/0.chain/{i}.residual"),
        )
    ] + [("Softmax", "thinc", "chain/1.softmax"), ("Identity", "", "Y")]
    names = {tensor.name for tensor in graph.initializer}
    assert {"chain/1.softmax/W", "chain/0.chain/1.residual/0.chain/1.maxout/1.layernorm/G"} <= names
    assert len(onnx.load(exported.path).functions) == 4  # one for each kind of layer


def test_a_layer_that_is_used_twice_has_its_weights_once(tmp_path):
    model = siamese(Linear(4, 5), CauchySimilarity(4)).initialize()
    exported = to_onnx(model, tmp_path / "model.onnx", (X, 2 * X))
    graph = onnx.load(exported.path).graph
    assert [node.name for node in graph.node][:2] == ["siamese/0.linear", "siamese/0.linear#2"]
    assert [tensor.name for tensor in graph.initializer] == [
        "siamese/0.linear/W",
        "siamese/0.linear/b",
        "siamese/1.cauchysimilarity/W",
    ]


def test_metadata_and_versions(tmp_path):
    for opset, ir in ((18, 8), (20, 9), (21, 10)):
        exported = to_onnx(dense(5, 2), tmp_path / "m.onnx", X, opset=opset, metadata={"config": "[model]\nä"})
        proto = onnx.load(exported.path)
        assert {prop.key: prop.value for prop in proto.metadata_props}["config"] == "[model]\nä"
        assert (proto.producer_name, proto.ir_version) == ("thinc", ir)
    for opset in (17, onnx.defs.onnx_opset_version() + 1):
        with pytest.raises(ExportError, match=f"expected an opset from 18 to .*got {opset}"):
            to_onnx(dense(5, 2), tmp_path / "n.onnx", X, opset=opset)


def test_nothing_is_tried_without_check(tmp_path):
    assert to_onnx(dense(5, 2), tmp_path / "m.onnx", X, check=False).difference is None


# Hashes


@pytest.mark.parametrize("seed", [0, 8, 2**32 - 1])
@pytest.mark.parametrize("nV", [1, 2, 11, 5000])
def test_hash_embeddings_are_equal_to_the_bit(seed, nV, tmp_path):
    model = HashEmbed(3, nV, seed=seed).initialize()
    keys = numpy.concatenate(
        [
            numpy.array([0, 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1], dtype="uint64"),
            RNG.randint(0, 2**63, 20000).astype("uint64") * numpy.uint64(2) + numpy.uint64(1),
        ]
    )
    exported = to_onnx(model, tmp_path / "m.onnx", keys[:9])
    (Y,) = outputs_of(exported.path, X=keys)
    assert Y.tobytes() == model.predict(keys).tobytes()
    evaluator = ReferenceEvaluator(str(exported.path))
    with numpy.errstate(over="ignore"):
        (Y,) = evaluator.run(None, {"X": keys[:500]})
    assert Y.tobytes() == model.predict(keys[:500]).tobytes()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64"])
def test_ids_of_every_type(dtype, tmp_path):
    ids = numpy.array([3, 0, 2**31 - 1] + [-1, -(2**31)] * (dtype[0] == "i")).astype(dtype)
    model = HashEmbed(3, 11, seed=1).initialize()
    exported = to_onnx(model, tmp_path / "m.onnx", ids)
    assert exported.inputs["X"] == (dtype, ("N",))
    (Y,) = outputs_of(exported.path, X=ids)
    assert Y.tobytes() == model.predict(ids).tobytes()


# Sequences


def test_threads_do_not_change_sums(tmp_path):
    """ScatterND with a reduction would: its threads write over each other."""
    for pool in (reduce_sum(), reduce_max(), reduce_mean()):
        batch = Ragged(RNG.normal(size=(20000, 64)).astype("f"), numpy.array([15000, 3, 4997], "i"))
        exported = to_onnx(pool, tmp_path / "m.onnx", batch)
        value = value_of(batch, "float32")
        first = run(session_of(exported.path), batch, value)[0]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 4
        threaded = onnxruntime.InferenceSession(str(exported.path), options, providers=["CPUExecutionProvider"])
        for _ in range(5):
            numpy.testing.assert_array_equal(threaded.run(None, feeds(batch, value))[0], first)
        numpy.testing.assert_allclose(first, pool.predict(batch), rtol=1e-5, atol=1e-5 * numpy.abs(first).max())


def test_a_long_sequence_among_short_ones_costs_no_padding(tmp_path):
    """Padded to the longest, the data of this batch would be 120 GB."""
    lengths = numpy.array([100_000] + [1, 0, 2] * 20_000, dtype="int32")
    embed = with_array(chain(HashEmbed(8, 50, seed=1), expand_window(1), Maxout(5, 24, 2)), pad=1)
    model = chain(embed, list2ragged(), ParametricAttention(5), reduce_mean())
    ids = RNG.randint(0, 1000, lengths.sum()).astype("uint64")
    batch = numpy.split(ids, numpy.cumsum(lengths)[:-1])
    model.initialize(batch[:4])
    exported = to_onnx(model, tmp_path / "m.onnx", batch)
    assert exported.difference < 1e-5
    assert "TopK" not in exported.operators  # what sorts sequences for padding


def test_lstm_starts_where_the_model_does(tmp_path):
    model = with_padded(LSTM(6, 5, bi=True, depth=2)).initialize(lists(2, 3))
    inner = model.layers[0]
    inner.set_param("HC0", RNG.normal(size=inner.get_param("HC0").shape).astype("f"))
    assert to_onnx(model, tmp_path / "m.onnx", lists(3, 1, 0, 4)).difference < 1e-6


def test_runtimes_refuse_empty_sequences_where_we_do(tmp_path):
    model = chain(list2ragged(), reduce_max())
    exported = to_onnx(model, tmp_path / "m.onnx", lists(2, 1))
    empty = lists(2, 0, 1)
    with pytest.raises(ValueError):
        model.predict(empty)
    with pytest.raises(Exception, match="out of data bounds"):
        run(session_of(exported.path), empty, value_of(empty, "float32"))


# Types


def test_float64_models_and_samples(tmp_path):
    model = chain(Relu(4, 5), LayerNorm(4), with_array(Maxout(2, 4))).initialize()
    exported = to_onnx(model, tmp_path / "m.onnx", X.astype("float64"))  # the type is that of the model
    assert exported.inputs["X"][0] == "float32"
    for node in model.walk():
        for name in node.param_names:
            node.set_param(name, node.get_param(name).astype("float64"))
    exported = to_onnx(model, tmp_path / "m.onnx", X)
    assert exported.inputs["X"][0] == exported.outputs["Y"][0] == "float64"
    (Y,) = outputs_of(exported.path, X=X.astype("float64"))
    numpy.testing.assert_allclose(Y, model.predict(X.astype("float64")), atol=1e-12)


def test_odd_arrays(tmp_path):
    model = Linear(3, 5).initialize()
    expected = model.predict(X)
    W = model.get_param("W")
    for odd in (numpy.asfortranarray(W), W[::-1][::-1], numpy.repeat(W, 2, axis=1)[:, ::2]):
        model.set_param("W", odd)
        for sample in (X, X[::-1][::-1], X.astype(">f4"), numpy.asfortranarray(X)):
            exported = to_onnx(model, tmp_path / "m.onnx", sample)
            numpy.testing.assert_allclose(outputs_of(exported.path, X=X)[0], expected, atol=1e-6)


def test_ids_of_two_dimensions(tmp_path):
    model = Embed(3, 11).initialize()
    ids = numpy.array([[1, 2], [3, 10]])
    exported = to_onnx(model, tmp_path / "m.onnx", ids)
    assert exported.inputs["X"] == ("int64", ("N", 2))
    numpy.testing.assert_array_equal(outputs_of(exported.path, X=ids)[0], model.get_param("E")[ids])


# Refusals


def refused(model, sample, message, folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ExportError, match=message):
        to_onnx(model, folder / "model.onnx", sample)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def strange(model, X, is_train):
    return X + 1, lambda dY: dY


def test_refusals_name_layer_reason_and_way_out(tmp_path):
    (tmp_path / "model.onnx").write_text("an older export")
    refused(chain(Relu(3, 5), Linear(2)), X, r"chain/0\.relu: its parameters \['W', 'b'\] .*initialize", tmp_path)
    refused(chain(noop(), Model("odd", strange)), X, r"chain/1\.odd: .*test_to_onnx\.strange has no rule", tmp_path)
    words = [["a", "b"], ["c"]]
    model = chain(strings2arrays(), with_array(HashEmbed(3, 5, column=0))).initialize()
    refused(model, words, "chain/0.strings2arrays: it reads texts.*split_features", tmp_path)
    refused(map_list(expand_window(1)), lists(2, 1), "map_list: its layer looks at more than one row", tmp_path)
    refused(with_array(noop()), [], "has no sequences", tmp_path)
    refused(noop(), ["a"], "holds str.*arrays of numbers", tmp_path)
    refused(noop(), numpy.array(["a"]), "holds str", tmp_path)
    refused(noop(), None, "holds NoneType", tmp_path)


def test_layers_that_a_noop_keeps_do_not_count(tmp_path):
    to_onnx(noop(Model("odd", strange), Linear()), tmp_path / "m.onnx", X)


def test_what_the_model_raises_is_raised(tmp_path):
    with pytest.raises(ValueError, match="mismatch"):
        to_onnx(Linear(3, 4).initialize(), tmp_path / "m.onnx", X)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def rule_of_strange():
    """Rules of one test, forgotten after it."""
    before = dict(_RULES)
    yield
    _RULES.clear()
    _RULES.update(before)


def test_a_rule_of_the_user(rule_of_strange, tmp_path):
    @onnx_rule(strange, row_wise=True)
    def plus_one(layer, X):
        return layer.node("PlusOne", "Y = Add(X, 1.0)", {"X": layer.array(X)}, Y=(X.dtype, X.shape))

    model = with_array(chain(Model("odd", strange), Linear(3, 5)))
    model.initialize(X)
    assert to_onnx(model, tmp_path / "m.onnx", X).difference < 1e-6
    assert to_onnx(map_list(Model("odd", strange)), tmp_path / "m.onnx", lists(1, 2)).difference == 0.0


@pytest.mark.parametrize(
    "body, message",
    [
        ("Y = Add(X, 1.001)", "differs from the model by 0.001"),
        ("Y = Add(X, [1, 1])", "no valid graph"),
        ("Y = NoSuchOperator(X)", "no valid graph"),
        ("Y = Transpose(Add(X, 1.0))", "has shape"),
        ("Y = Add <x = (X)", "not ONNX text|cannot read"),
        ("Y == X", "cannot read"),
    ],
)
@pytest.mark.parametrize("external", [False, True])
def test_a_wrong_rule_leaves_nothing(rule_of_strange, body, message, external, tmp_path, monkeypatch):
    @onnx_rule(strange)
    def wrong(layer, X):
        return layer.node("Wrong", body, {"X": X}, Y=(X.dtype, X.shape))

    if external:
        monkeypatch.setattr(write, "LARGEST_FILE", 0)
    model = chain(Linear(40, 5), Model("odd", strange)).initialize()
    (tmp_path / "model.onnx").write_text("an older export")
    refused(model, X, message, tmp_path)


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() == 0 and not os.path.exists("/dev/full"), reason="needs /dev/full"
)
def test_disks_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(OSError):
        to_onnx(dense(5, 2), tmp_path / "none" / "m.onnx", X)
    with pytest.raises(OSError):
        to_onnx(dense(5, 2), "/dev/full", X)
    monkeypatch.setattr(write, "LARGEST_FILE", 0)
    with pytest.raises(OSError):
        to_onnx(dense(5, 2), tmp_path / "none" / "m.onnx", X)
    assert not list(tmp_path.iterdir())


# Large weights


def test_large_weights_lie_beside_the_graph(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "LARGEST_FILE", 100_000)
    model = dense(5, 100, 300, 2)
    exported = to_onnx(model, tmp_path / "m.onnx", X)
    assert exported.data_path == tmp_path / "m.onnx.data"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert exported.path.stat().st_size < 10_000 < exported.data_path.stat().st_size
    (Y,) = outputs_of(exported.path, X=X)
    numpy.testing.assert_allclose(Y, model.predict(X), atol=1e-5)
    for tensor in onnx.load(exported.path, load_external_data=False).graph.initializer:
        offsets = [int(entry.value) for entry in tensor.external_data if entry.key == "offset"]
        assert all(offset % 4096 == 0 for offset in offsets)


# Graphs inside graphs


def inner_graph(opset):
    """Y = tanh(X W), with a name that the graph around it has too."""
    helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
    W = RNG.normal(size=(5, 3)).astype("f")
    made = helper.make_graph(
        [helper.make_node("MatMul", ["X", "W"], ["rows"]), helper.make_node("Tanh", ["rows"], ["Y"])],
        "tanh_linear",
        [helper.make_tensor_value_info("X", FLOAT, ["N", 5])],
        [helper.make_tensor_value_info("Y", FLOAT, ["N", 3])],
        [onnx.numpy_helper.from_array(W, "W")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), W


@pytest.mark.parametrize("opset", [17, 18, 20])
def test_a_wrapped_graph_is_inlined(opset, tmp_path):
    proto, W = inner_graph(opset)
    wrapped = OnnxWrapper(proto.SerializeToString())
    model = concatenate(chain(wrapped, Linear(2, 3)), wrapped, noop())
    model.layers[0].layers[1].initialize()
    exported = to_onnx(model, tmp_path / "m.onnx", X)
    assert exported.difference < 1e-6
    numpy.testing.assert_allclose(outputs_of(exported.path, X=X)[0][:, 2:5], numpy.tanh(X @ W), atol=1e-6)


def test_a_wrapped_graph_of_a_later_opset_is_refused(tmp_path):
    wrapped = OnnxWrapper(inner_graph(20)[0].SerializeToString())
    with pytest.raises(ExportError, match="onnxwrapper: its graph has opset 20. Export with opset=20"):
        to_onnx(wrapped, tmp_path / "m.onnx", X, opset=19)


def test_wrappers_with_functions_of_python_are_refused(tmp_path):
    data = inner_graph(20)[0].SerializeToString()
    refused(OnnxWrapper(data, convert_inputs=lambda *_: None), X, "convert_inputs is a function", tmp_path)
    refused(OnnxWrapper(data, convert_outputs=lambda *_: None), X, "convert_outputs is a function", tmp_path)
    refused(OnnxWrapper(), X, "onnxwrapper: it holds no graph", tmp_path)


def test_an_export_is_read_back_and_exported_again(tmp_path):
    model = chain(list2ragged(), with_array(Maxout(4, 5)), ParametricAttention(4), reduce_mean())
    batch = lists(3, 0, 2)
    model.initialize(batch)
    to_onnx(model, tmp_path / "inner.onnx", batch)
    again = OnnxWrapper(tmp_path / "inner.onnx")
    pair = tuple(feeds(batch, value_of(batch, "float32")).values())
    numpy.testing.assert_allclose(again.predict(pair), model.predict(batch), atol=1e-6)
    outer = chain(again, Linear(2, 4)).initialize()
    assert to_onnx(outer, tmp_path / "outer.onnx", pair).difference < 1e-6


# Texts


def test_split_features():
    model = chain(strings2arrays(), chain(with_array(HashEmbed(3, 5, column=0, seed=1)), list2ragged()), reduce_mean())
    model.initialize()
    words = [["a", "b"], ["c"]]
    features, rest = split_features(model)
    numpy.testing.assert_array_equal(rest.predict(features.predict(words)), model.predict(words))
    assert split_features(rest) == (None, rest)
    with pytest.raises(ExportError, match="all of 'strings2arrays' reads texts"):
        split_features(strings2arrays())


def test_padded_in_padded_out(tmp_path):
    model = with_padded(chain(LSTM(4, 5), LSTM(3, 4))).initialize(lists(1, 2))
    padded = model.ops.list2padded(lists(1, 3, 0, 3))
    exported = to_onnx(model, tmp_path / "m.onnx", padded)
    data, lengths, indices = run(session_of(exported.path), padded, value_of(padded, "float32"))
    ours = model.predict(padded)
    assert isinstance(ours, Padded)
    numpy.testing.assert_allclose(data, ours.data, atol=1e-6)
    numpy.testing.assert_array_equal(lengths, ours.lengths)
    numpy.testing.assert_array_equal(indices, ours.indices)
