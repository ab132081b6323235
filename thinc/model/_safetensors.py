"""Models in safetensors files, which can be mapped: processes that open one file share its pages.

The layout is that of https://github.com/huggingface/safetensors: 8 bytes with the length of the header, a header of
JSON that gives dtype, shape and offsets of each tensor, then the data without holes. Tensors are named by place in the
tree ("layers.0.layers.2.W"), a layer or shim that occurs twice by its first place; the state of a shim is a tensor of
bytes. What else a model saves (names, dims, refs, attrs) is JSON in the metadata, with a checksum.

Written here and not by the package of that name, whose files do not align the data; read here, since it copies.

The functions whose first argument is called `self` are methods of `Model`.
"""

import base64
import io
import json
import mmap as _mmap
import os
import zlib
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple, Union

import numpy

from ..backends import NumpyOps
from ..util._files import regular_file, write_atomically
from ._serialize import deserialize_attr
from ._shapes import describe_shape, expected_shape, is_shape
from ._tree import _ModelT

if TYPE_CHECKING:
    from . import Model

PathT = Union[Path, str]

# Little-endian, as stored. bfloat16, which NumPy lacks, is read as float32.
_PAIRS = "BOOL:? U8:u1 I8:i1 U16:<u2 I16:<i2 F16:<f2 BF16:<u2 U32:<u4 I32:<i4 F32:<f4 U64:<u8 I64:<i8 F64:<f8 C64:<c8"
_DTYPES = {code: numpy.dtype(dtype) for code, dtype in (pair.split(":") for pair in _PAIRS.split())}
_CODES = {dtype: code for code, dtype in _DTYPES.items() if code != "BF16"}
_LINE = 64  # bytes: where data and as many tensors as can be begin
_MAX_HEADER = 100_000_000  # bytes, as in the package
_MAX_NDIM = 32
_MAX_SIZE = 2**63 - 1
_VERSION = "1"
_OURS = ("thinc_version", "thinc_model", "thinc_checksum")
_METADATA = "__metadata__"
_SHOWN = 10  # differences that an error lists

_cpu = NumpyOps()


class Entry(NamedTuple):
    """A tensor in a file: its dtype by code, and where its bytes begin and end."""

    code: str
    shape: Tuple[int, ...]
    start: int
    end: int

    @property
    def dtype(self) -> numpy.dtype:
        """That of the array that is read."""
        return _DTYPES["F32" if self.code == "BF16" else self.code]


class Place(NamedTuple):
    """A node, what the names of its tensors begin with, and the shims that occur here first: (name, index)."""

    prefix: str
    node: "Model"
    shims: List[Tuple[str, int]]


def _places(model: "Model") -> List[Place]:
    prefixes = {id(model): ""}
    seen: Set[int] = set()
    places = []
    for node in model.walk():  # parents first
        prefix = prefixes[id(node)]
        for i, child in enumerate(node.layers):
            prefixes.setdefault(id(child), f"{prefix}layers.{i}.")
        new = [(f"{prefix}shims.{i}", i) for i, shim in enumerate(node.shims) if id(shim) not in seen]
        seen.update(id(shim) for shim in node.shims)
        places.append(Place(prefix, node, new))
    return places


# Writing


def to_safetensors(self: "Model", path: PathT, *, metadata: Mapping[str, str] = {}) -> None:
    """Write all that `to_disk` writes to a safetensors file, which `from_safetensors` can map.

    metadata: texts to go with it. With "config", the text of a config with a block [model], `thinc.load` builds
        the model, too.

    path: of the file.

    >>> layer = Linear(2, 3).initialize()
    >>> layer.to_safetensors("model.safetensors", metadata={"author": "me"})
    >>> Linear(2, 3).from_safetensors("model.safetensors")
    <Model 'linear': nO=2, nI=3, 8 parameters>
    """
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"Model.to_safetensors: metadata must be texts by name, got {key!r}: {type(value).__name__}"
            )
        if key in _OURS:
            raise ValueError(f"Model.to_safetensors: the name {key!r} in the metadata is taken; choose another")
    tensors, nodes = _collect(self)
    texts = {**metadata, "thinc_version": _VERSION, "thinc_model": json.dumps(nodes, separators=(",", ":"))}
    texts["thinc_checksum"] = _checksum(texts)
    write_atomically(path, *_encode(tensors, texts))


