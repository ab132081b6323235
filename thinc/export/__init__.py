"""Trained models for other runtimes.

from thinc.export import to_onnx
to_onnx(model, "model.onnx", X=sample)
"""

from .graph import Layer, onnx_rule
from .values import ExportError, Nested, PaddedSequences, Sequences, Tensor
from .write import Exported, split_features, to_onnx

__all__ = [
    "ExportError",
    "Exported",
    "Layer",
    "Nested",
    "PaddedSequences",
    "Sequences",
    "Tensor",
    "onnx_rule",
    "split_features",
    "to_onnx",
]
