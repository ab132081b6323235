"""All rows of the layers, and the layers that have none."""

from typing import Dict, List

from tests.cases import LayerCase, combinators, leaf_layers

CASES: List[LayerCase] = [*leaf_layers.CASES, *combinators.CASES]

_FRAMEWORK = "wraps a model of another framework; tests/shims/test_{}.py"

EXEMPT: Dict[str, str] = {
    "MXNetWrapper.v1": _FRAMEWORK.format("mxnet"),
    "PyTorchLSTM.v1": _FRAMEWORK.format("pytorch"),
    "PyTorchRNNWrapper.v1": _FRAMEWORK.format("pytorch"),
    "PyTorchWrapper.v1": _FRAMEWORK.format("pytorch"),
    "PyTorchWrapper.v2": _FRAMEWORK.format("pytorch"),
    "PyTorchWrapper.v3": _FRAMEWORK.format("pytorch"),
}