def _collect(model: "Model") -> Tuple[Dict[str, numpy.ndarray], List[Dict[str, Any]]]:
    """The tensors by name, and what the metadata say of each node."""
    msg = model.to_dict()
    tensors: Dict[str, numpy.ndarray] = {}

    def add(name: str, array: numpy.ndarray) -> None:
        if name in tensors or name == _METADATA:
            raise ValueError(f"Model.to_safetensors: '{model.name}' has two tensors of the name {name!r}")
        if array.dtype not in _CODES:
            raise TypeError(f"Model.to_safetensors: {name!r} is of {array.dtype}, expected one of {', '.join(_DTYPES)}")
        tensors[name] = array

    for i, (prefix, node, shims) in enumerate(_places(model)):
        params = msg["params"][i]
        for name, param in params.items():
            if param is not None:
                add(prefix + name, node.ops.to_numpy(param, byte_order="<"))
        for name, index in shims:
            add(name, numpy.frombuffer(msg["shims"][i][index], dtype="u1"))
        del msg["nodes"][i]["index"]
        msg["nodes"][i]["attrs"] = {name: base64.b64encode(data).decode() for name, data in msg["attrs"][i].items()}
        msg["nodes"][i]["unset"] = [name for name, param in params.items() if param is None]
        if kind := getattr(node._func, "quantized", None):
            msg["nodes"][i]["quantized"] = kind
    return tensors, msg["nodes"]


