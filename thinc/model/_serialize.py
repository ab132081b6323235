"""Models to and from dicts, bytes and files.

The format is a dict of four lists, each with one entry per node in breadth-first order:
"nodes" (name, dims, refs as node numbers), "attrs" (each value serialised by itself),
"params" (arrays) and "shims" (whatever they serialise to). As bytes it is msgpack with
little-endian arrays. The forward functions are not part of it: data is loaded into a
model that was built in the same way.

The functions whose first argument is called `self` are methods of `Model`.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Union

from .. import compat
from ..util import convert_recursive, is_xp_array, write_atomically

if TYPE_CHECKING:
    from . import Model

PathT = Union[Path, str]

_MSGPACK_LIMIT = 2**32 - 1  # bytes of one array
# The first bytes of maps, arrays and extensions.
_MAY_HOLD_MAPS = {bytes([i]) for i in (*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0))}


@functools.singledispatch
def serialize_attr(_: Any, value: Any, name: str, model: "Model") -> bytes:
    """Serialise an attribute value; dispatches on the type of the value.

    Register a function of the same arguments for a type of your own:
    `@serialize_attr.register(MyType)`. Raise TypeError to leave the attribute out.
    """
    return compat.srsly.msgpack_dumps(value)


@functools.singledispatch
def deserialize_attr(_: Any, value: Any, name: str, model: "Model") -> Any:
    """Load an attribute value from bytes; dispatches on the type of the value that the
    attribute has now, so a model should be built with a default of the right type."""
    # Not msgpack_loads, which leaves the garbage collector off where it fails. What is no map needs no hooks, and so
    # no search for entry points: of many layers it took most of the time of loading.
    hooks = {} if value[:1] in _MAY_HOLD_MAPS else {"object_pairs_hook": None}
    return compat.srsly.msgpack.loads(value, raw=False, **hooks)


def to_dict(self: "Model") -> Dict[str, List[Any]]:
    """ValueError if a reference points outside the tree."""
    nodes = list(self.walk())
    numbers = {id(node): i for i, node in enumerate(nodes)}
    msg: Dict[str, List[Any]] = {"nodes": [], "attrs": [], "params": [], "shims": []}
    for i, node in enumerate(nodes):
        refs: Dict[str, Any] = {}
        outside = []
        for name in node.ref_names:
            ref = node.maybe_get_ref(name)
            if ref is not None and id(ref) not in numbers:
                outside.append(name)
            else:
                refs[name] = None if ref is None else numbers[id(ref)]
        if outside:
            raise ValueError(
                f"Cannot get references: {outside}. They belong to layer "
                f"'{node.name}' and point outside the model '{self.name}' that is "
                f"being saved; set_ref(name, None) lets go of one"
            )
        dims = {name: node.maybe_get_dim(name) for name in node.dim_names}
        msg["nodes"].append({"index": i, "name": node.name, "dims": dims, "refs": refs})
        msg["attrs"].append(_attrs_to_dict(node))
        msg["params"].append({name: node.maybe_get_param(name) for name in node.param_names})
        msg["shims"].append([shim.to_bytes() for shim in node.shims])
    return msg


def _attrs_to_dict(node: "Model") -> Dict[str, bytes]:
    attrs = {}
    for name, value in node.attrs.items():
        try:
            attrs[name] = serialize_attr(value, value, name, node)
        except TypeError:
            # Functions and the like are part of how the model is built.
            continue
        except Exception as error:
            raise ValueError(
                f"Cannot save layer '{node.name}': its attr '{name}' of type {type(value).__name__} does not "
                f"serialize: {error}. Change it, or register a function for its type by serialize_attr.register"
            ) from error
    return attrs


def from_dict(self: "Model", msg: Dict) -> "Model":
    """ValueError if the tree has another number of nodes or a dim conflicts."""
    if "nodes" not in msg:
        raise ValueError(
            f"Cannot load into model '{self.name}': expected a dict made by "
            f"Model.to_dict, but there is no entry 'nodes'"
        )
    nodes = list(self.walk())
    if len(msg["nodes"]) != len(nodes):
        raise ValueError(
            f"Cannot deserialize model '{self.name}': mismatched structure. The data "
            f"has {len(msg['nodes'])} layers, the model {len(nodes)}. Build the model "
            f"with the same code and arguments as the one that was saved"
        )
    for i, node in enumerate(nodes):
        info = msg["nodes"][i]
        node.name = info["name"]
        for name, size in info["dims"].items():
            if size is not None:
                node.set_dim(name, size)
        for name, number in info["refs"].items():
            node._refs[name] = None if number is None else nodes[number]
        for name, value in msg["attrs"][i].items():
            node.attrs[name] = deserialize_attr(node.attrs.get(name), value, name, node)
        for name, array in msg["params"][i].items():
            param: Any = None
            if array is not None:  # copied: it may be a read-only view of the message
                param = node.ops.alloc(array.shape, dtype=array.dtype, zeros=False)
                param[...] = node.ops.asarray(array)
            node.set_param(name, param)
        shim_data = msg["shims"][i]
        if len(shim_data) > len(node.shims):
            raise ValueError(
                f"Cannot load layer '{node.name}': the data has {len(shim_data)} shims, the layer {len(node.shims)}"
            )
        for shim, data in zip(node.shims, shim_data):
            shim.from_bytes(data)
    return self


def can_from_dict(self: "Model", msg: Dict, *, strict: bool = True) -> bool:
    if not isinstance(msg, dict) or "nodes" not in msg:
        return False
    nodes = list(self.walk())
    if len(msg["nodes"]) != len(nodes):
        return False
    return all(
        _can_load_node(
            node,
            info=msg["nodes"][i],
            attrs=msg["attrs"][i],
            params=msg["params"][i],
            shims=msg["shims"][i],
            strict=strict,
        )
        for i, node in enumerate(nodes)
    )


def _can_load_node(node: "Model", *, info: Dict, attrs: Dict, params: Dict, shims: List, strict: bool) -> bool:
    if strict and info["name"] != node.name:
        return False
    if len(shims) != len(node.shims):
        return False
    for name, size in info["dims"].items():
        known = node.has_dim(name)
        if known is False or (known and node.get_dim(name) != size):
            return False
    for name, array in params.items():
        known = node.has_param(name)
        if known is False:
            return False
        if known and array is not None and node.get_param(name).shape != array.shape:
            return False
    if strict:
        here = _attrs_to_dict(node)
        return all(here.get(name, data) == data for name, data in attrs.items())
    return True


def to_bytes(self: "Model") -> bytes:
    """ValueError if something in the model does not serialize, or is larger than msgpack can hold."""

    def to_numpy(array: Any) -> Any:
        return self.ops.to_numpy(array, byte_order="<")

    for node in self.walk():
        for name in node.param_names:
            size = getattr(node.maybe_get_param(name), "nbytes", 0)
            if size > _MSGPACK_LIMIT:
                raise ValueError(
                    f"Cannot save layer '{node.name}': its parameter '{name}' has {size} bytes, and the msgpack format "
                    f"holds at most {_MSGPACK_LIMIT} in one. Use Model.to_safetensors"
                )
    return compat.srsly.msgpack_dumps(convert_recursive(is_xp_array, to_numpy, self.to_dict()))


def from_bytes(self: "Model", bytes_data: bytes) -> "Model":
    msg = compat.srsly.msgpack_loads(bytes_data)
    return self.from_dict(convert_recursive(is_xp_array, self.ops.asarray, msg))


def can_from_bytes(self: "Model", bytes_data: bytes, *, strict: bool = True) -> bool:
    try:
        msg = compat.srsly.msgpack_loads(bytes_data)
    except ValueError:
        return False
    return self.can_from_dict(msg, strict=strict)


def to_disk(self: "Model", path: PathT) -> None:
    write_atomically(path, self.to_bytes())


def from_disk(self: "Model", path: PathT) -> "Model":
    source = Path(path) if isinstance(path, str) else path
    with source.open("rb") as file:
        return self.from_bytes(file.read())


def can_from_disk(self: "Model", path: PathT, *, strict: bool = True) -> bool:
    source = Path(path) if isinstance(path, str) else path
    if source.is_dir() or not source.exists():
        return False
    with source.open("rb") as file:
        return self.can_from_bytes(file.read(), strict=strict)
