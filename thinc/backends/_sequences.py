"""Windows over sequences, reductions of them, readable.

Dimensions: T all rows, B sequences, O width, W window. The rows of all sequences lie
one after the other, with the lengths beside them:

    lengths [2, 0, 1]    X  a b | | c    -> sequences  [a b]  []  [c]
"""

from typing import Any, List, Optional, Tuple

import numpy

from ..types import Floats2d, Ints1d, Ints2d, Xp
from ._arrays import as_floats
from ._embedding import check_indices


class SequenceOps:
    """seq2col, softmax_sequences, reduce_*, position_encode, and their gradients."""

    xp: Xp

    # Windows

    def seq2col(self, seq: Floats2d, nW: int, *, lengths: Optional[Ints1d] = None) -> Floats2d:
        """Each row with its nW neighbours on both sides, zeros beyond the sequence.

            nW = 1    a b c    ->    0ab  abc  bc0

        seq (T, O) -> (T, O * (2 * nW + 1)).  Without lengths it is one sequence.

        lengths: of several sequences in seq.

        >>> ops = NumpyOps()
        >>> ops.seq2col(ops.asarray2f([[1], [2], [3]]), 1)
        array([[0., 1., 2.],
               [1., 2., 3.],
               [2., 3., 0.]], dtype=float32)
        """
        if seq.ndim != 2:
            raise ValueError(f"seq2col: expected 2 dimensions, got {seq.ndim}")
        _check_window("seq2col", nW)
        T, O = seq.shape
        cols = self.xp.zeros((T, 2 * nW + 1, O), dtype=seq.dtype)
        for rows, neighbours, w in _windows(T, nW, lengths):
            cols[rows, w] = seq[neighbours]
        return cols.reshape((T, (2 * nW + 1) * O))

    def backprop_seq2col(self, dY: Floats2d, nW: int, *, lengths: Optional[Ints1d] = None) -> Floats2d:
        """Each row's gradient, added up from the windows it was in.

        dY (T, O * (2 * nW + 1)) -> (T, O).  What fell on the zeros is dropped.

        nW, lengths: as in `seq2col`.

        >>> ops = NumpyOps()
        >>> ops.backprop_seq2col(ops.asarray2f([[0, 1, 1], [1, 1, 1], [1, 1, 0]]), 1).ravel()
        array([2., 3., 2.], dtype=float32)
        """
        if dY.ndim != 2:
            raise ValueError(f"backprop_seq2col: expected 2 dimensions, got {dY.ndim}")
        _check_window("backprop_seq2col", nW)
        T, width = dY.shape
        O, rest = divmod(width, 2 * nW + 1)
        if rest:
            raise ValueError(
                f"backprop_seq2col: width {width} is not a multiple of the {2 * nW + 1} columns of the window"
            )
        dY = as_floats(dY)
        d_cols: Any = dY.reshape((T, 2 * nW + 1, O))
        dX = self.xp.zeros((T, O), dtype=dY.dtype)
        for rows, neighbours, w in _windows(T, nW, lengths):
            dX[neighbours] += d_cols[rows, w]
        return dX

    def windows(self, X: Floats2d, nW: int) -> Floats2d:
        """seq2col of one sequence, to be read alone.  X (T, O) -> (T, O * (2 * nW + 1)).

        Where the products of a backend read rows wherever they lie, it is as large as X, and read-only: its rows share
        memory. Each begins O numbers after the one before it, in a copy of X with nW rows of zeros at each end.

        nW: as in `seq2col`.

        >>> ops = NumpyOps()
        >>> Y = ops.windows(ops.asarray2f([[1], [2], [3]]), 1)
        >>> Y, Y.strides
        (array([[0., 1., 2.],
               [1., 2., 3.],
               [2., 3., 0.]], dtype=float32), (4, 4))
        """
        return self.seq2col(X, nW)

    # Softmax within sequences

    def softmax_sequences(self, Xs: Floats2d, lengths: Ints1d, *, inplace: bool = False, axis: int = -1) -> Floats2d:
        """Each column normalized over the rows of its sequence, exp clipped at +-20.

        Xs (T, O) -> (T, O).  Always a new array: inplace and axis are ignored.

        lengths: of the sequences.

        >>> ops = NumpyOps()
        >>> ops.softmax_sequences(ops.asarray2f([[0], [0], [7]]), ops.asarray1i([2, 1])).ravel()
        array([0.5, 0.5, 1. ], dtype=float32)
        """
        _check_array("softmax_sequences", "Xs", Xs)
        if Xs.ndim >= 3:
            raise NotImplementedError(f"Softmax currently only supports 2d. Got: {Xs.ndim}")
        Y = self.xp.exp(self.xp.clip(as_floats(Xs), -20.0, 20.0))
        for rows in _spans("softmax_sequences", lengths, _rows("softmax_sequences", Xs)):
            Y[rows] /= Y[rows].sum(axis=0)
        return Y

    def backprop_softmax_sequences(self, dY: Floats2d, Y: Floats2d, lengths: Ints1d) -> Floats2d:
        """dX = Y * (dY - sum of Y * dY over the sequence).

        dY: the gradient of the output.  Y: what came out.  lengths: of the sequences.

        >>> ops = NumpyOps()
        >>> Y, lengths = ops.asarray2f([[0.5], [0.5], [1]]), ops.asarray1i([2, 1])
        >>> ops.backprop_softmax_sequences(ops.asarray2f([[1], [0], [0]]), Y, lengths).ravel()
        array([ 0.25, -0.25,  0.  ], dtype=float32)
        """
        for name, array in (("dY", dY), ("Y", Y)):
            _check_array("backprop_softmax_sequences", name, array)
        if dY.shape != Y.shape:
            raise ValueError(f"arrays have incompatible shapes: {dY.shape} and {Y.shape}")
        dX: Any = as_floats(Y) * as_floats(dY)
        for rows in _spans("backprop_softmax_sequences", lengths, len(Y)):
            dX[rows] -= Y[rows] * dX[rows].sum(axis=0)
        return dX

    # Reductions: one row for each sequence

    def reduce_sum(self, X: Floats2d, lengths: Ints1d) -> Floats2d:
        """The sum of each sequence.  X (T, O), lengths (B,) -> (B, O).

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> ops.reduce_sum(X, lengths)
        array([[ 9.],
               [10.]], dtype=float32)
        """
        spans = _spans("reduce_sum", lengths, _rows("reduce_sum", X))
        X = as_floats(X)
        Y = self.xp.zeros((len(spans), X.shape[1]), dtype=X.dtype)
        for i, rows in enumerate(spans):
            Y[i] = X[rows].sum(axis=0)
        return Y

    def backprop_reduce_sum(self, d_sums: Floats2d, lengths: Ints1d) -> Floats2d:
        """Every row gets the gradient of its sequence.  (B, O) -> (T, O).

        d_sums: the gradient of the output.  lengths: of the sequences.

        >>> ops = NumpyOps()
        >>> ops.backprop_reduce_sum(ops.asarray2f([[3], [1]]), ops.asarray1i([3, 1])).ravel()
        array([3., 3., 3., 1.], dtype=float32)
        """
        counts = _gradient_lengths("backprop_reduce_sum", d_sums, lengths, 0)
        return self.xp.repeat(d_sums, counts, axis=0)

    def reduce_mean(self, X: Floats2d, lengths: Ints1d) -> Floats2d:
        """The mean of each sequence, zero where it is empty.

        X (T, O), lengths (B,) -> (B, O).

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> ops.reduce_mean(X, lengths)
        array([[ 3.],
               [10.]], dtype=float32)
        """
        spans = _spans("reduce_mean", lengths, _rows("reduce_mean", X))
        X = as_floats(X)
        Y = self.xp.zeros((len(spans), X.shape[1]), dtype=X.dtype)
        for i, rows in enumerate(spans):
            if rows.stop > rows.start:
                Y[i] = X[rows].sum(axis=0) / (rows.stop - rows.start)
        return Y

    def backprop_reduce_mean(self, d_means: Floats2d, lengths: Ints1d) -> Floats2d:
        """Every row gets its share of the gradient.  (B, O) -> (T, O).

        d_means: the gradient of the output.  lengths: of the sequences.

        >>> ops = NumpyOps()
        >>> ops.backprop_reduce_mean(ops.asarray2f([[3], [1]]), ops.asarray1i([3, 1])).ravel()
        array([1., 1., 1., 1.], dtype=float32)
        """
        counts = _gradient_lengths("backprop_reduce_mean", d_means, lengths, 0)
        d_means = as_floats(d_means)
        sizes = self.xp.asarray([max(n, 1) for n in counts], dtype=d_means.dtype)
        return self.xp.repeat(d_means / sizes[:, None], counts, axis=0)

    def reduce_max(self, X: Floats2d, lengths: Ints1d) -> Tuple[Floats2d, Ints2d]:
        """The maximum of each column of each sequence, and the row it is from.

        X (T, O), lengths (B,) -> (B, O) and which (B, O) int32, counted from the start
        of the sequence; the first of equals.  Every length must be at least 1.

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> ops.reduce_max(X, lengths)
        (array([[ 5.],
               [10.]], dtype=float32), array([[1],
               [0]], dtype=int32))
        """
        spans = _spans("reduce_max", lengths, _rows("reduce_max", X), minimum=1)
        Y = self.xp.zeros((len(spans), X.shape[1]), dtype=X.dtype)
        which = self.xp.zeros(Y.shape, dtype="int32")  # (argmax takes the first NaN, if there is one)
        for i, rows in enumerate(spans):
            which[i] = X[rows].argmax(axis=0)
            Y[i] = X[rows].max(axis=0)
        return Y, which

    def backprop_reduce_max(self, d_maxes: Floats2d, which: Ints2d, lengths: Ints1d) -> Floats2d:
        """The gradient goes to the row that was the maximum.  (B, O) -> (T, O).

        d_maxes: the gradient of the output.  which: as `reduce_max` gave it.  lengths: of the sequences.

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> maxes, which = ops.reduce_max(X, lengths)
        >>> ops.backprop_reduce_max(maxes, which, lengths).ravel()
        array([ 0.,  5.,  0., 10.], dtype=float32)
        """
        op = "backprop_reduce_max"
        counts = _gradient_lengths(op, d_maxes, lengths, 1)
        if which.shape != d_maxes.shape:
            raise ValueError(f"{op}: d_maxes has shape {d_maxes.shape}, which has {which.shape}")
        dX = self.xp.zeros((sum(counts), d_maxes.shape[1]), dtype=d_maxes.dtype)
        columns = self.xp.arange(dX.shape[1])
        start = 0
        for i, length in enumerate(counts):
            bad = (which[i] < 0) | (which[i] >= length)
            if bad.any():
                raise IndexError(
                    f"{op}: index {int(which[i][bad][0])} is out of bounds for sequence {i} of length {length}"
                )
            dX[start + which[i], columns] = d_maxes[i]
            start += length
        return dX

    def reduce_first(self, X: Floats2d, lengths: Ints1d) -> Tuple[Floats2d, Ints1d]:
        """The first row of each sequence.  Every length must be at least 1.

        X (T, O), lengths (B,) -> (B, O) and starts_ends (B + 1,) for the backprop.

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> ops.reduce_first(X, lengths)
        (array([[ 1.],
               [10.]], dtype=float32), array([0, 3, 4], dtype=int32))
        """
        n_rows = _rows("reduce_first", X)
        if lengths.size == 0:
            return self.xp.zeros((0, X.shape[1]), dtype=X.dtype), lengths
        spans = _spans("reduce_first", lengths, n_rows, minimum=1)
        starts_ends = [0] + [rows.stop for rows in spans]
        starts_ends = self.xp.asarray(starts_ends, dtype="int32")
        return X[starts_ends[:-1]], starts_ends

    def backprop_reduce_first(self, d_firsts: Floats2d, starts_ends: Ints1d) -> Floats2d:
        """The gradient goes to the first rows.  (B, O) -> (T, O).

        d_firsts: the gradient of the output.  starts_ends: as `reduce_first` gave it.

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> firsts, starts_ends = ops.reduce_first(X, lengths)
        >>> ops.backprop_reduce_first(firsts, starts_ends).ravel()
        array([ 1.,  0.,  0., 10.], dtype=float32)
        """
        if starts_ends.size == 0:
            return self.xp.zeros((0, d_firsts.shape[1]), dtype=d_firsts.dtype)
        if starts_ends.size == 1:
            raise ValueError("backprop_reduce_first: starts_ends must not have size 1")
        _check_count("backprop_reduce_first", d_firsts, starts_ends.size - 1)
        return self._spread("backprop_reduce_first", d_firsts, starts_ends[:-1], int(starts_ends[-1]))

    def reduce_last(self, X: Floats2d, lengths: Ints1d) -> Tuple[Floats2d, Ints1d]:
        """The last row of each sequence.  Every length must be at least 1.

        X (T, O), lengths (B,) -> (B, O) and lasts (B,) for the backprop.

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> ops.reduce_last(X, lengths)
        (array([[ 3.],
               [10.]], dtype=float32), array([2, 3]))
        """
        n_rows = _rows("reduce_last", X)
        if lengths.size == 0:
            return self.xp.zeros((0, X.shape[1]), dtype=X.dtype), lengths
        spans = _spans("reduce_last", lengths, n_rows, minimum=1)
        lasts = self.xp.asarray([rows.stop - 1 for rows in spans], dtype="int64")
        return X[lasts], lasts

    def backprop_reduce_last(self, d_lasts: Floats2d, lasts: Ints1d) -> Floats2d:
        """The gradient goes to the last rows.  (B, O) -> (T, O).

        d_lasts: the gradient of the output.  lasts: as `reduce_last` gave it.

        >>> ops = NumpyOps()
        >>> X, lengths = ops.asarray2f([[1], [5], [3], [10]]), ops.asarray1i([3, 1])
        >>> Y, lasts = ops.reduce_last(X, lengths)
        >>> ops.backprop_reduce_last(Y, lasts).ravel()
        array([ 0.,  0.,  3., 10.], dtype=float32)
        """
        if lasts.size == 0:
            return self.xp.zeros((0, d_lasts.shape[1]), dtype=d_lasts.dtype)
        _check_count("backprop_reduce_last", d_lasts, lasts.size)
        return self._spread("backprop_reduce_last", d_lasts, lasts, int(lasts[-1]) + 1)

    def _spread(self, op: str, d_out: Any, rows: Any, n_rows: int) -> Any:
        """Zeros (n_rows, O) but for those rows."""
        check_indices(op, rows, max(n_rows, 0), what="sequences of {} rows")
        dX = self.xp.zeros((n_rows, d_out.shape[1]), dtype=d_out.dtype)
        dX[rows] = d_out
        return dX

    # Positions

    def position_encode(self, N: int, D: int, period: int = 10000, out: Optional[Floats2d] = None) -> Floats2d:
        """Sines and cosines of the row number, (N, D) float32.  Vaswani et al. 2017.

        The even column j is sin(n / period^(2j / D)), the column after it the cosine
        of the same. An odd last column repeats the frequency of the pair before it.

        N: rows.  D: columns.  period: of the slowest.  out: to write to.

        >>> NumpyOps().position_encode(3, 4).round(2)
        array([[ 0.  ,  1.  ,  0.  ,  1.  ],
               [ 0.84,  0.54,  0.  ,  1.  ],
               [ 0.91, -0.42,  0.  ,  1.  ]], dtype=float32)
        """
        if out is not None and out.shape != (N, D):
            raise AssertionError(f"position_encode: out has shape {out.shape}, expected {(N, D)}")
        # The column whose number makes the frequency; at the odd end, the pair before.
        columns = [max(min(j - j % 2, D - 2 - D % 2), 0) for j in range(D)]
        exponents = self.xp.asarray(columns, dtype="float64") * (2.0 / max(D, 1))
        angles = self.xp.arange(N)[:, None] / float(period) ** exponents
        Y: Any = self.xp.zeros((N, D), dtype="float32") if out is None else out
        Y[:, 0::2] = self.xp.sin(angles[:, 0::2])
        Y[:, 1::2] = self.xp.cos(angles[:, 1::2])
        return Y


