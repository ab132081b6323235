"""The model: a forward function with its parameters, dimensions and child layers.

There is one class, and layers are instances of it: `Linear()` returns a `Model` whose
forward function knows how to multiply. A tree of such nodes is again a model.

Over 500 lines: the methods of one class, which are the interface; longer ones stand in
the files beside this one.
"""

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ClassVar,
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

from .. import _identity, compat
from .._array_types import FloatsXd, ParamXd
from ..backends import CupyOps, NumpyOps, Ops, ParamServer, get_current_ops
from ..backends._updates import UpdateError
from ..util import DATA_VALIDATION, validate_fwd_input_output, validates  # noqa: F401  (the first is passed on)
from . import _copies, _load, _safetensors, _serialize
from ._errors import MissingError, check_answer, describe_dims, note_layer, refused_batch, warn_of_no_gradient
from ._guards import Backprop, Replaced  # type: ignore[import-not-found]  # compiled
from ._operators import InT, Operators, OutT, context_operators  # noqa: F401  (passed on)
from ._serialize import deserialize_attr, serialize_attr
from ._shapes import check_shape
from ._tree import (
    _ModelT,  # noqa: F401  (passed on)
    change_attr_values,
    holds,
    remove_node,
    replace_node,
    replace_nodes,
    set_dropout_rate,
    walk_bfs,
    walk_dfs,
    wrap_model_recursive,
)

if TYPE_CHECKING:
    from ..optimizers import Optimizer
    from ..shims.shim import Shim
    from ._summary import Summary

SelfT = TypeVar("SelfT", bound="Model")

# How many calls of `initialize` are under way, one in another.
initializing: ContextVar[int] = ContextVar("thinc_initializing", default=0)


def empty_init(model: "Model", *args: Any, **kwargs: Any) -> "Model":
    """The init function of a layer that needs none."""
    return model