def _encode(tensors: Dict[str, numpy.ndarray], metadata: Dict[str, str]) -> List[Any]:
    """The bytes of a file in pieces. Data begin on a line, and so do all tensors before those of odd sizes."""
    header: Dict[str, Any] = {_METADATA: metadata}
    data = []
    offset = 0
    for name, array in sorted(tensors.items(), key=lambda item: -_alignment(item[1].nbytes)):
        end = offset + array.nbytes
        header[name] = {"dtype": _CODES[array.dtype], "shape": array.shape, "data_offsets": [offset, end]}
        offset = end
        data.append(numpy.ascontiguousarray(array).reshape(-1).view("u1").data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf8")
    text += b" " * (-(8 + len(text)) % _LINE)
    if len(text) > _MAX_HEADER:
        raise ValueError(
            f"Model.to_safetensors: names, attrs and metadata take {len(text)} bytes, and the header of such a file "
            f"at most {_MAX_HEADER}. Use Model.to_disk"
        )
    return [len(text).to_bytes(8, "little"), text, *data]


def _alignment(size: int) -> int:
    """The power of two, up to a line, that a tensor keeps for the one behind it."""
    return _LINE if size % _LINE == 0 else size & -size


def _checksum(metadata: Dict[str, str]) -> str:
    """Of all texts but itself, so that a flipped bit changes no attr unseen."""
    texts = sorted((key, value) for key, value in metadata.items() if key != "thinc_checksum")
    return f"{zlib.crc32(json.dumps(texts).encode()):08x}"


# Reading


class TensorFile:
    """A safetensors file, open for reading: `entries` by name, and `metadata`. Whatever it says was checked.

    Raises ValueError with the name of the file and of the entry if something in the header is wrong.
    """

    def __init__(self, path: PathT):
        self.path = path
        if regular_file(Path(path) if isinstance(path, str) else path) is None:
            with path.open("rb") as stream:  # type: ignore[union-attr]  # (what only looks like a path)
                self.file: IO[bytes] = io.BytesIO(stream.read())
            self.size = self.file.seek(0, os.SEEK_END)
            self.file.seek(0)
        else:
            self.file = open(path, "rb")
            self.size = os.fstat(self.file.fileno()).st_size
        try:
            self.entries, self.metadata = self._read_header()
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> "TensorFile":
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()

    def error(self, entry: str, text: str) -> ValueError:
        return ValueError(f"{self.path} is damaged, or no safetensors file: {entry}: {text}")

    def _read_header(self) -> Tuple[Dict[str, Entry], Dict[str, str]]:
        if self.size < 8:
            raise self.error("header", f"expected at least 8 bytes, got {self.size}")
        length = int.from_bytes(self.file.read(8), "little")
        if length > min(self.size - 8, _MAX_HEADER):
            raise self.error("header", f"its length is {length}, in a file of {self.size} bytes (limit {_MAX_HEADER})")
        try:
            header = json.loads(self.file.read(length).decode("utf8"), object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise self.error("header", f"no JSON: {error}") from None
        if not isinstance(header, dict):
            raise self.error("header", f"expected an object, got {type(header).__name__}")
        metadata = self._check_metadata(header.pop(_METADATA, {}))
        entries = {name: self._check_entry(name, value, 8 + length) for name, value in header.items()}
        end, last = 8 + length, "header"
        for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
            if entry.start != end:
                what = "a hole" if entry.start > end else "an overlap"
                raise self.error(name, f"begins at byte {entry.start} and {last} ends at {end}: {what}")
            end, last = entry.end, name
        if end != self.size:
            raise self.error(last, f"ends at byte {end}, and the file at {self.size}")
        return entries, metadata

    def _check_metadata(self, metadata: Any) -> Dict[str, str]:
        if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
            raise self.error(_METADATA, "expected texts by name")
        if any(key in metadata for key in _OURS) and metadata.get("thinc_checksum") != _checksum(metadata):
            raise self.error(_METADATA, "the checksum is not that of the texts")
        return metadata

    def _check_entry(self, name: str, value: Any, start: int) -> Entry:
        if not isinstance(value, dict) or sorted(value) != ["data_offsets", "dtype", "shape"]:
            raise self.error(name, f"expected dtype, shape and data_offsets, got {_brief(value)}")
        code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
        if not isinstance(code, str) or code not in _DTYPES:
            raise self.error(name, f"unknown dtype {_brief(code)}, expected one of {', '.join(_DTYPES)}")
        if not _are_sizes(shape) or len(shape) > _MAX_NDIM:
            raise self.error(name, f"expected at most {_MAX_NDIM} sizes as its shape, got {_brief(shape)}")
        if not _are_sizes(offsets) or len(offsets) != 2:
            raise self.error(name, f"expected two offsets, got {_brief(offsets)}")
        size = _DTYPES[code].itemsize * prod(shape)
        begin, end = offsets
        if end - begin != size:
            raise self.error(name, f"{code} of shape {shape} takes {size} bytes, but it has the bytes {begin} to {end}")
        if not size and _DTYPES[code].itemsize * prod(n or 1 for n in shape) > _MAX_SIZE:
            raise self.error(name, f"its shape is too large: {shape}")  # (an empty array of impossible sizes)
        return Entry(code, tuple(shape), start + begin, start + end)

    def arrays(self, mmap: bool) -> Dict[str, numpy.ndarray]:
        """All tensors, which may be written to: with `mmap` private pages of the file, if it is a real one."""
        if mmap and not isinstance(self.file, io.BytesIO):
            try:
                buffer = _mmap.mmap(self.file.fileno(), self.size, access=_mmap.ACCESS_COPY)
            except ValueError:
                raise self.error("data", "the file became shorter while it was read") from None
            pages = numpy.frombuffer(buffer, "u1")
            return {name: _decode(pages[entry.start : entry.end], entry) for name, entry in self.entries.items()}
        arrays = {}
        for name, entry in self.entries.items():
            self.file.seek(entry.start)
            data = _cpu.alloc((entry.end - entry.start,), dtype="uint8", zeros=False)
            if self.file.readinto(data.data) != len(data):  # type: ignore[attr-defined]  # (both kinds of file have it)
                raise self.error(name, "the file became shorter while it was read")
            arrays[name] = _decode(data, entry)
        return arrays


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    values: Dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the name {key!r} occurs twice")
        values[key] = value
    return values


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 <= size <= _MAX_SIZE for size in value)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _decode(data: numpy.ndarray, entry: Entry) -> numpy.ndarray:
    """Bytes as an array of this machine: themselves, unless their order, their place or bfloat16 ask for a copy."""
    array = data.view(_DTYPES[entry.code])
    if entry.code == "BF16":  # the upper half of a float32
        array = (array.astype("uint32") << 16).view("float32")
    elif not (array.dtype.isnative and array.flags.aligned):
        array = array.astype(array.dtype.newbyteorder("="))
    return array.reshape(entry.shape)


def from_safetensors(self: _ModelT, path: PathT, *, mmap: bool = True) -> _ModelT:
    """Load a file of `to_safetensors`, or any other whose names and shapes are those of this model.

    With `mmap` the parameters are private pages of the file: opening takes no time, processes share what they do not
    write to, and training changes the model but not the file (which must not be written to, only replaced).

    ValueError if the file is damaged or does not fit; the model is as it was then. Nothing is unpickled or executed.

    path: of the file.

    >>> layer = Linear(2, 3).initialize()
    >>> layer.to_safetensors("model.safetensors")
    >>> Linear(2, 3).from_safetensors("model.safetensors")
    <Model 'linear': nO=2, nI=3, 8 parameters>
    """
    with TensorFile(path) as file:
        load_tensors(self, file, mmap)
    return self


def load_tensors(
    model: "Model", file: TensorFile, mmap: bool = True, quantize: Optional[Callable[["Model", str], None]] = None
) -> None:
    """`from_safetensors` from an open file, once `quantize` did to the layers what was done to those in the file."""
    places = _places(model)
    infos = _read_infos(places, file)
    for place, info in zip(places, infos):
        if quantize and "quantized" in info:
            quantize(place.node, info["quantized"])
    _check_fit(places, infos, file)
    attrs = [_read_attrs(place.node, info, file) for place, info in zip(places, infos)]
    arrays = file.arrays(mmap)
    _load_shims(places, arrays, file)
    for (prefix, node, _), info, values in zip(places, infos, attrs):
        node._dims.update((name, size) for name, size in info.get("dims", {}).items() if size is not None)
        for name in node.param_names:
            array = arrays.get(prefix + name)
            if array is not None:
                old: Any = node.maybe_get_param(name)
                ops: Any = node.ops
                node.set_param(name, ops.asarray(array, dtype=array.dtype if old is None else old.dtype))
        for name in info.get("unset", ()):
            node.set_param(name, None)
        node.name = info.get("name", node.name)
        refs = info.get("refs", {}).items()
        node._refs.update((name, None if number is None else places[number].node) for name, number in refs)
        node.attrs.update(values)


def _read_infos(places: List[Place], file: TensorFile) -> List[Dict[str, Any]]:
    """What the file says of each node, empty if others wrote it. ValueError if it is of another model."""
    if "thinc_model" not in file.metadata:
        return [{} for _ in places]
    version = file.metadata.get("thinc_version")
    if version != _VERSION:
        raise ValueError(f"{file.path} has the format version {version}, and this thinc reads {_VERSION}; upgrade it")
    try:
        infos = json.loads(file.metadata["thinc_model"])
        wrong = not isinstance(infos, list) or not all(_is_info(info, len(infos)) for info in infos)
    except (ValueError, RecursionError):
        wrong = True
    if wrong:
        raise file.error(_METADATA, "thinc_model describes no layers")
    if len(infos) != len(places):
        raise ValueError(
            f"{file.path} holds {len(infos)} layers, the model '{places[0].node.name}' has {len(places)}. Build the "
            "model with the same code and arguments as the one that was saved"
        )
    for (_, node, _), info in zip(places, infos):
        for name, size in info["dims"].items():
            here = node.maybe_get_dim(name)
            if node.has_dim(name) is False or (size is not None and here not in (None, size)):
                raise ValueError(
                    f"{file.path}: layer '{info['name']}' has {name}={size}, and in the model {name}={here}"
                )
    return infos


def _is_info(info: Any, n_layers: int) -> bool:
    def maps(key: str, is_value: Callable[[Any], bool]) -> bool:
        return isinstance(info.get(key), dict) and all(is_value(value) for value in info[key].values())

    def is_number(value: Any, end: int) -> bool:
        return value is None or (type(value) is int and 0 <= value < end)

    return (
        isinstance(info, dict)
        and isinstance(info.get("name"), str)
        and isinstance(info.get("unset"), list)
        and all(isinstance(name, str) for name in info["unset"])
        and maps("dims", lambda value: is_number(value, _MAX_SIZE))
        and maps("refs", lambda value: is_number(value, n_layers))
        and maps("attrs", lambda value: isinstance(value, str))
        and isinstance(info.get("quantized", ""), str)
    )


def _check_fit(places: List[Place], infos: List[Dict[str, Any]], file: TensorFile) -> None:
    """ValueError with the first differences between the tensors of the file and those of the model."""
    unknown = dict(file.entries)
    differences = []

    def compare(name: str, dtype: Any, shape: Any) -> None:
        entry = unknown.pop(name, None)
        if entry is None or entry.shape != shape or not _is_exact(entry.dtype, dtype):
            there = "missing" if entry is None else f"{entry.dtype} of shape {entry.shape}"
            differences.append(f"{name}: {there} in the file, {dtype} of shape {shape} in the model")

    for (prefix, node, shims), info in zip(places, infos):
        for name in node.param_names:
            param = node.maybe_get_param(name)
            if param is None:  # of any shape that the dims allow
                entry = unknown.pop(prefix + name, None)
                sizes = {dim: size for dim, size in info.get("dims", {}).items() if size is not None}
                expected = expected_shape(node, name, {**node._dims, **sizes})
                if entry is not None and expected is not None and not is_shape(expected, entry.shape):
                    differences.append(
                        f"{prefix}{name}: {entry.dtype} of shape {entry.shape} in the file, shape "
                        f"{describe_shape(expected)} by the dims"
                    )
            elif name not in info.get("unset", ()):
                compare(prefix + name, param.dtype, param.shape)
        for name, _ in shims:
            length = unknown[name].shape if name in unknown else ()
            compare(name, numpy.dtype("uint8"), length if len(length) == 1 else "(n,)")
    for name, entry in unknown.items():
        differences.append(f"{name}: {entry.dtype} of shape {entry.shape} in the file, missing in the model")
    if differences:
        more = [f"and {len(differences) - _SHOWN} more"] if len(differences) > _SHOWN else []
        raise ValueError(
            f"{file.path} does not fit the model '{places[0].node.name}':\n  "
            + "\n  ".join(differences[:_SHOWN] + more)
        )


def _is_exact(stored: numpy.dtype, wanted: numpy.dtype) -> bool:
    """Whether every value of the file is one of the parameter's dtype."""
    return stored == wanted or (stored.kind == wanted.kind and numpy.can_cast(stored, wanted, "safe"))


def _read_attrs(node: "Model", info: Dict[str, Any], file: TensorFile) -> Dict[str, Any]:
    attrs = {}
    for name, text in info.get("attrs", {}).items():
        try:
            attrs[name] = deserialize_attr(node.attrs.get(name), base64.b64decode(text, validate=True), name, node)
        except Exception as error:
            raise ValueError(
                f"{file.path}: the attr '{name}' of layer '{info['name']}' does not load: {error}"
            ) from error
    return attrs


def _load_shims(places: List[Place], arrays: Dict[str, numpy.ndarray], file: TensorFile) -> None:
    """All or none of them."""
    changed = []
    try:
        for _, node, shims in places:
            for name, index in shims:
                shim = node.shims[index]
                changed.append((shim, shim.to_bytes()))
                shim.from_bytes(arrays[name].tobytes())
    except BaseException as error:
        for shim, old in changed:
            shim.from_bytes(old)
        if isinstance(error, Exception):
            raise ValueError(f"{file.path}: {name} does not load: {error}") from error
        raise
