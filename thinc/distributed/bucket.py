"""The gradients of a tree as views into one flat array, so that an exchange needs no packing."""

from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy

from ..api import Model

LINE = 16  # floats: each parameter starts on a cache line
BLOCK = 32  # floats: the unit of what `pack` leaves out


class Place(NamedTuple):
    """A parameter by its place in the tree: ids are counted anew in each process, the order of the walk is not."""

    node: int  # in the order of Model.walk
    shim: int  # of the node; -1 for a parameter of its own
    name: str


class Slot:
    """A parameter of a node, and where it lies in the flat array."""

    def __init__(self, place: Place, owner: Any, start: int, array: numpy.ndarray):
        self.place, self.owner, self.start = place, owner, start
        self.shape, self.size = array.shape, array.size

    def view(self, flat: numpy.ndarray) -> numpy.ndarray:
        return flat[self.start : self.start + self.size].reshape(self.shape)

    def get(self) -> Optional[numpy.ndarray]:
        return self.owner.maybe_get_grad(self.place.name)

    def set(self, grad: numpy.ndarray) -> None:
        self.owner.set_grad(self.place.name, grad)


class TensorSlot(Slot):
    """A tensor of a shim around torch."""

    view_set: Any = None

    def get(self) -> Optional[numpy.ndarray]:
        grad = self.owner.grad
        if grad is None:
            return None
        # The tensor that was set shares the memory of the view, which is what the caller compares.
        if self.view_set is not None and grad.data_ptr() == self.view_set.ctypes.data:
            return self.view_set
        return (grad.to_dense() if grad.is_sparse else grad).detach().numpy()

    def set(self, grad: numpy.ndarray) -> None:
        import torch

        self.view_set = grad
        self.owner.grad = torch.from_numpy(grad)


