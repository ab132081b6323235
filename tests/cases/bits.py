"""What the bits of a result depend on, op by op; tests/backends/test_bits.py holds every row of it.

Always: on the item's own numbers, the shapes of parameters, and the dtype. Never: on strides, on alignment, on the
number of threads, or on what else is in memory. Besides, as the row says:

    the batch    `own`: outputs of which each item depends on itself alone, in any batch
                 `summed`: outputs that are sums over the batch, and so depend on all of it and on its order
    the level    `levels`: "all" CPU levels give the same bits; "" may differ in the last places, as avx2, avx512 and
                 NEON multiply and add with one rounding and base with two
    the engine   `engine`: a matrix product, made by the engine in use. The rows hold for the engine `native`; the
                 others promise what their libraries promise
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Tuple

import numpy

from thinc.backends._quantized import to_int8_rows

from .ops import SMOOTH

Sizes = Tuple[int, int, int, int]  # N items, I in, O out, P pieces


@dataclass(frozen=True)
class Bits:
    make: Callable[[Any, str, Sizes], Tuple]  # RandomState, dtype, sizes -> arguments
    rows: Tuple[int, ...]  # arguments with a row for each item
    own: Tuple[int, ...] = (0,)  # outputs, numbered as they come
    summed: Tuple[int, ...] = ()
    levels: str = ""
    engine: bool = False
    lengths: bool = False  # the last argument: items are sequences, and these arguments have their rows
    tokens: bool = False  # so have the outputs


def normal(random: Any, dtype: str, *shape: int) -> Any:
    return random.normal(size=shape).astype(dtype)


def matrices(*shapes: str) -> Callable[[Any, str, Sizes], Tuple]:
    """Arguments by their dimensions: "NI" is (N, I)."""

    def make(random: Any, dtype: str, sizes: Sizes) -> Tuple:
        of = dict(zip("NIOP", sizes))
        return tuple(normal(random, dtype, *(of[letter] for letter in shape)) for shape in shapes)

    return make


def ids(random: Any, n: int) -> Any:
    return random.randint(0, 2**62, size=n).astype("uint64")


def cut_lengths(random: Any, n: int, least: int) -> Any:
    """Lengths of sequences that have n rows together; the last is 0 if it may be."""
    lengths = []
    while n:
        lengths.append(min(n, random.randint(least, 300 if random.rand() < 0.2 else 9)))
        n -= lengths[-1]
    return numpy.array(lengths + [0] * (1 - least), dtype="int32")


def sequences(least: int = 0, *, per_sequence: bool = False, width: str = "O") -> Callable[[Any, str, Sizes], Tuple]:
    def make(random: Any, dtype: str, sizes: Sizes) -> Tuple:
        lengths = cut_lengths(random, sizes[0], least)
        n = len(lengths) if per_sequence else sizes[0]
        return normal(random, dtype, n, dict(zip("IO", sizes[1:]))[width]), lengths

    return make


def _which(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    N, _, O, P = sizes
    return normal(random, dtype, N, O), random.randint(0, P, size=(N, O)).astype("int32"), P


def _softmaxed(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    N, _, O, _ = sizes
    return random.uniform(size=(N, O)).astype(dtype), normal(random, dtype, N, O)


def _classes(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    N, _, O, _ = sizes
    return random.uniform(size=(N, O)).astype(dtype), random.randint(-1, O, size=N).astype("int32")


def _gathered(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    N, I, O, P = sizes
    return normal(random, dtype, I, O), random.randint(0, I, size=(N, P)).astype("int32")


def _looked_up(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    N, I, O, _ = sizes
    return normal(random, dtype, I, O), random.randint(0, I, size=N)


def _hashed(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    return normal(random, dtype, sizes[1], sizes[2]), ids(random, sizes[0]), 3


def _int8_table(make: Callable[[Any, str, Sizes], Tuple]) -> Callable[[Any, str, Sizes], Tuple]:
    def narrowed(random: Any, dtype: str, sizes: Sizes) -> Tuple:
        table, *rest = make(random, dtype, sizes)
        return (to_int8_rows(numpy, table), *rest)

    return narrowed


def _softmaxed_sequences(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    Y, lengths = sequences()(random, dtype, sizes)
    return normal(random, dtype, *Y.shape), abs(Y), lengths


def _max_gradient(random: Any, dtype: str, sizes: Sizes) -> Tuple:
    dY, lengths = sequences(1, per_sequence=True)(random, dtype, sizes)
    which = (random.rand(*dY.shape) * lengths[:, None]).astype("int32")
    return dY, which, lengths


_ELEMENTS = matrices("NO")
_GRADIENT = matrices("NO", "NO")
_SWISH = matrices("NO", "NO", "NO")

BITS: Dict[str, Bits] = {
    "gemm": Bits(matrices("NI", "IO"), (0,), engine=True),
    "affine": Bits(matrices("NI", "OI", "O"), (0,), engine=True),
    "affine_maxout": Bits(matrices("NI", "OPI", "OP"), (0,), (0, 1), engine=True),
    "affine_maxout_layer_norm": Bits(matrices("NI", "OPI", "OP", "O", "O"), (0,), (0, 1, 2, 3, 4), engine=True),
    "sum_rows": Bits(matrices("NO"), (0,), (), (0,), levels="all"),
    "maxout": Bits(matrices("NOP"), (0,), (0, 1), levels="all"),
    "backprop_maxout": Bits(_which, (0, 1), levels="all"),
    "layer_norm": Bits(matrices("NO", "O", "O"), (0,), (0, 1, 2)),
    "backprop_layer_norm": Bits(matrices("NO", "NO", "O", "N", "N"), (0, 1, 3, 4), (0,), (1, 2)),
    "softmax": Bits(matrices("NO"), (0,)),
    "backprop_softmax": Bits(_softmaxed, (0, 1)),
    "backprop_cross_entropy": Bits(_classes, (0, 1)),
    "cosine_distance": Bits(matrices("NO", "NO"), (0, 1), (0, 1)),
    "l2_distance": Bits(matrices("NO", "NO"), (0, 1), (0,), (1,)),
    "seq2col": Bits(
        lambda r, d, s: (normal(r, d, s[0], s[1]), 2, cut_lengths(r, s[0], 0)),
        (0,),
        levels="all",
        lengths=True,
        tokens=True,
    ),
    "backprop_seq2col": Bits(
        lambda r, d, s: (normal(r, d, s[0], 5 * s[1]), 2, cut_lengths(r, s[0], 0)),
        (0,),
        levels="all",
        lengths=True,
        tokens=True,
    ),
    "softmax_sequences": Bits(sequences(), (0,), lengths=True, tokens=True),
    "backprop_softmax_sequences": Bits(_softmaxed_sequences, (0, 1), lengths=True, tokens=True),
    "reduce_sum": Bits(sequences(), (0,), levels="all", lengths=True),
    "reduce_mean": Bits(sequences(), (0,), levels="all", lengths=True),
    "reduce_max": Bits(sequences(1), (0,), (0, 1), levels="all", lengths=True),
    "backprop_reduce_sum": Bits(sequences(per_sequence=True), (), levels="all", lengths=True, tokens=True),
    "backprop_reduce_mean": Bits(sequences(per_sequence=True), (), levels="all", lengths=True, tokens=True),
    "backprop_reduce_max": Bits(_max_gradient, (), levels="all", lengths=True, tokens=True),
    "gather_add_int8": Bits(_int8_table(_gathered), (1,), levels="all"),
    "hash_embed_int8": Bits(_int8_table(_hashed), (1,), levels="all"),
    "gather_add": Bits(_gathered, (1,), levels="all"),
    "embed": Bits(_looked_up, (1,), levels="all"),
    "hash_embed": Bits(_hashed, (1,), levels="all"),
    **{name: Bits(_ELEMENTS, (0,)) for name in (*SMOOTH, "erf")},
    **{name: Bits(_ELEMENTS, (0,)) for name in ("hard_sigmoid", "hard_swish", "clipped_linear")},
    **{name: Bits(_ELEMENTS, (0,), levels="all") for name in ("relu", "relu_k", "hard_tanh", "hard_swish_mobilenet")},
    **{f"backprop_{name}": Bits(_GRADIENT, (0, 1)) for name in SMOOTH if name != "swish"},
    **{f"backprop_{name}": Bits(_GRADIENT, (0, 1)) for name in ("hard_swish", "hard_swish_mobilenet")},
    **{f"backprop_{name}": Bits(_GRADIENT, (0, 1), levels="all") for name in ("relu", "relu_k", "hard_tanh")},
    **{f"backprop_{name}": Bits(_GRADIENT, (0, 1), levels="all") for name in ("hard_sigmoid", "clipped_linear")},
    "backprop_swish": Bits(_SWISH, (0, 1, 2)),
}

# Sums over the batch in place, in its order, whatever the level.
_ADDS = "adds to a table, row after row of the batch"
_WHOLE = "the norm is a sum over the whole array; else element by element"
_RANDOM = "random"
_ENGINE = "its products are rows of `gemm` above, gates element by element; test_lstm.py"
ELSEWHERE: Dict[str, str] = {
    **dict.fromkeys(["scatter_add", "backprop_hash_embed", "backprop_sparse_linear"], _ADDS),
    **dict.fromkeys(["adam", "optimizer_step", "clip_gradient", "update_averages"], _WHOLE),
    **dict.fromkeys(["lstm_forward_training", "lstm_forward_inference", "backprop_lstm"], _ENGINE),
    **dict.fromkeys(
        ["reduce_first", "reduce_last", "backprop_reduce_first", "backprop_reduce_last", "windows"], "copies"
    ),
    **dict.fromkeys(["hash", "ngrams", "position_encode"], "integers, or of their own arguments alone"),
    **dict.fromkeys(["sechsq", "dsigmoid", "dtanh"], "has only the readable formula"),
    "sparse_linear": "sums over the features of its own document",
}
