"""Between lists of sequences and one array, and batches of either.

Dimensions: B sequences, T steps, O width.
"""

from operator import index
from typing import Any, Callable, Iterator, List, Optional, Sequence, Union, cast

import numpy

from ..types import (
    Array3d,
    ArrayXd,
    Batchable,
    DTypes,
    Floats2d,
    Generator,
    Ints1d,
    Ints2d,
    List2d,
    ListXd,
    Padded,
    Shape,
    SizedGenerator,
)
from ._arrays import ArrayOps


class ListOps(ArrayOps):
    """flatten, pad, list2padded, their inverses, and batches."""

    # Lists of sequences

    def insert_into(self, shape: Shape, Xs: Sequence[Any]) -> Any:
        """Zeros of that shape; row i begins with the entries of Xs[i].

        Xs: arrays, none longer than a row.  shape: of the result.

        >>> ops = NumpyOps()
        >>> ops.insert_into((2, 3), [ops.asarray1f([1]), ops.asarray1f([2, 3])])
        array([[1., 0., 0.],
               [2., 3., 0.]], dtype=float32)
        """
        output = self.alloc(shape, dtype=Xs[0].dtype)
        for i, x in enumerate(Xs):
            output[i, : x.shape[0]] = x
        return output

    def flatten(
        self, X: Sequence[ArrayXd], dtype: Optional[DTypes] = None, pad: int = 0, ndim_if_empty: int = 2
    ) -> ArrayXd:
        """The arrays joined along the first axis, `pad` zero rows around each.

        Empty arrays leave no rows and no padding.

        X: the arrays.  dtype: of the result.  ndim_if_empty: axes of the result if there are no arrays.

        >>> ops = NumpyOps()
        >>> ops.flatten([ops.asarray2f([[1]]), ops.asarray2f([[2], [3]])]).ravel()
        array([1., 2., 3.], dtype=float32)
        """
        arrays: List[Any] = [] if X is None else list(X)
        if not arrays:
            return self.alloc((0,) * ndim_if_empty, dtype=dtype or "f")
        xp = self.xp
        if not isinstance(arrays[0], xp.ndarray):
            raise ValueError(f"flatten: expected a list of {xp.__name__} arrays, got a list of {type(arrays[0])}")
        filled = [x for x in arrays if x.size != 0]
        if not filled:
            return self.alloc(arrays[0].shape, dtype=dtype or "f")
        if pad >= 1:
            filled = [piece for x in filled for piece in (xp.zeros((pad,) + x.shape[1:], dtype=x.dtype), x)]
            filled.append(filled[0])
        result = xp.concatenate(filled)
        return result if dtype is None else xp.asarray(result, dtype=dtype)

    def unflatten(self, X: ArrayXd, lengths: Ints1d, pad: int = 0) -> ListXd:
        """The inverse of flatten: a list of views, one for each length.

        X: the rows.  lengths: of the arrays.  pad: rows around each that are left out.

        >>> ops = NumpyOps()
        >>> [part.ravel() for part in ops.unflatten(ops.asarray2f([[1], [2], [3]]), ops.asarray1i([1, 2]))]
        [array([1.], dtype=float32), array([2., 3.], dtype=float32)]
        """
        sequences = []
        start = 0
        for length in _sizes("unflatten", lengths):
            skip = pad if length > 0 else 0
            sequences.append(cast(Any, X)[start + skip : start + skip + length])
            start += skip + length
        return cast(ListXd, sequences)

    def pad(self, seqs: Union[List[Ints2d], List[Floats2d]], round_to: int = 1) -> Array3d:
        """(B, T, ...) with zeros after the end of each sequence.

        T is the longest length, rounded up to a multiple of round_to.

        seqs: the sequences.

        >>> ops = NumpyOps()
        >>> ops.pad([ops.alloc2f(1, 2), ops.alloc2f(3, 2)], round_to=4).shape
        (2, 4, 2)
        """
        arrays: List[Any] = list(seqs)
        if round_to < 1:
            raise ValueError(f"Rounding for padding must at least be 1, was: {round_to}")
        if not arrays:
            raise ValueError("Cannot pad empty sequence")
        _check_alike(arrays)
        steps = max(len(array) for array in arrays)
        steps += -steps % round_to
        output = self.alloc((len(arrays), steps) + arrays[0].shape[1:], dtype=arrays[0].dtype)
        for row, array in zip(output, arrays):
            row[: len(array)] = array
        return output

    def unpad(self, padded: Array3d, lengths: List[int]) -> List2d:
        """The inverse of pad: a list of views, one for each length.

        padded: of `pad`.  lengths: of the sequences.

        >>> ops = NumpyOps()
        >>> [X.shape for X in ops.unpad(ops.alloc3f(2, 3, 1), [1, 3])]
        [(1, 1), (3, 1)]
        """
        rows: Any = padded
        sizes = _sizes("unpad", lengths)
        if len(sizes) > len(padded):
            raise IndexError(f"unpad: expected at most {len(padded)} lengths, one for each sequence, got {len(sizes)}")
        return cast(List2d, [X[:n] for X, n in zip(rows, sizes)])

    def list2padded(self, seqs: List2d) -> Padded:
        """Sequences (length, O) -> Padded with data (T, B, O), longest sequence first.

            seqs  a a        data  step 0  b a c      size_at_t  3 2 1
                  b b b            step 1  b a        lengths    3 2 1
                  c                step 2  b          indices    1 0 2

        Among sequences of one length the later one comes first.

        seqs: the sequences.

        >>> ops = NumpyOps()
        >>> padded = ops.list2padded([ops.alloc2f(1, 2), ops.alloc2f(3, 2)])
        >>> padded.data.shape, padded.lengths
        ((3, 2, 2), array([3, 1], dtype=int32))
        """
        arrays: List[Any] = list(seqs)
        if not arrays:
            empty = [self.alloc1i(0) for _ in range(3)]
            return Padded(self.alloc3f(0, 0, 0), *empty)
        if arrays[0].ndim < 2:
            raise IndexError(f"list2padded: expected sequences of 2 dimensions, got {arrays[0].ndim}")
        _check_alike(arrays)
        order = sorted(range(len(arrays)), key=lambda i: (len(arrays[i]), i), reverse=True)
        lengths: Any = numpy.array([len(arrays[i]) for i in order], dtype="int32")
        steps = int(lengths[0])
        data = self.alloc((steps, len(arrays)) + arrays[0].shape[1:], dtype=arrays[0].dtype)
        for column, i in enumerate(order):
            data[: len(arrays[i]), column] = arrays[i]
        size_at_t: Any = (lengths > numpy.arange(steps)[:, None]).sum(axis=1)
        return Padded(data, self.asarray1i(size_at_t), self.asarray1i(lengths), self.asarray1i(order))

    def padded2list(self, padded: Padded) -> List2d:
        """The inverse of list2padded: the sequences in their original order.

        padded: of `list2padded`.

        >>> ops = NumpyOps()
        >>> [X.shape for X in ops.padded2list(ops.list2padded([ops.alloc2f(1, 2), ops.alloc2f(3, 2)]))]
        [(1, 2), (3, 2)]
        """
        data: Any = padded.data
        indices = _int_list(padded.indices)
        if sorted(indices) != list(range(len(indices))):
            raise IndexError(
                f"padded2list: expected indices to be 0 .. {len(indices) - 1} in some order, got {indices}"
            )
        result: List[Any] = [None] * len(indices)
        for column, (i, length) in enumerate(zip(indices, _int_list(padded.lengths))):
            result[i] = data[:length, column]
        return cast(List2d, result)

    # Batching

    def minibatch(
        self, size: Union[int, Generator], sequence: Batchable, *, shuffle: bool = False, buffer: int = 1
    ) -> SizedGenerator:
        """Batches of the sequence.  Every pass over the result starts again.

        size: a number, or an iterator of numbers (a schedule), drawn once. Should it
        end early, its last value is used for the rest.

        sequence: a list, an array, Ragged or Padded.  shuffle: in another order each time.  buffer: batches made ahead.

        >>> list(NumpyOps().minibatch(2, [1, 2, 3]))
        [[1, 2], [3]]
        """
        if not hasattr(sequence, "__len__"):
            raise ValueError(f"Can't minibatch data. Expected sequence, got {type(sequence)}")
        return self._batches(size, len(sequence), shuffle, buffer, lambda i: self._take(sequence, i))

    def multibatch(
        self,
        size: Union[int, Generator],
        sequence: Batchable,
        *others: Batchable,
        shuffle: bool = False,
        buffer: int = 1,
    ) -> SizedGenerator:
        """Batches of several sequences at once, as lists of one batch for each.

        size, sequence, shuffle, buffer: as in `minibatch`.  others: as long as sequence.

        >>> list(NumpyOps().multibatch(2, [1, 2, 3], ["a", "b", "c"]))
        [[[1, 2], ['a', 'b']], [[3], ['c']]]
        """
        sequences = (sequence,) + others
        if not all(hasattr(seq, "__len__") for seq in sequences):
            found = ", ".join(f"{type(seq)}" for seq in sequences)
            raise ValueError(f"Can't multibatch data. Expected sequences, got {found}")
        return self._batches(size, len(sequence), shuffle, buffer, lambda i: [self._take(seq, i) for seq in sequences])

    def _batches(
        self, size: Union[int, Generator], n_items: int, shuffle: bool, buffer: int, take: Callable[[Any], Any]
    ) -> SizedGenerator:
        sizes = _batch_sizes(size, n_items)
        ends = numpy.cumsum(sizes).tolist()
        indices = numpy.arange(n_items)

        def iter_items() -> Iterator[Any]:
            if shuffle:
                numpy.random.shuffle(indices)
            queue = []
            for n, end in zip(sizes, ends):
                queue.append(take(indices[end - n : end]))
                if len(queue) >= buffer:
                    yield from queue
                    queue = []
            yield from queue

        return SizedGenerator(cast(Any, iter_items), len(sizes))

    def _take(self, sequence: Any, indices: Any) -> Any:
        """The items at these indices, in a container of the same kind."""
        if isinstance(sequence, list):
            return [sequence[i] for i in indices]
        if isinstance(sequence, tuple):
            return tuple(sequence[i] for i in indices)
        batch = sequence[indices]
        if isinstance(batch, (numpy.ndarray, self.xp.ndarray)):
            batch = self.as_contig(self.xp.asarray(batch))
        return batch


