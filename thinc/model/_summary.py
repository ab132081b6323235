"""`Model.summary`: the tree of layers as a table, with shapes, sizes and, given a batch, time and FLOPs."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Tuple

from .._table import Table
from ._observe import Place, observed, places, rows_in, shape_of

if TYPE_CHECKING:
    from . import Model

REPEATS = 3  # calls with the batch; the fastest counts


@dataclass
class LayerRow:
    """One layer in one place of the tree.

    path, name, depth: where it is in the tree.  dims, params: by name.  n_params, n_bytes: in all.  repeated: whether
    it was listed before.  foreign, n_foreign: the framework of a wrapped layer, and its parameters.  input, output,
    calls, seconds, flops: of a batch.

    >>> row = chain(Relu(4, 3), Softmax(2, 4)).initialize().summary().rows[1]
    >>> row.path, row.name, row.n_params
    ('layers.0', 'relu', 16)
    """

    path: str  # "layers.0.layers.2"
    name: str
    depth: int
    dims: Dict[str, Optional[int]]
    params: Dict[str, Optional[Tuple[int, ...]]]  # shapes; None: not allocated yet
    n_params: int  # its own, without those of its layers; 0 where it stands again
    n_bytes: int
    repeated: bool = False  # it stood further up, too
    foreign: Optional[str] = None  # the shim that holds a layer of another framework
    n_foreign: Optional[int] = None  # parameters there; None: unknown
    input: str = ""  # shapes of its first call
    output: str = ""
    calls: int = 0
    seconds: float = 0.0  # in it, without its layers
    flops: Optional[int] = 0  # of its products with weights; None: unknown


@dataclass
class Summary:
    """What `Model.summary` returns: prints as a table, shows as HTML in notebooks, and holds the rows for programs.

    rows: of the layers.  measured: whether there was a batch.

    >>> X = numpy.ones((5, 3), dtype="f")
    >>> chain(Relu(4), Softmax(2)).initialize(X).summary(X).flops
    200
    """

    rows: List[LayerRow]
    measured: bool = False  # with a batch
    unallocated: int = field(init=False)

    def __post_init__(self) -> None:
        self.unallocated = sum(shape is None for row in self.rows for shape in row.params.values() if not row.repeated)

    @property
    def n_params(self) -> int:
        """Parameters of the tree, each once; without those of other frameworks."""
        return sum(row.n_params for row in self.rows)

    @property
    def n_bytes(self) -> int:
        return sum(row.n_bytes for row in self.rows)

    @property
    def seconds(self) -> float:
        return sum(row.seconds for row in self.rows)

    @property
    def flops(self) -> int:
        return sum(row.flops or 0 for row in self.rows)

    def __iter__(self) -> Iterator[LayerRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        return str(self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> Table:
        head = ["layer", "in", "out", "parameters", "bytes"]
        if self.measured:
            head += ["ms", "time", "MFLOP", "FLOPs"]
        cells = [self._cells(row) for row in self.rows]
        for branch, row in zip(self._branches(), cells):
            row[0] = f"{branch}{row[0]}"
        return Table(head, cells, self._total(), texts=3)

    def _cells(self, row: LayerRow) -> List[str]:
        size = f"{row.n_params:,}" if row.n_params else ""
        if row.repeated:
            size = "(above)"
        elif None in row.params.values():
            size = "not allocated"
        elif row.foreign:
            size = "?" if row.n_foreign is None else f"{row.n_foreign:,}"
        given, made = (row.input, row.output) if row.calls else (_dim(row, "nI"), _dim(row, "nO"))
        cells = [
            f"{row.name}{f' [{row.foreign}]' if row.foreign else ''}{f' × {row.calls}' if row.calls > 1 else ''}",
            given,
            made,
            size,
            readable(row.n_bytes) if row.n_bytes else "",
        ]
        if self.measured:
            cells += [
                f"{1e3 * row.seconds:.3f}" if row.calls else "not run",
                _share(row.seconds, self.seconds) if row.calls else "",
                "?" if row.flops is None else f"{row.flops / 1e6:,.3f}" if row.flops else "",
                _share(row.flops, self.flops) if row.flops else "",
            ]
        return cells

    def _branches(self) -> List[str]:
        """What stands before each name, so that the names form a tree."""
        branches: List[str] = []
        open_below: List[bool] = []  # whether more layers follow at each depth, seen from the end
        for row in reversed(self.rows):
            open_below = [*open_below, *[False] * (row.depth + 1 - len(open_below))][: row.depth + 1]
            stem = "".join("│  " if more else "   " for more in open_below[1 : row.depth])
            if row.depth:
                stem += "├─ " if open_below[row.depth] else "└─ "
            branches.append(stem)
            open_below[row.depth] = True
        return branches[::-1]

    def _total(self) -> str:
        parts = [f"{len(self.rows)} layers", f"{self.n_params:,} parameters", readable(self.n_bytes)]
        foreign = [row for row in self.rows if row.foreign and not row.repeated]
        if foreign:
            known = sum(row.n_foreign or 0 for row in foreign)
            parts.insert(2, f"{known:,} in other frameworks")
        if self.unallocated:
            parts.append(f"{self.unallocated} arrays not allocated yet: call initialize")
        if self.measured:
            parts += [f"{1e3 * self.seconds:.3f} ms", f"{self.flops / 1e6:,.3f} MFLOP"]
        return ", ".join(parts)


def summarize(model: "Model", X: Any = None) -> Summary:
    """See `Model.summary`."""
    rows = {place.position: _row(place) for place in places(model)}
    if X is not None:
        for repeat in range(REPEATS):
            timings = _Timings()
            with observed(model, timings):
                model.predict(X)
            for position, row in rows.items():
                seconds = timings.seconds.get(position, 0.0)
                row.seconds = seconds if repeat == 0 else min(row.seconds, seconds)
        for position, (given, made) in timings.shapes.items():
            row = rows.setdefault(position, _row(timings.places[position]))
            row.input, row.output = given, made
            row.calls, row.flops = timings.calls[position], timings.flops[position]
        rows = dict(sorted(rows.items()))
    return Summary(list(rows.values()), measured=X is not None)


class _Timings:
    """A watcher that adds up the time and the work of each place."""

    def __init__(self) -> None:
        self.places: Dict[Any, Place] = {}
        self.shapes: Dict[Any, Tuple[str, str]] = {}
        self.calls: Dict[Any, int] = {}
        self.seconds: Dict[Any, float] = {}
        self.flops: Dict[Any, Optional[int]] = {}
        self.below: List[float] = [0.0]  # time in the layers that each call under way has called

    def __call__(self, place: Place, forward: Callable, X: Any, is_train: bool) -> Tuple[Any, Callable]:
        self.below.append(0.0)
        start = time.perf_counter()
        Y, backprop = forward(X, is_train)
        taken = time.perf_counter() - start
        key = place.position
        self.seconds[key] = self.seconds.get(key, 0.0) + taken - self.below.pop()
        self.calls[key] = self.calls.get(key, 0) + 1
        if key not in self.shapes:
            self.places[key] = place
            self.shapes[key] = (shape_of(X), shape_of(Y))
        work, before = flops_of(place.node, X), self.flops.get(key, 0)
        self.flops[key] = None if work is None or before is None else before + work
        # What was spent here is not of the caller: reading shapes, too.
        self.below[-1] += time.perf_counter() - start
        return Y, backprop


FLOPS: Dict[Callable, Callable[["Model", Any], int]] = {}  # by forward function


def flops_rule(forward: Callable) -> Callable:
    """Register how the FLOPs of a layer are counted: @flops_rule(forward) over a function (model, X) -> int.

    forward: of the layer.

    >>> def forward(model, X, is_train):
    ...     return X * X, lambda dY: 2 * X * dY
    >>> @flops_rule(forward)
    ... def flops(model, X):
    ...     return X.size
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> Model("square", forward).summary(X).flops
    15
    """

    def register(rule: Callable[["Model", Any], int]) -> Callable:
        FLOPS[forward] = rule
        return rule

    return register


def flops_of(node: "Model", X: Any) -> Optional[int]:
    """Multiplications and additions in the products of this call with the weights of the node itself.

    N rows times W of any shape: 2 N |W|; attention: 4 N O (scores, and the weighting of rows); LSTM: 2 N (|W| + |U|);
    SparseLinear: 4 K O for K features, of which each has two weights a class. None for layers of other frameworks.
    """
    rule = FLOPS.get(getattr(node._func, "__wrapped__", node._func))
    if rule is not None:
        return rule(node, X)
    if node.shims:
        return None
    if node.has_param("LSTM"):
        nH = node.get_dim("nO") // node.get_dim("dirs")
        biases = 8 * nH * node.get_dim("depth") * node.get_dim("dirs")
        return 2 * rows_in(X) * (int(node.get_param("LSTM").size) - biases)
    if node.has_param("W"):
        W: Any = node.get_param("W")
        if W.ndim == 1:  # hashed features: keys, values, lengths
            return 4 * rows_in(X[0]) * node.get_dim("nO")
        return 2 * rows_in(X) * int(W.size)
    if node.has_param("Q"):
        return 4 * rows_in(X) * node.get_dim("nO")
    return 0


def _row(place: Place) -> LayerRow:
    node = place.node
    arrays = {name: node.maybe_get_param(name) for name in node.param_names}
    own = [] if place.repeated else [array for array in arrays.values() if array is not None]
    return LayerRow(
        path=place.path,
        name=place.kind,
        depth=len(place.position),
        dims={name: node.maybe_get_dim(name) for name in node.dim_names},
        params={name: None if array is None else tuple(array.shape) for name, array in arrays.items()},
        n_params=sum(int(array.size) for array in own),
        n_bytes=sum(int(array.nbytes) for array in own),
        repeated=place.repeated,
        foreign=", ".join(type(shim).__name__ for shim in node.shims) or None,
        n_foreign=_count_foreign(node) if node.shims and not place.repeated else None,
    )


def _count_foreign(node: "Model") -> Optional[int]:
    """Parameters in the shims of a node, as far as their frameworks say."""
    total = 0
    for shim in node.shims:
        inner = shim._model
        if hasattr(inner, "count_params"):  # Keras
            total += int(inner.count_params())
        elif hasattr(inner, "parameters"):  # PyTorch
            total += sum(int(parameter.numel()) for parameter in inner.parameters())
        elif hasattr(shim, "_leaves"):  # JAX
            total += sum(int(leaf.size) for leaf in shim._leaves)
        else:
            return None
    return total


def one_line(model: "Model") -> str:
    """For `repr`: name, dims and size, in at most 120 characters."""
    sizes = [node.maybe_get_param(name) for node in model.walk() for name in node.param_names]
    total = f"{sum(int(array.size) for array in sizes if array is not None):,} parameters"
    missing = sum(array is None for array in sizes)
    if missing:
        total += f", {missing} arrays not allocated"
    dims = "".join(f"{name}={model.maybe_get_dim(name) or '?'}, " for name in model.dim_names)
    room = max(120 - len(f"<Model '': {dims}{total}>"), 2)
    name = model.name if len(model.name) <= room else f"{model.name[: room - 1]}…"
    return f"<Model '{name}': {dims}{total}>"


def readable(n_bytes: int) -> str:
    """E.g. "1.4 kB", "6.0 MB": powers of ten."""
    size, units = float(n_bytes), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def _dim(row: LayerRow, name: str) -> str:
    return f"{name}={row.dims[name]}" if row.dims.get(name) is not None else ""


def _share(part: Optional[float], whole: float) -> str:
    return f"{100 * (part or 0) / whole:.0f} %" if whole else ""