def _check_array(op: str, name: str, X: Any) -> None:
    """Of ops that have no compiled method, which would say so."""
    if not (hasattr(X, "ndim") and hasattr(X, "tolist")):
        kind = "None" if X is None else type(X).__name__
        raise TypeError(f"{op}: expected {name} to be an array, got {kind}. Convert it with ops.asarray")


def _int_list(lengths: Any, op: str = "lengths") -> List[int]:
    _check_array(op, "lengths", lengths)
    if lengths.ndim != 1:
        raise ValueError(f"expected lengths of 1 dimension, got {lengths.ndim}")
    if lengths.dtype.kind not in "iu":
        raise ValueError(f"expected integer lengths, got {lengths.dtype}")
    return lengths.tolist()


def _rows(op: str, X: Any) -> int:
    _check_array(op, "X", X)
    if X.ndim != 2:
        raise ValueError(f"{op}: expected X of 2 dimensions, got {X.ndim}")
    return len(X)


def _check_lengths(op: str, lengths: Any, minimum: int) -> List[int]:
    counts = _int_list(lengths, op)
    if any(n < minimum for n in counts):
        bound = "> 0" if minimum else ">= 0"
        raise ValueError(f"{op}: all sequence lengths must be {bound}, got {min(counts)}")
    return counts


