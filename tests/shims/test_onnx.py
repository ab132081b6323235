"""OnnxWrapper: graphs that were made with the onnx package, run by ONNX Runtime."""

import numpy
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is missing")
onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")

from tests.shims import models  # noqa: E402
from thinc.api import Linear, OnnxWrapper, chain  # noqa: E402

X, Y = models.batch()
W = numpy.random.RandomState(0).normal(size=(5, 3)).astype("f")


@pytest.fixture(scope="module")
def graph():
    """Y = tanh(X W); rows = X W."""
    helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
    made = helper.make_graph(
        [helper.make_node("MatMul", ["X", "W"], ["rows"]), helper.make_node("Tanh", ["rows"], ["Y"])],
        "tanh_linear",
        [helper.make_tensor_value_info("X", FLOAT, ["N", 5])],
        [helper.make_tensor_value_info("Y", FLOAT, ["N", 3])],
        [onnx.numpy_helper.from_array(W, "W")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(made, opset_imports=opset, ir_version=8)


def lookup():
    """ids, table -> rows, and the ids again."""
    helper, proto = onnx.helper, onnx.TensorProto
    made = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["rows"]), helper.make_node("Identity", ["ids"], ["same"])],
        "lookup",
        [
            helper.make_tensor_value_info("ids", proto.INT64, ["N"]),
            helper.make_tensor_value_info("table", proto.FLOAT, ["V", 3]),
        ],
        [
            helper.make_tensor_value_info("rows", proto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("same", proto.INT64, ["N"]),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(made, opset_imports=opset, ir_version=8)
    return made.SerializeToString()


def test_forward_is_that_of_the_graph(graph, tmp_path):
    onnx.save(graph, tmp_path / "graph.onnx")
    for source in (graph.SerializeToString(), tmp_path / "graph.onnx", str(tmp_path / "graph.onnx")):
        model = OnnxWrapper(source)
        numpy.testing.assert_allclose(model.predict(X), numpy.tanh(X @ W), atol=1e-6)


def test_several_inputs_and_outputs():
    model = OnnxWrapper(lookup())
    ids = numpy.array([2, 0, 2], dtype="uint64")  # converted to what the graph takes
    table = numpy.arange(12, dtype="float64").reshape(4, 3)
    for data in ((ids, table), [ids, table], {"table": table, "ids": ids}):
        rows, same = model.predict(data)
        numpy.testing.assert_array_equal(rows, table[[2, 0, 2]])
        numpy.testing.assert_array_equal(same, ids)


def test_wrong_inputs_are_named():
    model = OnnxWrapper(lookup())
    ids = numpy.zeros(2, dtype="int64")
    table = numpy.zeros((4, 3), dtype="f")
    for data in (ids, {"ids": ids, "tables": table}):
        with pytest.raises(ValueError, match=r"missing are \['table'\]"):
            model.predict(data)
    with pytest.raises(ValueError, match="got 3 arguments"):
        model.predict((ids, table, table))
    with pytest.raises(ValueError, match="'ids'.*cannot be converted"):
        model.predict((ids + 0.5, table))
    with pytest.raises(ValueError, match="'ids'.*cannot be converted"):
        model.predict((numpy.array([2**64 - 1], dtype="uint64"), table))


def test_backward_pass_is_refused(graph):
    model = chain(OnnxWrapper(graph.SerializeToString()), Linear(3))
    model.initialize(X, Y)
    Yh, backprop = model.begin_update(X)
    with pytest.raises(NotImplementedError, match="inference only"):
        backprop(Yh)
    model.layers[0].shims[0].finish_update(None)


def test_bytes_hold_the_graph(graph, tmp_path):
    model = OnnxWrapper(graph.SerializeToString())
    Yh = models.reload_elsewhere("onnx_shell", model, X, tmp_path)
    numpy.testing.assert_array_equal(Yh, model.predict(X))
    twin = model.copy()
    assert twin.shims[0].id != model.shims[0].id
    numpy.testing.assert_array_equal(twin.predict(X), Yh)
    assert OnnxWrapper().from_bytes(OnnxWrapper().to_bytes()).copy()
    with pytest.raises(ValueError, match="holds no graph"):
        OnnxWrapper().predict(X)


def test_devices(graph):
    model = OnnxWrapper(graph.SerializeToString())
    model.to_cpu()
    assert model.predict(X).shape == Y.shape
    with pytest.raises(ValueError, match="Invalid device_type: tpu"):
        model.shims[0].to_device("tpu", 0)


def test_odd_arrays_are_read_right(graph):
    model = OnnxWrapper(graph.SerializeToString())
    expected = numpy.tanh(X @ W)
    read_only = X.copy()
    read_only.flags.writeable = False
    for data in (X[::-1][::-1], numpy.asfortranarray(X), read_only, X.astype(">f4")):
        numpy.testing.assert_allclose(model.predict(data), expected, atol=1e-6)
    assert model.predict(X[:0]).shape == (0, 3)


def test_fifty_threads_agree(graph):
    models.assert_threads_agree(OnnxWrapper(graph.SerializeToString()))