class Bucket:
    """The flat gradients of a model, followed by `n_extra` numbers that travel with them.

    flat: one array of the parameters' dtype; parameters in the order of `slots`, each on a cache line, with zeros
        between; then for each slot 1 if it has a gradient (a parameter that nothing used gets no update, on any
        worker), then the extra numbers.

    Raises TypeError for parameters of several dtypes or on a GPU, and for a shim that is not one of torch; ValueError
    if the model has no parameters yet.

    model: initialized.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> model = Linear(2).initialize(X)
    >>> Y, backprop = model.begin_update(X)
    >>> dX = backprop(Y)
    >>> bucket = Bucket(model)
    >>> bucket.flat.dtype
    dtype('float32')
    """

    slots: List[Slot]

    def __init__(self, model: Model, n_extra: int = 0):
        self.slots = []
        end, dtype = 0, None
        for place, owner, array in _parameters(model):
            if dtype not in (None, array.dtype):
                raise TypeError(
                    f"Bucket: the parameter {_describe(model, place)} is {array.dtype}, those before it {dtype}. "
                    "Gradients travel in one array: give all parameters one dtype"
                )
            dtype = array.dtype
            kind = Slot if place.shim < 0 else TensorSlot
            self.slots.append(kind(place, owner, end, array))
            end += -(-array.size // LINE) * LINE
        if not self.slots:
            raise ValueError(f"Bucket: the model '{model.name}' has no parameters. Initialize it first")
        self.n_params = end
        self.flat = _aligned(end + len(self.slots) + n_extra, dtype)
        self.flags = self.flat[end : end + len(self.slots)]
        self.extra = self.flat[end + len(self.slots) :]

    def collect(self) -> None:
        """Move what backprop left into the flat array; gradients that are views of it already stay where they are."""
        for i, slot in enumerate(self.slots):
            grad = slot.get()
            self.flags[i] = grad is not None
            if grad is not None:
                view = slot.view(self.flat)
                if not _same_memory(grad, view):
                    view[...] = grad
                    slot.set(view)

    def release(self) -> None:
        """After the sum: each parameter that has a gradient on any worker has one here."""
        for slot, flag in zip(self.slots, self.flags):
            if flag > 0 and slot.get() is None:
                slot.set(slot.view(self.flat))


def _parameters(model: Model) -> Iterator[Tuple[Place, Any, numpy.ndarray]]:
    for i, node in enumerate(model.walk()):
        for name in node.param_names:
            if node.has_param(name):
                array: Any = node.get_param(name)
                if not isinstance(array, numpy.ndarray):
                    raise TypeError(
                        f"Bucket: the parameter '{name}' of '{node.name}' is a {type(array).__name__}, expected a "
                        "NumPy array: workers exchange arrays of the CPU. Call model.to_cpu() first"
                    )
                yield Place(i, -1, name), node, array
        for j, shim in enumerate(node.shims):
            module = shim._model
            if not hasattr(module, "named_parameters"):
                raise TypeError(
                    f"Bucket: '{node.name}' holds a {type(shim).__name__}, whose gradients are not within reach. "
                    "Expected layers of this library or of torch; train this model in one process"
                )
            for name, tensor in module.named_parameters():
                if tensor.requires_grad:
                    yield Place(i, j, name), tensor, tensor.detach().numpy()


def _describe(model: Model, place: Place) -> str:
    return f"'{place.name}' of '{list(model.walk())[place.node].name}'"


def _aligned(size: int, dtype: Any) -> numpy.ndarray:
    item = numpy.dtype(dtype).itemsize
    memory = numpy.zeros(size * item + 64, dtype="uint8")
    start = -memory.ctypes.data % 64
    return memory[start : start + size * item].view(dtype)


def _same_memory(a: numpy.ndarray, b: numpy.ndarray) -> bool:
    return a is b or (a.ctypes.data == b.ctypes.data and a.strides == b.strides and a.shape == b.shape)


# What travels: the rows of hash tables that a batch touched are few


class Packed(NamedTuple):
    """An array without the blocks of zeros."""

    size: int
    mask: numpy.ndarray  # a bit for each block
    blocks: numpy.ndarray  # (those that are not 0, BLOCK)


def nonzero_blocks(array: numpy.ndarray) -> numpy.ndarray:
    """Which whole blocks of a flat array hold anything but +0: (blocks,) bool."""
    whole = array[: array.size // BLOCK * BLOCK]
    bits = whole.view(f"u{array.itemsize}").reshape(-1, BLOCK)
    return numpy.any(bits, axis=1)  # type: ignore[return-value]  # of a matrix, an array


def pack(array: numpy.ndarray) -> Any:
    """A flat array in fewer bytes where much of it is 0, to the bit; else the array itself."""
    used = nonzero_blocks(array)
    if used.sum() >= 0.75 * used.size:
        return array
    whole = used.size * BLOCK
    blocks = array[:whole].reshape(-1, BLOCK)[used]
    return Packed(array.size, numpy.packbits(used), blocks), array[whole:]


def unpack(packed: Any) -> numpy.ndarray:
    """What `pack` was given; maybe the very array."""
    if isinstance(packed, numpy.ndarray):
        return packed
    (size, mask, blocks), rest = packed
    array = numpy.zeros(size, dtype=blocks.dtype)
    whole = size // BLOCK
    used = numpy.unpackbits(mask, count=whole).astype(bool)
    array[: whole * BLOCK].reshape(-1, BLOCK)[used] = blocks
    array[whole * BLOCK :] = rest
    return array


def n_bytes(message: Any) -> int:
    """The bytes of the arrays in nested lists and tuples, and of strings of bytes."""
    if isinstance(message, numpy.ndarray):
        return message.nbytes
    if isinstance(message, (list, tuple)):
        return sum(map(n_bytes, message))
    return len(message) if isinstance(message, bytes) else 8


def shares(indices: Sequence[int], n: int) -> List[Any]:
    """The parts of a batch: part i has every n-th example from the i-th on. Some are empty if there are too few."""
    return [indices[i::n] for i in range(n)]


def weight_of(loss: Any, n: int, of: int) -> Tuple[float, float]:
    """By what to multiply the gradient and the loss of n examples so that those of all parts add up to those of `of`.

    A loss with `normalize` divides its gradient by the number of examples that it sees. The loss is a sum of squares
    of that, except for the cosine distance.
    """
    if not getattr(loss, "normalize", True):
        return 1.0, 1.0
    weight = n / of
    return weight, weight if type(loss).__name__ == "CosineDistance" else weight * weight


__all__ = ["Bucket", "Place", "n_bytes", "nonzero_blocks", "pack", "shares", "unpack", "weight_of"]