def _spans(op: str, lengths: Any, n_rows: int, minimum: int = 0) -> List[slice]:
    """The rows of each sequence."""
    counts = _check_lengths(op, lengths, minimum)
    if sum(counts) != n_rows:
        raise IndexError(
            f"{op}: lengths must sum up to the number of rows: they sum to {sum(counts)} but X has {n_rows} rows"
        )
    ends = numpy.cumsum([0] + counts).tolist()
    return [slice(start, end) for start, end in zip(ends, ends[1:])]


def _gradient_lengths(op: str, d_out: Any, lengths: Any, minimum: int) -> List[int]:
    """The lengths, checked against a gradient with one row for each of them."""
    counts = _check_lengths(op, lengths, minimum)
    _check_count(op, d_out, len(counts))
    return counts


def _check_count(op: str, d_out: Any, n_sequences: int) -> None:
    if d_out.ndim != 2 or len(d_out) != n_sequences:
        raise ValueError(
            f"{op}: expected a gradient with {n_sequences} rows, one for each sequence, got shape {d_out.shape}"
        )


def _check_window(op: str, nW: int) -> None:
    if nW < 0:
        raise ValueError(f"{op}: expected a window of at least 0, got {nW}")


def _windows(n_rows: int, nW: int, lengths: Optional[Any]):
    """For each sequence and window column: rows, the neighbours they see, column."""
    if lengths is None:
        counts = [n_rows]
    else:
        counts = _int_list(lengths)
        if any(n < 0 for n in counts):
            raise AssertionError("All sequence lengths must be >= 0")
        if sum(counts) != n_rows:
            raise AssertionError("The lengths must sum up to the batch length")
    start = 0
    for length in counts:
        end = start + length
        for w in range(2 * nW + 1):
            offset = w - nW
            first = max(start, start - offset)
            last = min(end, end - offset)
            if first < last:
                yield slice(first, last), slice(first + offset, last + offset), w
        start = end


__all__ = ["SequenceOps"]
