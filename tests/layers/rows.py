"""All rows of the layers, and the layers that have none."""

from typing import Dict, List

from tests.cases import LayerCase, combinators, leaf_layers

CASES: List[LayerCase] = [*leaf_layers.CASES, *combinators.CASES]

_FRAMEWORK = "wraps a model of another framework; tests/layers/test_{}.py"

EXEMPT: Dict[str, str] = {
    "MXNetWrapper.v1": _FRAMEWORK.format("mxnetwrapper"),
    "PyTorchLSTM.v1": _FRAMEWORK.format("pytorchwrapper"),
    "PyTorchRNNWrapper.v1": _FRAMEWORK.format("pytorchwrapper"),
    "PyTorchWrapper.v1": _FRAMEWORK.format("pytorchwrapper"),
    "PyTorchWrapper.v2": _FRAMEWORK.format("pytorchwrapper"),
    "PyTorchWrapper.v3": _FRAMEWORK.format("pytorchwrapper"),
}
