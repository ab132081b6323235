"""Recorded numbers of version 8.3.14, and the node trees of 79 constructions."""

import copy
from typing import Any, Dict, List

import numpy
import pytest

import thinc.api
import thinc.layers
from tests.shared import needs_shared, vectors
from thinc.api import use_ops
from thinc.types import Padded, Ragged

pytestmark = needs_shared

# Where the recorded numbers are those of a defect that is mended here.
MENDED = {
    "Dish nI==nO": ("dX", "W", "b"),  # took the layer's input for that of the dish
    "MultiSoftmax": ("Y",),  # gave the logits
    "bidirectional": ("Y", "dX", "W", "b"),  # did not reverse
    "premap_ids": ("dX",),  # uninitialized memory
    "remap_ids_v2": ("dX",),
    "remap_ids_v2 column": ("dX",),
}

NAMES = {**vars(thinc.api), **vars(thinc.layers)}


def cases(*names: str) -> List[Any]:
    found = []
    for name in names:
        recorded = vectors(name)
        for case in recorded["cases"] if recorded else []:
            found.append(pytest.param(case, id=case.get("name", case["build"])))
    return found


def build(case: Dict[str, Any]) -> Any:
    return eval(case["build"], dict(NAMES))


def batch(X: Any) -> Any:
    if not isinstance(X, dict):
        return X
    elif X["type"] == "Ragged":
        data = X["data"]
        if data.size:
            data = data.reshape((-1,) + tuple(X["data_shape"][1:]))
        return Ragged(data, X["lengths"])
    elif X["type"] == "Padded":
        return Padded(X["data"], X["size_at_t"], X["lengths"], X["indices"])
    items = [batch(item) for item in X["items"]]
    return tuple(items) if X["type"] == "tuple" else items


def assert_close(A: Any, B: Any) -> None:
    if isinstance(B, numpy.ndarray):
        assert A.shape == B.shape
        if B.size:  # nothing has a dtype worth comparing
            assert A.dtype.kind == B.dtype.kind
        numpy.testing.assert_allclose(A, B, rtol=1e-4, atol=1e-5)
    elif isinstance(B, (Ragged, Padded)):
        assert type(A) is type(B)
        assert_close(A.data, B.data)
        assert_close(A.lengths, B.lengths)
        if isinstance(B, Padded):
            assert_close(A.size_at_t, B.size_at_t)
            assert_close(A.indices, B.indices)
    elif isinstance(B, (list, tuple)):
        assert type(A) is type(B)
        assert len(A) == len(B)
        for a, b in zip(A, B):
            assert_close(a, b)
    else:
        assert A == B


def initialized(case: Dict[str, Any]) -> Any:
    model = build(case)
    nodes = list(model.walk())
    try:
        model.initialize(X=batch(copy.deepcopy(case["X"])))
    except ValueError:
        model.initialize()  # dims are given, X is empty or of another width
    assert model.name == case["model_name"]
    assert [node.name for node in nodes] == [node["name"] for node in case["nodes"]]
    for node, recorded in zip(nodes, case["nodes"]):
        assert {d: node.maybe_get_dim(d) for d in node.dim_names} == recorded["dims"]
        for name, value in recorded["params"].items():
            node.set_param(name, value)
    return model


@pytest.mark.parametrize("backend", ["numpy", "base"])
@pytest.mark.parametrize(
    "case",
    cases("layers_dense", "layers_embed", "layers_sequence", "layers_sparse", "layers_combinators", "layers_lstm"),
)
def test_numbers(case, backend):
    model = initialized(case)
    if backend == "base":
        for node in model.walk():
            node.ops = thinc.api.Ops()
    X = batch(case["X"])
    mended = MENDED.get(case["name"], ())
    Y = model.predict(copy.deepcopy(X))
    if "Y" not in mended:
        assert_close(Y, batch(case.get("Y_predict", case["Y"])))
    if "dY" not in case:
        return
    Y, backprop = model(copy.deepcopy(X), is_train=True)
    if "Y" not in mended:
        assert_close(Y, batch(case["Y"]))
    dX = backprop(batch(case["dY"]))
    if "dX" not in mended:
        # The gradients recorded for LSTMs are those of torch, not those of 8.3.14.
        assert_close(dX, batch(case.get("dX_true", case["dX"])))
    for node, recorded in zip(model.walk(), case["nodes"]):
        for name, grad in recorded["grads"].items():
            if name not in mended:
                true_grad = case["LSTM_grad_true"] if name == "LSTM" else grad
                assert_close(node.get_grad(name), true_grad)


def describe(model: Any) -> List[Dict[str, Any]]:
    """The tree as the vectors spell it: refs and layers by position in the walk."""
    nodes = list(model.walk())
    index = {id(node): i for i, node in enumerate(nodes)}
    described = []
    for node in nodes:
        params = {}
        for name in node.param_names:
            is_set = node.has_param(name)
            params[name] = list(node.get_param(name).shape) if is_set else None
        refs = {name: node.maybe_get_ref(name) for name in node.ref_names}
        described.append(
            {
                "name": node.name,
                "dims": {name: node.maybe_get_dim(name) for name in node.dim_names},
                "params": params,
                "attrs": {name: plain(value) for name, value in node.attrs.items()},
                "refs": {k: index[id(v)] if v else None for k, v in refs.items()},
                "layers": [index[id(layer)] for layer in node.layers],
                "n_shims": len(node.shims),
            }
        )
    return described


def plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    elif isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    elif isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    kinds = [kind.__name__ for kind in type(value).__mro__]
    return "<PreshMap>" if "PreshMap" in kinds else f"<{type(value).__name__}>"


@pytest.mark.parametrize("case", cases("layers_structure"))
def test_structure(case):
    """Names, dims, params, attrs, refs: all that is written to disk, in its order."""
    with use_ops("numpy"):
        model = build(case)
        before = describe(model)
        assert before == case["before"]
        for node, recorded in zip(before, case["before"]):
            for kind in ("dims", "params", "attrs", "refs"):
                assert list(node[kind]) == list(recorded[kind])
        X, Y = batch(case["X"]), batch(case["Y"])
        if "error" in case:
            with pytest.raises(ValueError):
                model.initialize(X=X, Y=Y)
        else:
            model.initialize(X=X, Y=Y)
            assert describe(model) == case["after"]
