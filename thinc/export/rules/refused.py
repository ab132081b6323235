"""Layers that are no part of a graph, each with its reason and the way out."""

from ...layers.jaxwrapper import forward as jax_forward
from ...layers.mxnetwrapper import forward as mxnet_forward
from ...layers.pytorchwrapper import forward as pytorch_forward
from ...layers.strings2arrays import forward as strings2arrays_forward
from ...layers.tensorflowwrapper import forward as tensorflow_forward
from ...training import features
from ..graph import refuse

for framework, exporter, forward in (
    ("PyTorch", "torch.onnx.export", pytorch_forward),
    ("TensorFlow", "tf2onnx", tensorflow_forward),
    ("MXNet", "mxnet.onnx.export_model", mxnet_forward),
    ("JAX", "jax2tf and tf2onnx", jax_forward),
):
    refuse(
        f"it is a layer of {framework}. Export that part with {exporter}, put the graph in its place with OnnxWrapper, "
        "and export again",
        forward,
    )

FEATURES = (
    strings2arrays_forward,
    features._token_features_forward,
    features._tokenize_forward,
    features._ngram_forward,
)
refuse(
    "it reads texts, and a graph takes numbers. Split the model with thinc.export.split_features, export the second "
    "part, and give it what the first returns",
    *FEATURES,
)

__all__ = ["FEATURES"]