class Model(Operators[InT, OutT]):
    """A forward function and what it needs: dims, params, attrs, refs, child layers.

    `forward(model, X, is_train) -> (Y, backprop)` computes the output and a callback
    that takes the gradient of Y, adds to the gradients of the parameters and returns
    the gradient of X. `init(model, X, Y)` infers missing dims from sample data and
    allocates the parameters.

    name: for messages and configs.  forward, init: see above.  dims: widths, None where they are not known yet.
    params: arrays, None before `init`.  layers: children.  shims: models of other frameworks.  attrs: settings,
    saved with the model.  refs: nodes of the tree by name.  ops: the backend, by default the current one.

    >>> def forward(model, X, is_train):
    ...     scale = model.attrs["scale"]
    ...     return X * scale, lambda dY: dY * scale
    >>> model = Model("scaled", forward, attrs={"scale": 3.0})
    >>> Y, backprop = model(numpy.ones((1, 2), dtype="f"), is_train=True)
    >>> Y, backprop(Y)
    (array([[3., 3.]], dtype=float32), array([[9., 9.]], dtype=float32))
    """

    global_id: ClassVar[int] = 0
    global_id_lock: ClassVar[Any] = threading.Lock()

    name: str
    id: int
    ops: Ops
    _func: Callable
    init: Optional[Callable]
    _params: ParamServer
    _dims: Dict[str, Optional[int]]
    _attrs: Dict[str, Any]
    _refs: Dict[str, Optional["Model"]]
    _layers: List["Model"]
    _shims: List["Shim"]
    _has_params: Dict[str, Optional[bool]]

    __slots__ = ("name id ops _func init _params _dims _attrs _refs _layers _shims _has_params").split()

    def __init__(
        self,
        name: str,
        forward: Callable,
        *,
        init: Optional[Callable[..., Any]] = None,
        dims: Dict[str, Optional[int]] = {},
        params: Mapping[str, Optional[FloatsXd]] = {},
        layers: Sequence["Model"] = [],
        shims: List["Shim"] = [],
        attrs: Dict[str, Any] = {},
        refs: Dict[str, Optional["Model"]] = {},
        ops: Optional[Union[NumpyOps, CupyOps]] = None,
    ):
        self.name = name
        self._func = forward
        self.init = empty_init if init is None else init
        self.ops = get_current_ops() if ops is None else ops
        self._params = ParamServer()
        self._dims = dict(dims)
        self._attrs = dict(attrs)
        self._refs = dict(refs)
        self._layers = list(layers)
        self._shims = list(shims)
        self._has_params = dict.fromkeys(params)
        self.id = Model._new_id()
        for key, value in params.items():
            if value is not None:
                self.set_param(key, value)

    @staticmethod
    def _new_id() -> int:
        with Model.global_id_lock:
            Model.global_id += 1
            return Model.global_id

    @property
    def layers(self) -> List["Model"]:
        """The child layers: the list itself, which may be edited.

        >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
        >>> [layer.name for layer in model.layers]
        ['relu', 'softmax']
        """
        return self._layers

    @property
    def shims(self) -> List["Shim"]:
        """The wrapped objects of other frameworks: the list itself.

        >>> Linear().shims
        []
        """
        return self._shims

    @property
    def attrs(self) -> Dict[str, Any]:
        """Settings that are not learned: the dict itself, which may be edited.

        >>> Dropout(0.2).attrs
        {'dropout_rate': 0.2, 'is_enabled': True}
        """
        return self._attrs

    # -- Names. has_* has three answers: False is unknown, None is known but unset.

    @property
    def param_names(self) -> Tuple[str, ...]:
        """The names of the parameters, set or not.

        >>> Linear().param_names
        ('W', 'b')
        """
        return tuple(self._has_params)

    @property
    def grad_names(self) -> Tuple[str, ...]:
        """The names of the parameters that have a gradient.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.inc_grad("b", numpy.ones(2, dtype="f"))
        >>> layer.grad_names
        ('b',)
        """
        return tuple(name for name in self._has_params if self.has_grad(name))

    @property
    def dim_names(self) -> Tuple[str, ...]:
        """The names of the dims.

        >>> Linear().dim_names
        ('nO', 'nI')
        """
        return tuple(self._dims)

    @property
    def ref_names(self) -> Tuple[str, ...]:
        """The names of the refs.

        >>> Linear().ref_names
        ()
        """
        return tuple(self._refs)

    # -- Dims

    def has_dim(self, name: str) -> Optional[bool]:
        """True or False, None if it is there but unset.

        name: such as "nO".

        >>> layer = Linear(2)
        >>> layer.has_dim("nO"), layer.has_dim("nI"), layer.has_dim("nP")
        (True, None, False)
        """
        if name not in self._dims:
            return False
        return None if self._dims[name] is None else True

    def get_dim(self, name: str) -> int:
        """The width of that name.

        KeyError if there is no such dim, ValueError if it is unset.

        name: such as "nO".

        >>> Linear(2, 3).get_dim("nO")
        2
        """
        value = self._dims.get(name)
        if value is None:
            raise self._no_dim(name)
        return value

    def set_dim(self, name: str, value: int, *, force: bool = False) -> None:
        """KeyError if there is no such dim, ValueError if it has another value.

        `force` allows the change as long as no parameter is set.

        name: such as "nO".  value: the width.

        >>> layer = Linear(nO=2)
        >>> layer.set_dim("nI", 3)
        >>> layer.initialize()
        <Model 'linear': nO=2, nI=3, 8 parameters>
        """
        if name not in self._dims:
            raise MissingError(
                f"Cannot set unknown dimension '{name}' for model '{self.name}': it has {list(self._dims)}"
            )
        old = self._dims[name]
        if old is not None and old != value:
            if not force or any(self._has_params.values()):
                raise ValueError(f"Attempt to change dimension '{name}' for model '{self.name}' from {old} to {value}")
        self._dims[name] = value

    def maybe_get_dim(self, name: str) -> Optional[int]:
        """The width, or None.

        name: such as "nO".

        >>> print(Linear(2).maybe_get_dim("nI"))
        None
        """
        return self._dims.get(name)

    def _no_dim(self, name: str) -> Exception:
        text = f"Cannot get dimension '{name}' for model '{self.name}'"
        if name not in self._dims:
            return MissingError(f"{text}: it has {list(self._dims)}")
        return ValueError(
            f"{text}: value unset ({describe_dims(self)}). Give it when the layer is "
            f"made, or call model.initialize(X=..., Y=...) with sample data"
        )

    # -- Params

    def has_param(self, name: str) -> Optional[bool]:
        """True or False, None if it is there but unset.

        name: such as "W".

        >>> Linear(2).has_param("W"), Linear(2, 3).initialize().has_param("W")
        (None, True)
        """
        return self._has_params.get(name, False)

    def get_param(self, name: str) -> ParamXd:
        """The array itself. KeyError if there is none, or none yet.

        name: such as "W".

        >>> layer = Linear(2, 3).initialize()
        >>> layer.get_param("W").shape
        (2, 3)
        """
        server = self._params
        try:
            # The body of ParamServer.get_param: this is called in every forward pass,
            # and a second method call would cost a third of the time.
            if server.proxy is None:
                return server._params[self.id, name]
            return server.get_param(self.id, name)
        except KeyError:
            raise self._no_param(name) from None

    def maybe_get_param(self, name: str) -> Optional[ParamXd]:
        """The parameter, or None.

        name: such as "W".

        >>> print(Linear(2).maybe_get_param("W"))
        None
        """
        return self.get_param(name) if self._has_params.get(name) else None

    def set_param(self, name: str, value: Optional[FloatsXd]) -> None:
        """Store the array itself; None marks the parameter as unset.  ValueError for a shape that the dims forbid.

        name: such as "W".

        value: the array.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.set_param("b", numpy.ones(2, dtype="f"))
        >>> layer.predict(numpy.zeros((1, 3), dtype="f"))
        array([[1., 1.]], dtype=float32)
        """
        if value is None:
            self._has_params[name] = None
        else:
            check_shape(self, name, value)
            self._params.set_param(self.id, name, value)
            self._has_params[name] = True

    def _no_param(self, name: str) -> Exception:
        if name not in self._has_params:
            return MissingError(f"Unknown param '{name}' for model '{self.name}': it has {list(self._has_params)}")
        dims = describe_dims(self)
        return MissingError(
            f"Parameter '{name}' for model '{self.name}' has not been allocated yet"
            f"{f' ({dims})' if dims else ''}. Call model.initialize(X=..., Y=...) first"
        )

    # -- Gradients

    def has_grad(self, name: str) -> bool:
        """Whether the parameter has a gradient.

        name: of the parameter.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.has_grad("W")
        False
        """
        return self._params.has_grad(self.id, name)

    def get_grad(self, name: str) -> ParamXd:
        """The array itself. KeyError if there is none.

        name: of the parameter.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.inc_grad("b", numpy.ones(2, dtype="f"))
        >>> layer.get_grad("b")
        array([1., 1.], dtype=float32)
        """
        return self._params.get_grad(self.id, name)

    def maybe_get_grad(self, name: str) -> Optional[ParamXd]:
        """The gradient, or None.

        name: of the parameter.

        >>> print(Linear(2).maybe_get_grad("W"))
        None
        """
        return self.get_grad(name) if self.has_grad(name) else None

    def set_grad(self, name: str, value: FloatsXd) -> None:
        """Store the array itself as the gradient.

        name: of the parameter.

        value: of its shape.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.set_grad("b", numpy.ones(2, dtype="f"))
        >>> layer.get_grad("b")
        array([1., 1.], dtype=float32)
        """
        self._params.set_grad(self.id, name, value)

    def inc_grad(self, name: str, value: FloatsXd) -> None:
        """Add to the gradient; the first time, start with a copy of `value`.

        name: of the parameter.  value: of its shape.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.inc_grad("b", numpy.ones(2, dtype="f"))
        >>> layer.inc_grad("b", numpy.ones(2, dtype="f"))
        >>> layer.get_grad("b")
        array([2., 2.], dtype=float32)
        """
        self._params.inc_grad(self.id, name, value)

    def clear_gradients(self) -> None:
        """Drop all gradients of the tree, e.g. those that a failed backward pass left.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.inc_grad("b", numpy.ones(2, dtype="f"))
        >>> layer.clear_gradients()
        >>> layer.has_grad("b")
        False
        """
        for node in self.walk():
            node._params._grads.clear()
            for shim in node._shims:
                if hasattr(shim, "clear_gradients"):
                    shim.clear_gradients()

    def get_gradients(self) -> Dict[Tuple[int, str], Tuple[ParamXd, ParamXd]]:
        """(param, gradient) by (node id, name), over the tree.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.inc_grad("b", numpy.ones(2, dtype="f"))
        >>> [name for _, name in layer.get_gradients()]
        ['b']
        """
        return {
            (node.id, name): (node.get_param(name), node.get_grad(name))
            for node in self.walk()
            for name in node.grad_names
        }

    # -- Refs: names for nodes further down the tree

    def has_ref(self, name: str) -> Optional[bool]:
        """True or False, None if it is there but unset.

        name: of the ref.

        >>> Linear(2).has_ref("output")
        False
        """
        if name not in self._refs:
            return False
        return None if self._refs[name] is None else True

    def get_ref(self, name: str) -> "Model":
        """The node of that name.

        KeyError if there is no such ref, ValueError if it is unset.

        name: of the ref.

        >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
        >>> model.set_ref("output", model.layers[1])
        >>> model.get_ref("output").name
        'softmax'
        """
        node = self._refs.get(name)
        if node is None:
            text = f"Cannot get reference '{name}' for model '{self.name}'"
            if name not in self._refs:
                raise MissingError(f"{text}: it has {list(self._refs)}")
            raise ValueError(f"{text}: value unset. Use set_ref first")
        return node

    def maybe_get_ref(self, name: str) -> Optional["Model"]:
        """The node, or None.

        name: of the ref.

        >>> print(Linear(2).maybe_get_ref("output"))
        None
        """
        return self._refs.get(name)

    def set_ref(self, name: str, value: Optional["Model"]) -> None:
        """ValueError if the node is not part of this tree. None unsets.

        name: of the ref.  value: the node.

        >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
        >>> model.set_ref("output", model.layers[1])
        >>> model.ref_names
        ('output',)
        """
        if value is not None and not holds(self, value):
            raise ValueError(
                f"Cannot add reference '{name}' to a node not in tree: '{value.name}' "
                f"is not among the layers of '{self.name}'"
            )
        self._refs[name] = value

    # -- Running

    def __call__(self, X: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
        """Run the forward function: (Y, backprop)."""
        try:
            answer = self._func(self, X, is_train=is_train)
            if type(answer) is tuple and len(answer) == 2:
                return answer
            return check_answer(answer, self)
        except Exception as error:
            arrays = refused_batch(error, self, X)
            if arrays is None:
                note_layer(error, self, X)
                raise
        return self(arrays, is_train)

    def begin_update(self, X: InT) -> Tuple[OutT, Callable[[OutT], InT]]:
        """Run on a training batch: (Y, backprop).  X may be a batch of another package, as in `predict`.

        What fails in the callback says in which layer. Gradients that it had added by
        then stay: `clear_gradients` drops them.
        X: the batch.

        >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
        >>> X = numpy.ones((5, 3), dtype="f")
        >>> Y, backprop = model.begin_update(X)
        >>> dX = backprop(Y - 0.5)
        >>> dX.shape, model.layers[1].has_grad("W")
        ((5, 3), True)
        """
        try:
            answer = self._func(self, X, is_train=True)
            Y, backprop = answer if type(answer) is tuple and len(answer) == 2 else check_answer(answer, self)
            return Y, Backprop(backprop, self, Y)
        except Exception as error:
            arrays = refused_batch(error, self, X)
            if arrays is None:
                note_layer(error, self, X)
                raise
        return self.begin_update(arrays)

    def predict(self, X: InT) -> OutT:
        """Run without training: Y.

        Tensors of torch, frames of pandas, arrays and tables of Arrow and columns of Hugging Face datasets are read as
        arrays where the layers take none of theirs; so they are by `begin_update` and `initialize`.

        X: the batch.

        >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
        >>> X = numpy.ones((5, 3), dtype="f")
        >>> model.predict(X).shape
        (5, 2)
        """
        try:
            answer = self._func(self, X, is_train=False)
            if type(answer) is tuple and len(answer) == 2:
                return answer[0]
            return check_answer(answer, self)[0]
        except Exception as error:
            arrays = refused_batch(error, self, X)
            if arrays is None:
                note_layer(error, self, X)
                raise
        return self.predict(arrays)

    def initialize(self, X: Optional[InT] = None, Y: Optional[OutT] = None) -> "Model[InT, OutT]":
        """Infer missing dims from sample data and allocate the parameters.

        Inside `data_validation(True)`, DataValidationError if the data does not fit the
        annotations of the forward function.

        X, Y: a batch of inputs and of outputs, or either.  Returns the model.

        >>> X = numpy.ones((5, 3), dtype="f")
        >>> chain(Relu(4), Softmax(2)).initialize(X)
        <Model 'relu>>softmax': nO=2, nI=3, 26 parameters>
        """
        token = initializing.set(initializing.get() + 1)
        try:
            if validates():
                validate_fwd_input_output(self.name, self._func, X, Y)
            if self.init is not None:
                self.init(self, X=X, Y=Y)
        except Exception as error:
            arrays, targets = refused_batch(error, self, X), refused_batch(error, self, Y)
            if arrays is None and targets is None:
                note_layer(error, self, X)
                raise
        else:
            return self
        finally:
            initializing.reset(token)
        return self.initialize(X if arrays is None else arrays, Y if targets is None else targets)

    def finish_update(self, optimizer: "Optimizer") -> None:
        """Update all parameters that have a gradient, which becomes 0; those of shims first.

        A warning if the tree has parameters and none of them ever had a gradient.

        optimizer: called for each of them.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.set_grad("b", numpy.ones(2, dtype="f"))
        >>> layer.finish_update(SGD(0.1))
        >>> layer.get_param("b")
        array([-0.07071068, -0.07071068], dtype=float32)
        """
        nodes = list(self.walk())
        for node in nodes:
            for shim in node._shims:
                shim.finish_update(optimizer)
        if not _update_params(nodes, optimizer):
            if not any(node._params._grads or node._shims or node._params.proxy for node in nodes):
                warn_of_no_gradient(self)

    def replace_callbacks(self, forward: Callable, *, init: Optional[Callable[..., Any]] = None) -> None:
        """Set the forward function and the init function (None: there is none).

        forward: (model, X, is_train) -> (Y, backprop).  init: (model, X, Y) -> None.

        >>> layer = noop()
        >>> layer.replace_callbacks(lambda model, X, is_train: (2 * X, lambda dY: 2 * dY))
        >>> layer.predict(21)
        42
        """
        self._func = forward
        self.init = init

    def use_params(self, params: Mapping[Tuple[int, str], FloatsXd]) -> ContextManager[None]:
        """Work with other parameters inside a block, e.g. `optimizer.averages`.

        Keys are (node id, name); those that are not in this tree are ignored. The old
        parameters come back at the end, also after an exception or a Ctrl-C.

        params: the arrays.

        >>> layer = Linear(2, 3).initialize()
        >>> with layer.use_params({(layer.id, "b"): numpy.ones(2, dtype="f")}):
        ...     layer.get_param("b")
        array([1., 1.], dtype=float32)
        >>> layer.get_param("b")
        array([0., 0.], dtype=float32)
        """
        entries: List[Any] = []
        contexts: List[Any] = []
        for node in self.walk():
            for name in node._has_params:
                key = (node.id, name)
                if key in params:
                    node.get_param(name)  # (says so if there is none)
                    check_shape(node, name, params[key])
                    if node._params.proxy is None:
                        entries.append((node._params._params, key, params[key]))
                    else:
                        contexts.append(_use_param(node, name, params[key]))
            contexts.extend(shim.use_params(params) for shim in node._shims)
        return Replaced(entries, contexts)

    # -- Looking at it. (What that takes is imported when somebody does: a service never may.)

    def __repr__(self) -> str:
        from ._summary import one_line

        return one_line(self)

    def summary(self, X: Optional[InT] = None) -> "Summary":
        """The tree as a table: layers, widths, parameters, bytes.

        Given a batch X, also the shapes in and out, the time of a prediction and the FLOPs of each layer, with their
        shares. It prints as a table, shows as HTML in notebooks, and its `rows` are for programs.

        >>> X = numpy.ones((5, 3), dtype="f")
        >>> print(chain(Relu(4), Softmax(2)).initialize(X).summary())
        layer       in    out   parameters  bytes
        -----------------------------------------
        chain       nI=3  nO=2
        ├─ relu     nI=3  nO=4          16   64 B
        └─ softmax  nI=4  nO=2          10   40 B
        <BLANKLINE>
        3 layers, 26 parameters, 104 B
        """
        from ._summary import summarize

        return summarize(self, X)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # -- The tree

    def walk(self, *, order: str = "bfs") -> Iterable["Model"]:
        """Each node of the tree once, this one included.

        Order: "bfs" breadth first, "dfs_pre" each node before its layers, "dfs_post"
        each node after its layers.

        order: one of these.

        >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
        >>> [node.name for node in model.walk()]
        ['relu>>softmax', 'relu', 'softmax']
        """
        if order == "bfs":
            return walk_bfs(self)
        elif order == "dfs_pre":
            return walk_dfs(self, post_order=False)
        elif order == "dfs_post":
            return walk_dfs(self, post_order=True)
        raise ValueError(f"Invalid order: expected 'bfs', 'dfs_pre' or 'dfs_post', got {order!r}")

    # (these stand in _tree.py)
    remove_node = remove_node
    replace_node = replace_node
    replace_nodes = replace_nodes

    # (these stand in _copies.py)
    copy = _copies.copy_tree
    __copy__ = _copies.copy_node
    __deepcopy__ = _copies.deepcopy_tree
    __getstate__ = _copies.get_state
    __setstate__ = _copies.set_state

    def to_gpu(self, gpu_id: int) -> None:
        """Move the tree to a CUDA device, in place.

        gpu_id: which one.

        >>> import cupy
        >>> layer = Linear(2, 3).initialize()
        >>> layer.to_gpu(0)
        >>> layer.ops.device_type
        'gpu'
        """
        cupy = compat.require_cupy(f"Model.to_gpu: moving '{self.name}' to a GPU")
        with cupy.cuda.device.Device(gpu_id):
            self._to_ops(CupyOps())

    def to_cpu(self) -> None:
        """Move the tree to the CPU, in place.

        >>> layer = Linear(2, 3).initialize()
        >>> layer.to_cpu()
        >>> layer.ops.device_type
        'cpu'
        """
        self._to_ops(NumpyOps())

    def _to_ops(self, ops: Ops) -> None:
        """All arrays are converted before the first is stored: a device may be too small."""
        nodes = list(self.walk())
        params, grads = [], []
        for node in nodes:
            for name in node._has_params:
                if node.has_param(name):
                    params.append((node, name, ops.asarray_f(node.get_param(name))))
                if node.has_grad(name):
                    grads.append((node, name, ops.asarray_f(node.get_grad(name))))
        for node in nodes:
            for shim in node._shims:
                shim.to_device(ops.device_type, ops.device_id)
        for node in nodes:
            node.ops = ops
        for node, name, array in params:
            node.set_param(name, array)
        for node, name, array in grads:
            node.set_grad(name, array)

    # -- Serialization: these are methods that stand in _serialize.py, _load.py and _safetensors.py

    to_dict = _serialize.to_dict
    from_dict = _load.from_dict
    can_from_dict = _load.can_from_dict
    to_bytes = _serialize.to_bytes
    from_bytes = _load.from_bytes
    can_from_bytes = _load.can_from_bytes
    to_disk = _serialize.to_disk
    from_disk = _serialize.from_disk
    can_from_disk = _serialize.can_from_disk
    to_safetensors = _safetensors.to_safetensors
    from_safetensors = _safetensors.from_safetensors


@contextmanager
def _use_param(node: Model, name: str, value: FloatsXd) -> Iterator[None]:
    """A parameter that lives elsewhere, replaced for a while."""
    before = node.get_param(name)
    try:
        node.set_param(name, value)
        yield
    finally:
        node.set_param(name, before)


def _update_params(nodes: List[Model], optimizer: "Optimizer") -> bool:
    """Hand the optimizer each parameter that has a gradient, with the gradient.  Whether there are any."""
    owners: List[Tuple[Model, str]] = []
    parameters: List[Tuple[Tuple[int, str], FloatsXd, FloatsXd]] = []
    for node in nodes:
        for name in node._has_params:
            key = (node.id, name)
            grad = node._params._grads.get(key)
            if grad is not None:
                owners.append((node, name))
                parameters.append((key, node.get_param(name), grad))
    if hasattr(optimizer, "update_all"):
        try:
            updated = optimizer.update_all(parameters)
        except UpdateError as error:
            name = next(node.name for node, _ in owners if node.id == error.key[0])
            raise ValueError(f"finish_update of layer '{name}': {error}. Nothing was updated") from None
    else:  # something else that is called like one
        updated = [optimizer(*parameter)[0] for parameter in parameters]
    for (node, name), (_, old, _), new in zip(owners, parameters, updated):
        if new is not old:  # most are updated in place
            node.set_param(name, new)
    return bool(parameters)


_identity.last_node = lambda: Model.global_id

__all__ = [
    "Model",
    "serialize_attr",
    "deserialize_attr",
    "change_attr_values",
    "set_dropout_rate",
    "wrap_model_recursive",
]
