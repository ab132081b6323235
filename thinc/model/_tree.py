"""Walking over the nodes of a model, and changing many of them at once.

The functions whose first argument is called `self` are methods of `Model`.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Set, TypeVar

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
    """Remove a node wherever it occurs. Refs to what is gone become unset."""
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
    could be replaced.
    """
    seen = False
    for node in list(self.walk(order="dfs_post")):
        if node is old:
            seen = True
            continue
        node._layers = [new if layer is old else layer for layer in node._layers]
        for name, ref in node._refs.items():
            if ref is old:
                node._refs[name] = new
    return seen


def change_attr_values(model: _ModelT, mapping: Dict[str, Dict[str, Any]]) -> _ModelT:
    """Set attrs by node name: {"dropout": {"dropout_rate": 0.2}}.

    Only attrs that a node already has are set. Returns the model.
    """
    for node in model.walk():
        for name, value in mapping.get(node.name, {}).items():
            if name in node.attrs:
                node.attrs[name] = value
    return model


def set_dropout_rate(model: _ModelT, drop: float, attrs=["dropout_rate"]) -> _ModelT:
    """Set the dropout rate of all nodes that have one. Returns the model."""
    for node in model.walk():
        for name in attrs:
            if name in node.attrs:
                node.attrs[name] = drop
    return model


def wrap_model_recursive(model: "Model", wrapper: Callable[["Model"], _ModelT]) -> _ModelT:
    """Wrap every node of the tree, e.g. in a layer that logs; returns the new root."""
    for node in list(model.walk()):
        model.replace_node(node, wrapper(node))
    return wrapper(model)