def _batch_sizes(size: Union[int, Generator], n_items: int) -> List[int]:
    """Sizes adding up to at least n_items."""
    drawn: Iterator[Any]
    if isinstance(size, (int, numpy.integer)):
        drawn = iter(())
        last: Optional[int] = int(size)
    elif hasattr(size, "__next__"):
        drawn = cast(Iterator[Any], size)
        last = None
    else:
        raise TypeError(
            f"minibatch: expected the batch size to be a number or an iterator of numbers, got {type(size)}"
        )
    sizes: List[int] = []
    total = 0
    while total < n_items:
        value = next(drawn, last)
        if value is None:
            raise ValueError("minibatch: the iterator of batch sizes is empty")
        last = int(value)
        if last < 1:
            raise ValueError(f"minibatch: batch size must be at least 1, got {value}")
        sizes.append(last)
        total += last
    return sizes


def _check_alike(arrays: Sequence[Any]) -> None:
    """Only the first dimension of sequences that share an array may differ."""
    first = arrays[0]
    if any(array.ndim != first.ndim for array in arrays):
        raise ValueError("Cannot pad sequences with different ndims")
    if any(array.dtype != first.dtype for array in arrays):
        raise ValueError("Cannot pad sequences with different dtypes")
    if any(array.shape[1:] != first.shape[1:] for array in arrays):
        raise ValueError("Cannot pad sequences that differ on other dimensions")


def _sizes(op: str, lengths: Any) -> List[int]:
    try:
        sizes = list(map(index, lengths.tolist() if hasattr(lengths, "tolist") else lengths))
    except TypeError:
        raise TypeError(f"{op}: expected lengths to be integers, got {str(lengths)[:50]}") from None
    if min(sizes, default=0) < 0:
        raise ValueError(f"{op}: expected lengths of 0 or more, got {min(sizes)}")
    return sizes


def _int_list(values: Any) -> List[int]:
    """Lengths or indices as Python numbers, wherever they are stored."""
    if hasattr(values, "tolist"):
        return values.tolist()
    return list(map(int, values))


__all__ = ["ListOps"]
