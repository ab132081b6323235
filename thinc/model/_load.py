"""Loading of models: all of the data is checked against the tree before anything of the tree is changed.

The functions whose first argument is called `self` are methods of `Model`. For the format see _serialize.py.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from numbers import Integral, Number
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional

from ..util import convert_recursive, is_xp_array, say, unpack
from ._errors import describe, describe_path, find_path, short_name
from ._serialize import _attrs_to_dict, deserialize_attr
from ._shapes import check_shape, expected_shape
from ._tree import _ModelT

if TYPE_CHECKING:
    from . import Model

_PARTS = ("nodes", "attrs", "params", "shims")


class _NodeData(NamedTuple):
    """What a node gets."""

    node: "Model"
    name: str
    dims: Dict[str, Any]
    refs: Dict[str, Any]
    attrs: Dict[str, Any]
    params: Dict[str, Any]
    shims: List[Any]


def from_bytes(self: _ModelT, bytes_data: bytes) -> _ModelT:
    """As from_dict. The bytes are those of `to_bytes`.

    bytes_data: of `to_bytes`.  ValueError if they do not fit.

    >>> layer = Linear(2, 3).initialize()
    >>> other = Linear(2, 3).from_bytes(layer.to_bytes())
    >>> bool((other.get_param("W") == layer.get_param("W")).all())
    True
    """
    return self.from_dict(_unpack(self, bytes_data))


def can_from_bytes(self: "Model", bytes_data: bytes, *, strict: bool = True) -> bool:
    """Whether `from_bytes` would load the data: see `can_from_dict`.

    bytes_data: of `to_bytes`.  strict: as there.

    >>> layer = Linear(2, 3).initialize()
    >>> layer.can_from_bytes(layer.to_bytes()), layer.can_from_bytes(Linear(5, 3).initialize().to_bytes())
    (True, False)
    """
    try:
        msg = _unpack(self, bytes_data)
    except ValueError:
        return False
    return self.can_from_dict(msg, strict=strict)


def _unpack(model: "Model", data: bytes) -> Dict[str, Any]:
    return unpack(data, f"Cannot load into model '{short_name(model)}'", "a model as Model.to_bytes makes it", *_PARTS)


def from_dict(self: _ModelT, msg: Dict[str, Any]) -> _ModelT:
    """ValueError if the data does not fit this tree, which is then as it was before.

    The tree must have as many nodes, with dims, parameters (names, shapes, dtypes) and shims that agree with the data
    where they are set here. Names are taken from the data.

    msg: of `to_dict`.

    >>> layer = Linear(2, 3).initialize()
    >>> Linear(2, 3).from_dict(layer.to_dict())
    <Model 'linear': nO=2, nI=3, 8 parameters>
    """
    every = _read(self, msg)
    _load_shims(self, every)
    for each in every:
        node = each.node
        node.name = each.name
        node._dims.update(each.dims)
        node._refs.update(each.refs)
        node.attrs.update(each.attrs)
        for name, param in each.params.items():
            node.set_param(name, param)
    return self


def can_from_dict(self: "Model", msg: Dict[str, Any], *, strict: bool = True) -> bool:
    """Whether `from_dict` would load the data, into dims and shims that are the same.

    strict: names of nodes and attrs must be the same, too.
    msg: of `to_dict`.

    >>> layer = Linear(2, 3).initialize()
    >>> layer.can_from_dict(layer.to_dict())
    True
    """
    try:
        every = _read(self, msg)
        parts = zip(every, msg["nodes"], msg["attrs"])
        return all(_is_same(each, info["dims"], attrs, strict) for each, info, attrs in parts)
    except Exception:  # (of attrs here that do not serialize)
        return False


def _is_same(each: _NodeData, dims: Dict[str, Any], attrs: Dict[str, Any], strict: bool) -> bool:
    node = each.node
    if len(each.shims) != len(node.shims):
        return False
    if any(node._dims[name] not in (None, size) for name, size in dims.items()):
        return False
    if any(name not in node._has_params for name in each.params):
        return False
    if strict:
        here = _attrs_to_dict(node)
        return each.name == node.name and all(here.get(name, data) == data for name, data in attrs.items())
    return True


# -- Checks


def _read(root: "Model", msg: Any) -> List[_NodeData]:
    """The data of each node in the order of the walk; ValueError if it does not fit."""
    who = f"Cannot load into model '{short_name(root)}'"
    if not isinstance(msg, Mapping):
        raise ValueError(f"{who}: expected a dict as Model.to_dict makes it, got {describe(msg)}")
    for part in _PARTS:
        if not isinstance(msg.get(part), (list, tuple)):
            raise ValueError(
                f"{who}: expected a dict as Model.to_dict makes it, but there is no list of entries '{part}'"
            )
    nodes = list(root.walk())
    for part in _PARTS:
        if len(msg[part]) != len(nodes):
            raise ValueError(
                f"{who}: mismatched structure. The data has '{part}' of {len(msg[part])} layers, the model "
                f"{len(nodes)}. Build the model with the same code and arguments as the one that was saved"
            )

    every = []
    for i, node in enumerate(nodes):
        info, attrs, params, shims = (msg[part][i] for part in _PARTS)
        try:
            every.append(_read_node(node, nodes, info, attrs, params, shims))
        except ValueError as error:
            where = describe_path(find_path(root, node))
            raise ValueError(f"{who}: layer '{where}' (number {i}): {error}") from error
    return every


def _read_node(node: "Model", nodes: List["Model"], info: Any, attrs: Any, params: Any, shims: Any) -> _NodeData:
    info = _named(info, "node")
    if not isinstance(info.get("name"), str):
        raise ValueError(f"expected a name, got {describe(info.get('name'))}")
    dims = {name: size for name, size in _named(info.get("dims"), "dims").items() if _check_dim(node, name, size)}
    refs = {name: _node_at(nodes, name, number) for name, number in _named(info.get("refs"), "refs").items()}
    read_attrs = {name: _read_attr(node, name, value) for name, value in _named(attrs, "attrs").items()}
    read_params = _read_params(node, {**node._dims, **dims}, _named(params, "params"))
    if not isinstance(shims, (list, tuple)):
        raise ValueError(f"expected a list of shims, got {describe(shims)}")
    if len(shims) > len(node.shims):
        raise ValueError(f"the data has {len(shims)} shims, the layer {len(node.shims)}")
    return _NodeData(node, info["name"], dims, refs, read_attrs, read_params, list(shims))


def _named(values: Any, kind: str) -> Dict[str, Any]:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise ValueError(f"expected a dict of {kind} by name, got {describe(values)}")
    return dict(values)


def _check_dim(node: "Model", name: str, size: Any) -> bool:
    """Whether the size is stated; ValueError if it cannot be that of the dim."""
    if name not in node._dims:
        raise ValueError(f"the data has a dimension '{name:.40}', the layer {list(node._dims)}")
    if size is None:
        return False
    if not isinstance(size, Integral) or isinstance(size, bool) or size < 0:
        raise ValueError(f"expected a size for dimension '{name}', got {size!r:.40}")
    if node._dims[name] not in (None, size):
        raise ValueError(f"dimension '{name}' is {size} in the data, {node._dims[name]} in the layer")
    return True


def _node_at(nodes: List["Model"], name: str, number: Any) -> Optional["Model"]:
    if number is None:
        return None
    if not isinstance(number, Integral) or isinstance(number, bool) or not 0 <= int(number) < len(nodes):
        raise ValueError(f"reference '{name:.40}' points to node {number!r:.40} of {len(nodes)}")
    return nodes[int(number)]


def _read_attr(node: "Model", name: str, data: Any) -> Any:
    here = node.attrs.get(name)
    try:
        value = deserialize_attr(here, data, name, node)
    except Exception as error:
        raise ValueError(f"attr '{name:.40}' cannot be read ({say(error)})") from error
    if isinstance(here, Number) and value is not None and not isinstance(value, Number):
        raise ValueError(f"attr '{name:.40}' is {describe(value)} in the data, {here!r} in the layer")
    return value


def _read_params(node: "Model", dims: Dict[str, Any], params: Dict[str, Any]) -> Dict[str, Any]:
    """The arrays in memory of their own; ValueError unless they are those that the layer has or will have."""
    known = list(node._has_params)
    # A layer that names none may make some when it is initialized.
    unknown = [name for name in params if name not in known] if known or not _makes_params(node) else []
    missing = [name for name in known if name not in params]
    if unknown or missing:
        raise ValueError(f"the data has the parameters {list(params)!s:.200}, the layer {known}")
    read: Dict[str, Any] = {}
    for name, array in params.items():
        if array is not None:
            _check_param(node, dims, name, array)
            param: Any = node.ops.alloc(array.shape, dtype=array.dtype.newbyteorder("="), zeros=False)
            param[...] = node.ops.asarray(array)  # copied: it may be a read-only view of the message
            array = param
        read[name] = array
    return read


def _makes_params(node: "Model") -> bool:
    from . import empty_init

    return node.init is not None and node.init is not empty_init


def _check_param(node: "Model", dims: Dict[str, Any], name: str, array: Any) -> None:
    if not is_xp_array(array) or array.dtype.kind not in "fiubc":
        raise ValueError(f"parameter '{name}': expected an array of numbers, got {describe(array)}")
    check_shape(node, name, array, dims)
    if not node._has_params.get(name):
        return
    here: Any = node.get_param(name)
    stated = expected_shape(node, name, dims)
    if tuple(here.shape) != tuple(array.shape) and (stated is None or None in stated):
        raise ValueError(f"parameter '{name}' has shape {tuple(array.shape)} in the data, {tuple(here.shape)} here")
    if (array.dtype.kind, array.dtype.itemsize) != (here.dtype.kind, here.dtype.itemsize):
        raise ValueError(f"parameter '{name}' is {array.dtype} in the data, {here.dtype} here")


# -- Shims


def _load_shims(root: "Model", every: List[_NodeData]) -> None:
    """Load what is another framework's. If one shim fails, those before it get their old state back.

    (A shim that fails must see to its own state; ours do.)
    """
    pairs = [(each.node, shim, data) for each in every for shim, data in zip(each.node.shims, each.shims)]
    undo: List[Callable] = []
    try:
        for i, (node, shim, data) in enumerate(pairs):  # noqa: B007
            if i < len(pairs) - 1:
                undo.append(_undo(shim))
            shim.from_bytes(convert_recursive(is_xp_array, root.ops.asarray, data))
    except BaseException as error:
        for each in reversed(undo):
            with suppress(Exception):  # what failed in loading may fail again
                each()
        if not isinstance(error, Exception):
            raise
        raise ValueError(
            f"Cannot load into model '{short_name(root)}': layer '{describe_path(find_path(root, node))}': its "
            f"{type(shim).__name__} refuses the data ({say(error)})"
        ) from error


def _undo(shim: Any) -> Callable[[], Any]:
    try:
        before = shim.to_bytes()
    except Exception:  # it holds nothing that could be lost
        return lambda: None
    return lambda: shim.from_bytes(before)
