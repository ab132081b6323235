"""Walking over the nodes of a model, and changing many of them at once.

The functions whose first argument is called `self` are methods of `Model`.
"""

from collections import deque
from itertools import repeat
from operator import is_
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Sequence, Set, TypeVar

if TYPE_CHECKING:
    from . import Model

_ModelT = TypeVar("_ModelT", bound="Model")


def walk_bfs(root: "Model") -> Iterator["Model"]:
    """Each node once, those nearest to the root first."""
    seen: Set[int] = set()
    queue = deque([root])
    while queue:
        node = queue.popleft()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            queue.extend(node._layers)


def walk_dfs(root: "Model", *, post_order: bool) -> Iterator["Model"]:
    """Each node once, where it is met first; before or after the nodes below it."""
    # A stack of iterators, since models may be deeper than Python's own stack.
    seen = {id(root)}
    stack = [(root, iter(root._layers))]
    if not post_order:
        yield root
    while stack:
        node, children = stack[-1]
        for child in children:
            if id(child) not in seen:
                seen.add(id(child))
                stack.append((child, iter(child._layers)))
                if not post_order:
                    yield child
                break
        else:
            stack.pop()
            if post_order:
                yield node


def remove_node(self: "Model", node: "Model") -> None:
    """Remove a node wherever it occurs. Refs to what is gone become unset.

    node: of the tree.

    >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
    >>> model.remove_node(model.layers[1])
    >>> [layer.name for layer in model.layers]
    ['relu']
    """
    for parent in list(self.walk()):
        parent._layers[:] = [layer for layer in parent._layers if layer is not node]
    rest = list(self.walk())
    kept = {id(each) for each in rest}
    for each in rest:
        for name, ref in each._refs.items():
            if ref is not None and id(ref) not in kept:
                each._refs[name] = None


def replace_node(self: "Model", old: "Model", new: "Model") -> bool:
    """Put `new` wherever `old` occurs, in layers and in refs. `new` may hold `old`.

    Returns whether `old` is in the tree. The root has nothing above it in which it
    could be replaced. For many nodes at once `replace_nodes` takes one walk.

    >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
    >>> model.replace_node(model.layers[0], Gelu(4, 3))
    True
    >>> [layer.name for layer in model.layers]
    ['gelu', 'softmax']
    """
    return _put(self, {id(old): new})


def replace_nodes(self: "Model", mapping: Dict["Model", "Model"]) -> None:
    """As replace_node for each pair of old and new, in one walk over the tree as it is before.

    mapping: old -> new.

    >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
    >>> model.replace_nodes({layer: noop() for layer in model.layers})
    >>> [layer.name for layer in model.layers]
    ['noop', 'noop']
    """
    _put(self, {id(old): new for old, new in mapping.items()})


def _put(root: "Model", new: Dict[int, "Model"]) -> bool:
    """Replace layers and refs of all nodes, by id of the old ones; not a ref to itself. Whether there were any.

    What is put in is not walked. Most nodes hold nothing, and are not visited.
    """
    found = id(root) in new
    nodes, seen = [root], {id(root)}
    for node in nodes:  # which grows meanwhile
        layers = node._layers
        if not new.keys().isdisjoint(map(id, layers)):
            found = True
            node._layers = list(map(new.get, map(id, layers), layers))
        if node._refs:
            node._refs = {name: ref if ref is node else new.get(id(ref), ref) for name, ref in node._refs.items()}
        for layer in layers:
            if (layer._layers or layer._refs) and id(layer) not in seen:
                seen.add(id(layer))
                nodes.append(layer)
    return found


def holds(tree: "Model", node: "Model") -> bool:
    """Whether a node is part of a tree."""
    # Most are asked about layers of the root itself.
    return tree is node or any(map(is_, tree._layers, repeat(node))) or any(each is node for each in tree.walk())


def change_attr_values(model: _ModelT, mapping: Dict[str, Dict[str, Any]]) -> _ModelT:
    """Set attrs by node name: {"dropout": {"dropout_rate": 0.2}}.

    Only attrs that a node already has are set. Returns the model.

    mapping: name of a node -> attr -> value.

    >>> model = change_attr_values(expand_window(1), {"expand_window": {"window_size": 2}})
    >>> model.attrs["window_size"]
    2
    """
    for node in model.walk():
        for name, value in mapping.get(node.name, {}).items():
            if name in node.attrs:
                node.attrs[name] = value
    return model


def set_dropout_rate(model: _ModelT, drop: float, attrs: Sequence[str] = ["dropout_rate"]) -> _ModelT:
    """Set the dropout rate of all nodes that have one. Returns the model.

    drop: the rate.  attrs: the names of the attribute.

    >>> model = set_dropout_rate(chain(Relu(4, 3, dropout=0.5), Softmax(2)), 0.1)
    >>> [node.attrs["dropout_rate"] for node in model.walk() if "dropout_rate" in node.attrs]
    [0.1]
    """
    for node in model.walk():
        for name in attrs:
            if name in node.attrs:
                node.attrs[name] = drop
    return model


def wrap_model_recursive(model: "Model", wrapper: Callable[["Model"], _ModelT]) -> _ModelT:
    """Wrap every node of the tree, e.g. in a layer that logs; returns the new root.

    model: the root.  wrapper: node -> node.

    >>> print(wrap_model_recursive(chain(Relu(3, 3), Linear(3, 3)), residual).summary())
    layer                   in    out      parameters  bytes
    --------------------------------------------------------
    residual                nI=3  nO=3
    └─ chain                nI=3  nO=3
       ├─ residual(relu)    nI=3  nO=3
       │  └─ relu           nI=3  nO=3  not allocated
       └─ residual(linear)  nI=3  nO=3
          └─ linear         nI=3  nO=3  not allocated
    <BLANKLINE>
    6 layers, 0 parameters, 0 B, 4 arrays not allocated yet: call initialize
    """
    model.replace_nodes({node: wrapper(node) for node in model.walk()})
    return wrapper(model)
