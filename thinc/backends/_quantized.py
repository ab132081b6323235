"""Weights that are stored in fewer bits: float16, and rows of int8.  The drawing of a row is in int8.hh.

Whoever hands them to an op need not know: `affine`, `affine_maxout`, `affine_maxout_layer_norm` and
`lstm_forward_inference` take them in place of float weights, tables of float16 `gather_add` and `hash_embed`, too.

    float16      computed in the dtype of the other arrays: as if the weights were of that dtype
    int8 rows    (..., I + 4) in place of (..., I): of each row I numbers and the four bytes of its float32 scale,
                 little-endian; number i is row[i] * scale. Computed in integers: rows of X are rounded to 8 bits, too
"""

from typing import Any, Tuple

SCALE_BYTES = 4
MOST_INT8_INPUTS = 12 * 1024  # numbers in a row that the kernels take
# Below it 127 / x would be infinite. A row of numbers that are all below it counts as zeros.
LEAST = 2.0**-119


def is_int8_rows(W: Any, nI: int) -> bool:
    """Whether these are int8 rows of nI numbers each, and not whole numbers that stand for floats."""
    return W.dtype == "int8" and W.shape[-1] == nI + SCALE_BYTES


def row_length(W: Any) -> int:
    """How many numbers are in a row of weights, of int8 rows if they are int8."""
    return W.shape[-1] - (SCALE_BYTES if W.dtype == "int8" else 0)


def to_int8_rows(xp: Any, W: Any) -> Any:
    """(..., I) floats -> (..., I + 4) int8, symmetric: scale = max |w| / 127 of each row."""
    W = W.astype("float32")
    scale = (abs(W).max(axis=-1, initial=0, keepdims=True) / 127).astype("<f4")
    numbers = xp.rint(W / xp.where(scale, scale, 1)).clip(-127, 127).astype("int8")
    return xp.concatenate([numbers, xp.ascontiguousarray(scale).view("int8")], axis=-1)


def int8_lstm(xp: Any, layers: Any) -> Any:
    """The params of an LSTM in int8, from those of each layer and direction as `split_weights` gives them."""
    parts = []
    for weights in (each for layer in layers for each in layer):
        for W, b in ((weights.Wx, weights.bx), (weights.Wh, weights.bh)):
            parts += [to_int8_rows(xp, W), xp.ascontiguousarray(b, dtype="<f4").view("int8")]
    return xp.concatenate([part.reshape((-1,)) for part in parts])


def split_int8_rows(xp: Any, rows: Any) -> Tuple[Any, Any]:
    """The numbers (..., I) in int8 and the scales (...) of int8 rows."""
    bits = xp.ascontiguousarray(rows[..., -SCALE_BYTES:])
    return rows[..., :-SCALE_BYTES], bits.view("<f4")[..., 0].astype("float32")


def is_half(W: Any) -> bool:
    """Whether it is of float16, in either byte order."""
    return W.dtype.kind == "f" and W.dtype.itemsize == 2


def widened(W: Any, X: Any) -> Any:
    """W, if it is stored in float16 only, in the dtype of X; never in that of whole numbers, which would cut it off."""
    return W.astype("float32" if X.dtype.kind in "biu" else X.dtype) if is_half(W) else W


def int8_product(xp: Any, X: Any, rows: Any) -> Any:
    """X W^T for int8 rows.  X (N, I), rows (O, I + 4) -> (N, O) float32.

    q = round(x 127 / max |x|), halves to even; y = (sum of q w) (max |x| / 127) scale. A row with an infinite number or
    a NaN gives NaN.
    """
    W, scale = split_int8_rows(xp, rows)
    X = X.astype("float32")
    largest = abs(X).max(axis=1, initial=0, keepdims=True)
    finite = xp.isfinite(largest)
    counts = finite & (largest >= LEAST)
    largest = xp.where(counts, largest, 127).astype("float32")
    q = xp.rint(xp.where(counts, X, 0) * (127 / largest))
    back = xp.where(counts, largest / 127, xp.where(finite, 0, xp.nan)).astype("float32")
    sums = xp.dot(q.astype("float64"), W.T.astype("float64"))  # exact: whole numbers below 2^53
    return sums.astype("float32") * (back * scale)


__all__ = [
    "MOST_INT8_INPUTS",
    "SCALE_BYTES",
    "int8_lstm",
    "int8_product",
    "is_half",
    "is_int8_rows",
    "row_length",
    "split_int8_rows",
    "to_int8_rows",
    "widened",
]
