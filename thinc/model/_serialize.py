"""Models to and from dicts, bytes and files; the reading of it is in _load.py.

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
from ._tree import _ModelT

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

    _, value: the value, twice.  name: of the attribute.  model: whose it is.

    >>> @serialize_attr.register(complex)
    ... def serialize_complex(_, value, name, model):
    ...     return str(value).encode()
    >>> serialize_attr(1j, 1j, "phase", noop())
    b'1j'
    """
    return compat.srsly.msgpack_dumps(value)


@functools.singledispatch
def deserialize_attr(_: Any, value: Any, name: str, model: "Model") -> Any:
    """Load an attribute value from bytes; dispatches on the type of the value that the
    attribute has now, so a model should be built with a default of the right type.

    _: the value it has.  value: the bytes.  name: of the attribute.  model: whose it is.

    >>> @deserialize_attr.register(complex)
    ... def deserialize_complex(_, value, name, model):
    ...     return complex(value.decode())
    >>> deserialize_attr(0j, b"1j", "phase", noop())
    1j
    """
    # Not msgpack_loads, which leaves the garbage collector off where it fails. What is no map needs no hooks, and so
    # no search for entry points: of many layers it took most of the time of loading.
    hooks = {} if value[:1] in _MAY_HOLD_MAPS else {"object_pairs_hook": None}
    return compat.srsly.msgpack.loads(value, raw=False, **hooks)


def to_dict(self: "Model") -> Dict[str, List[Any]]:
    """What `to_bytes` packs, as a dict of lists.

    ValueError if a reference points outside the tree.

    >>> sorted(Linear(2, 3).initialize().to_dict())
    ['attrs', 'nodes', 'params', 'shims']
    """
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


def to_bytes(self: "Model") -> bytes:
    """All that was learned or set: dims, parameters, attrs, refs of the tree.

    ValueError if something in the model does not serialize, or is larger than msgpack can hold.

    >>> layer = Linear(2, 3).initialize()
    >>> Linear().from_bytes(layer.to_bytes())
    <Model 'linear': nO=2, nI=3, 8 parameters>
    """

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


def to_disk(self: "Model", path: PathT) -> None:
    """Write `to_bytes()` to a file, which is replaced as a whole or not at all.

    path: of the file.

    >>> layer = Linear(2, 3).initialize()
    >>> layer.to_disk("model.bin")
    >>> Linear().from_disk("model.bin")
    <Model 'linear': nO=2, nI=3, 8 parameters>
    """
    write_atomically(path, self.to_bytes())


def from_disk(self: _ModelT, path: PathT) -> _ModelT:
    """`from_bytes` of the file that `to_disk` wrote.

    path: of the file.

    >>> layer = Linear(2, 3).initialize()
    >>> layer.to_disk("model.bin")
    >>> Linear().from_disk("model.bin")
    <Model 'linear': nO=2, nI=3, 8 parameters>
    """
    source = Path(path) if isinstance(path, str) else path
    with source.open("rb") as file:
        return self.from_bytes(file.read())


def can_from_disk(self: "Model", path: PathT, *, strict: bool = True) -> bool:
    """Whether `from_disk` would load the file: see `can_from_dict`.

    path: of the file.  strict: as there.

    >>> layer = Linear(2, 3).initialize()
    >>> layer.to_disk("model.bin")
    >>> layer.can_from_disk("model.bin")
    True
    """
    source = Path(path) if isinstance(path, str) else path
    try:
        with source.open("rb") as file:
            data = file.read()
    except OSError:
        return False
    return self.can_from_bytes(data, strict=strict)
