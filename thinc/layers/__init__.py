"""Every layer, by kind. One module per layer, which also holds its `forward` and, where there is one, `init`."""

# ruff: noqa: I001  (in the order of the kinds)

from .. import _incidental

# Dense: Y = act(X W^T + b)
from .linear import Linear
from .relu import Relu
from .clipped_linear import ClippedLinear, HardSigmoid, HardTanh, ReluK
from .sigmoid import Sigmoid
from .swish import Swish
from .hard_swish import HardSwish
from .hard_swish_mobilenet import HardSwishMobilenet
from .dish import Dish
from .mish import Mish
from .gelu import Gelu
from .maxout import Maxout
from .softmax import Softmax, Softmax_v2
from .multisoftmax import MultiSoftmax

# Of each number or row: activations, normalization, dropout, similarity
from .sigmoid_activation import sigmoid_activation
from .logistic import Logistic, logistic
from .softmax_activation import softmax_activation
from .layernorm import LayerNorm
from .dropout import Dropout
from .cauchysimilarity import CauchySimilarity

# Of ids and texts: tables, and what leads there
from .embed import Embed
from .hashembed import HashEmbed
from .sparselinear import SparseLinear, SparseLinear_v2
from .remap_ids import remap_ids, remap_ids_v2
from .premap_ids import premap_ids
from .strings2arrays import strings2arrays

# Of sequences: their rows with their neighbours, weighted, run through, pooled
from .expand_window import expand_window
from .parametricattention import ParametricAttention
from .parametricattention_v2 import ParametricAttention_v2
from .lstm import LSTM, PyTorchLSTM
from .bidirectional import bidirectional
from .reduce_sum import reduce_sum
from .reduce_mean import reduce_mean
from .reduce_max import reduce_max
from .reduce_first import reduce_first
from .reduce_last import reduce_last

# Of layers: one after the other, side by side, more often, larger
from .chain import chain
from .clone import clone
from .residual import residual
from .add import add
from .concatenate import concatenate
from .tuplify import tuplify
from .siamese import siamese
from .map_list import map_list
from .uniqued import uniqued
from .resizable import resizable
from .noop import noop

# Parts of an input
from .getitem import get_item, getitem
from .array_getitem import array_getitem
from .with_getitem import with_getitem

# From one kind of batch to another
from .list2array import list2array
from .list2ragged import list2ragged
from .list2padded import list2padded
from .ragged2list import ragged2list
from .padded2list import padded2list

# A layer for one kind of batch applied to another
from .with_array import with_array
from .with_array2d import with_array2d
from .with_list import with_list
from .with_ragged import with_ragged
from .with_padded import with_padded
from .with_reshape import with_reshape
from .with_flatten import with_flatten
from .with_flatten_v2 import with_flatten_v2

# A layer elsewhere, or watched
from .with_cpu import with_cpu
from .with_debug import with_debug
from .with_nvtx_range import with_nvtx_range
from .with_signpost_interval import with_signpost_interval

# Models of other frameworks
from .pytorchwrapper import PyTorchRNNWrapper, PyTorchWrapper, PyTorchWrapper_v2, PyTorchWrapper_v3
from .torchscriptwrapper import TorchScriptWrapper_v1, pytorch_to_torchscript_wrapper
from .torchexportwrapper import TorchExportWrapper, pytorch_to_torchexport_wrapper
from .tensorflowwrapper import TensorFlowWrapper, keras_subclass
from .mxnetwrapper import MXNetWrapper
from .jaxwrapper import JaxRaggedWrapper, JaxWrapper
from .onnxwrapper import OnnxWrapper

__all__ = [
    "CauchySimilarity",
    "ClippedLinear",
    "Dish",
    "Dropout",
    "Embed",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "HardSwishMobilenet",
    "HardTanh",
    "HashEmbed",
    "JaxRaggedWrapper",
    "JaxWrapper",
    "LSTM",
    "LayerNorm",
    "Linear",
    "Logistic",
    "MXNetWrapper",
    "Maxout",
    "Mish",
    "MultiSoftmax",
    "OnnxWrapper",
    "ParametricAttention",
    "ParametricAttention_v2",
    "PyTorchLSTM",
    "PyTorchRNNWrapper",
    "PyTorchWrapper",
    "PyTorchWrapper_v2",
    "PyTorchWrapper_v3",
    "Relu",
    "ReluK",
    "Sigmoid",
    "Softmax",
    "Softmax_v2",
    "SparseLinear",
    "SparseLinear_v2",
    "Swish",
    "TensorFlowWrapper",
    "TorchExportWrapper",
    "TorchScriptWrapper_v1",
    "add",
    "array_getitem",
    "bidirectional",
    "chain",
    "clone",
    "concatenate",
    "expand_window",
    "get_item",
    "getitem",
    "keras_subclass",
    "list2array",
    "list2padded",
    "list2ragged",
    "logistic",
    "map_list",
    "noop",
    "padded2list",
    "premap_ids",
    "pytorch_to_torchexport_wrapper",
    "pytorch_to_torchscript_wrapper",
    "ragged2list",
    "reduce_first",
    "reduce_last",
    "reduce_max",
    "reduce_mean",
    "reduce_sum",
    "remap_ids",
    "remap_ids_v2",
    "residual",
    "resizable",
    "siamese",
    "sigmoid_activation",
    "softmax_activation",
    "strings2arrays",
    "tuplify",
    "uniqued",
    "with_array",
    "with_array2d",
    "with_cpu",
    "with_debug",
    "with_flatten",
    "with_flatten_v2",
    "with_getitem",
    "with_list",
    "with_nvtx_range",
    "with_padded",
    "with_ragged",
    "with_reshape",
    "with_signpost_interval",
]

_incidental.serve("thinc")
