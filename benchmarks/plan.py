"""What is measured: groups of cases, each a kind of work and its sizes. Every side implements the kinds it has."""

import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

# name -> what backward reads, of each row of THE LIST. It is read, since the other sides have no such list to import.
READS: Dict[str, str] = dict(
    re.findall(
        r"^  ROW\((\w+), \w+, \d+, (X|Y|XY),",
        (Path(__file__).parents[1] / "include" / "thinc" / "activations.hh").read_text(encoding="utf8"),
        flags=re.M,
    )
)
# Rows that no op has alone, or other libraries do not have; of clipped_linear one setting is measured.
_PASSED_OVER = {"clipped_linear", "hard_swish_mobilenet", "tanh", "erf"}
ACTIVATIONS = [*(name for name in READS if name not in _PASSED_OVER), "hard_sigmoid", "softmax"]


class Case(NamedTuple):
    group: str
    kind: str
    args: Tuple[Any, ...]
    quick: bool = True

    @property
    def name(self) -> str:
        return " ".join([self.kind, *map(str, self.args)])


def _cases(group: str, kind: str, *rows: Tuple[Any, ...]) -> List[Case]:
    """The first two of a kind are measured by the quick run."""
    return [Case(group, kind, args, i < 2) for i, args in enumerate(rows)]


# The groups of the goals, in their order.
FORWARD, FEW_ROWS, BACKWARD = ("gemm forward, 16 rows and more", "gemm forward, 1 to 8 rows", "gemm backward")
CASES: List[Case] = [
    *_cases(
        FORWARD,
        "gemm_forward",
        (16, 288, 288),
        (64, 288, 288),
        (16, 96, 96),
        (1024, 288, 288),
        (64, 768, 768),
        (1024, 96, 288),
    ),
    *_cases(
        FEW_ROWS, "gemm_forward", (1, 288, 288), (4, 288, 288), (8, 288, 288), (1, 96, 96), (1, 768, 768), (8, 96, 96)
    ),
    *_cases(
        BACKWARD, "gemm_backward", (64, 288, 288), (1024, 288, 96), (16, 288, 288), (1024, 288, 288), (64, 768, 768)
    ),
    *[Case("activations", "activation", (name, 256, 96)) for name in ACTIVATIONS],
    *[Case("activations", "backprop_activation", (name, 256, 96)) for name in ACTIVATIONS if name != "softmax"],
    *[
        Case("layer norm, maxout, dropout", kind, (rows, 96), rows == 256)
        for kind in ("layer_norm", "backprop_layer_norm", "dropout")
        for rows in (256, 2048)
    ],
    *[
        Case("layer norm, maxout, dropout", kind, (rows, 96, 3), rows == 256)
        for kind in ("maxout", "backprop_maxout")
        for rows in (256, 2048)
    ],
    *[
        Case("reductions", f"{way}reduce_{name}", (128, 16, 96))
        for name in ("sum", "mean", "max", "first", "last")
        for way in ("", "backprop_")
    ],
    *[
        Case("windows and padding", kind, (64, 24, 96))
        for kind in ("seq2col", "backprop_seq2col", "pad", "list2padded", "padded2list")
    ],
    *_cases("embeddings and hashing", "hash", (4096,)),
    *_cases("embeddings and hashing", "hash_embed", (2048, 96, 5000)),
    *_cases("embeddings and hashing", "train_hash_embed", (2048, 96, 5000)),
    *_cases("embeddings and hashing", "embed", (2048, 96, 5000)),
    *_cases("embeddings and hashing", "train_embed", (2048, 96, 5000)),
    *_cases("embeddings and hashing", "sparse_linear", (64, 100, 10)),
    *_cases("optimizer step", "optimizer", (96 * 288,), (1000 * 96,), (5000 * 96,)),
    *_cases("LSTM", "lstm", (16, 20, 64), (1, 20, 64)),
    *_cases("LSTM", "train_lstm", (16, 20, 64)),
    *_cases("losses", "cross_entropy", (1024, 17)),
    *_cases("losses", "sequence_cross_entropy", (64, 24, 17)),
    *_cases("losses", "l2_distance", (1024, 96)),
    *_cases("losses", "cosine_distance", (1024, 96)),
    *[
        Case(f"tagger {kind}", f"tagger_{kind}", (docs,), docs < 256)
        for kind in ("predict", "train")
        for docs in (1, 32, 256)
    ],
    *[Case(f"perceptron, batch {rows}", "perceptron", (rows,)) for rows in (1, 64)],
    *[
        Case(f"perceptron in {kind}, batch {rows}", "quantized_perceptron", (kind, rows))
        for kind in ("float16", "int8")
        for rows in (1, 64)
    ],
    *[
        Case(f"Linear in {kind}", "quantized_linear", (kind, *sizes))  # (beside "gemm_forward" in float32)
        for kind in ("float32", "float16", "int8")
        for sizes in ((1, 768, 768), (1, 3072, 768), (64, 768, 768), (64, 3072, 768))
    ],
    *_cases("calls", "linear_call", (1, 8)),
    *_cases("calls", "chain_call", (1, 8)),
    *_cases("calls", "finish_update", (8,)),
]

BY_NAME: Dict[str, Case] = {case.name: case for case in CASES}

# What others take, divided by what we take, that the project aims at: geometric means of a group. Those against the
# published release depend on which kernel its blis takes, and so are no goals.
GOALS: Dict[str, Dict[str, float]] = {
    FORWARD: {"PyTorch": 1.15},
    FEW_ROWS: {"PyTorch": 2.2},
    BACKWARD: {"PyTorch": 1.05},
    "activations": {"PyTorch": 3.5},
    "layer norm, maxout, dropout": {"PyTorch": 8},
    "reductions": {"PyTorch": 9},
    "windows and padding": {"PyTorch": 4.5},
    "embeddings and hashing": {"PyTorch": 4.3},
    "optimizer step": {"PyTorch": 3.2},
    "LSTM": {"PyTorch": 1.9},
    "losses": {"PyTorch": 8.5},
    "tagger predict": {"PyTorch": 2.4},
    "tagger train": {"PyTorch": 1.9},
    "perceptron, batch 1": {"ONNX Runtime": 1.1},
    "perceptron, batch 64": {"ONNX Runtime": 1.0},
    "perceptron in int8, batch 1": {"ONNX Runtime": 0.83},
    "perceptron in int8, batch 64": {"ONNX Runtime": 0.83},
}
