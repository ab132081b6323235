"""Copies and pickles of models: every node that is made gets an id of its own.

Trees may be deeper than Python's stack, so nothing here goes down a tree by calling itself. The functions whose first
argument is called `self` are methods of `Model`.
"""

import copy
import copyreg
import threading
import weakref
from typing import TYPE_CHECKING, Any, Dict, List, Tuple, TypeVar

from .._identity import identity_of, restored
from ..backends import ParamServer

if TYPE_CHECKING:
    from . import Model

SelfT = TypeVar("SelfT", bound="Model")

# Pickle goes down this many layers at most: it is handed the deeper ones before those that hold them.
_STRIDE = 16


def copy_tree(self: SelfT) -> SelfT:
    """A copy with new ids, own parameters, gradients and attrs.

    Forward and init functions are shared. A layer or shim that occurs twice is
    copied once. Refs into the tree point into the copy; others become unset.

    >>> layer = Linear(2, 3).initialize()
    >>> copied = layer.copy()
    >>> copied.set_param("b", numpy.ones(2, dtype="f"))
    >>> layer.get_param("b"), copied.get_param("b")
    (array([0., 0.], dtype=float32), array([1., 1.], dtype=float32))
    """
    nodes = list(self.walk())
    shims: Dict[int, Any] = {}
    copies: Dict[int, Model] = {}
    for node in nodes:
        for shim in node._shims:
            if id(shim) not in shims:
                shims[id(shim)] = shim.copy()
        copies[id(node)] = _copy_without_layers(node, [shims[id(s)] for s in node._shims])
    for node in nodes:
        twin = copies[id(node)]
        twin._layers.extend(copies[id(layer)] for layer in node._layers)
        twin._refs.update((name, copies.get(id(ref))) for name, ref in node._refs.items())
    return copies[id(self)]  # type: ignore[return-value]  # Model, as documented


def _copy_without_layers(node: "Model", shims: List[Any]) -> "Model":
    from . import Model

    params = {name: copy.deepcopy(node.maybe_get_param(name)) for name in node.param_names}
    twin: Model = Model(
        node.name,
        node._func,
        dims=node._dims,
        params=params,
        shims=shims,
        attrs=copy.deepcopy(node._attrs),
        ops=node.ops,  # type: ignore[arg-type]  # the parameter names two of the Ops
    )
    twin.init = node.init
    for name in node.grad_names:
        twin.set_grad(name, copy.deepcopy(node.get_grad(name)))
    return twin


# -- For the modules copy and pickle


def get_state(self: "Model") -> Tuple[Any, ...]:
    """(deep layers, __dict__ of a subclass, slots): the id stands in it as an Identity."""
    return (_deep_layers(self), *_own_state(self))


def set_state(self: "Model", state: Tuple[Any, ...]) -> None:
    attributes, slots = state[-2:]
    values = dict(slots)
    identity = restored(values.pop("id"))
    self.id = identity.claim(type(self)._new_id)
    server = values.pop("_params")
    for name, value in values.items():
        setattr(self, name, value)
    if attributes:
        self.__dict__.update(attributes)
    self._params = _renumber(server, identity.origin[1], self.id)


def copy_node(self: SelfT) -> SelfT:
    """For copy.copy: a node that shares everything with this one, arrays too, but its id."""
    twin = type(self).__new__(type(self))
    twin.__setstate__(_own_state(self))
    return twin


def deepcopy_tree(self: SelfT, memo: Dict[int, Any]) -> SelfT:
    """For copy.deepcopy: all nodes that layers and refs lead to are made first, and then filled."""
    found: Dict[int, Model] = {}
    stack: List[Any] = [self]
    while stack:
        node = stack.pop()
        if id(node) not in found and id(node) not in memo and _is_plain(node):
            found[id(node)] = node
            stack.extend(node._layers)
            stack.extend(ref for ref in node._refs.values() if ref is not None)
    for node in found.values():
        memo[id(node)] = type(node).__new__(type(node))
    for node in found.values():
        memo[id(node)].__setstate__(copy.deepcopy(_own_state(node), memo))
    return memo[id(self)]


def _is_plain(node: "Model") -> bool:
    """Whether a class keeps to our way of copying: a subclass may have its own."""
    from . import Model

    kind = type(node)
    return all(
        getattr(kind, name) is getattr(Model, name)
        for name in ("__deepcopy__", "__getstate__", "__setstate__", "__reduce_ex__", "__reduce__")
    )


def _own_state(node: "Model") -> Tuple[Any, Dict[str, Any]]:
    slots = {name: getattr(node, name) for name in copyreg._slotnames(type(node)) if hasattr(node, name)}  # type: ignore[attr-defined]  # (as copyreg does)
    slots["id"] = identity_of(node.id)
    return getattr(node, "__dict__", None), slots


def _renumber(server: ParamServer, old: int, new: int) -> ParamServer:
    """A server of the same arrays under a new model id."""
    renumbered = copy.copy(server)
    for values in ("_params", "_grads"):
        arrays = getattr(server, values)
        setattr(renumbered, values, {(new if key[0] == old else key[0], key[1]): a for key, a in arrays.items()})
    return renumbered


class _DeepLayers:
    """Every _STRIDE-th layer of a tree that is deeper than that, those at the bottom first; pickled as a list.

    As long as a pickler holds this, the layers of the tree need not state their own.
    """

    __slots__ = ("layers", "covered", "__weakref__")

    def __init__(self, root: "Model"):
        heights: Dict[int, int] = {}
        deep: Dict[int, List[Model]] = {}
        for node in root.walk(order="dfs_post"):
            height = heights[id(node)] = 1 + max((heights.get(id(layer), 0) for layer in node._layers), default=0)
            if height % _STRIDE == 0 and node is not root:
                deep.setdefault(height, []).append(node)
        self.layers = [node for height in sorted(deep) for node in deep[height]]
        self.covered = heights.keys() - {id(root)}

    def __reduce__(self) -> Any:
        return list, (self.layers,)


class _Covered(threading.local):
    def __init__(self) -> None:
        self.trees: weakref.WeakSet[_DeepLayers] = weakref.WeakSet()


_covered = _Covered()


def _deep_layers(root: "Model") -> Any:
    if not _is_deep(root) or any(id(root) in tree.covered for tree in _covered.trees):
        return ()
    tree = _DeepLayers(root)
    _covered.trees.add(tree)
    return tree


def _is_deep(root: "Model") -> bool:
    level = [root]
    seen = {id(root)}
    for _ in range(_STRIDE):
        level = [layer for node in level for layer in node._layers if id(layer) not in seen]
        seen.update(map(id, level))
        if not level:
            return False
    return True
