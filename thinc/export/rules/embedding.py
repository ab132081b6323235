"""Tables, hashing, and ids: MurmurHash in standard operators, equal to the bit.

ONNX multiplies no uint64 on most runtimes, but int64, whose products wrap round the same way; only shifts to the right
need the unsigned type.  Dimensions: N ids, O out, V rows of a table, K features, B examples.
"""

from typing import Any, Dict

from ...layers.embed import forward as embed_forward
from ...layers.hashembed import forward as hashembed_forward
from ...layers.premap_ids import forward as premap_ids_forward
from ...layers.remap_ids import forward as remap_ids_forward
from ...layers.remap_ids import forward_v2 as remap_ids_v2_forward
from ...layers.sparselinear import forward as sparselinear_forward
from ..graph import Layer, onnx_rule
from ..values import Tensor, Value
from .sequences import SEGMENT_SUM, segment_inputs

INT64, UINT64 = 7, 13  # numbers of the types, for Cast


def signed(number: int, bits: int = 64) -> int:
    """The number that has the same bits as an int of that many bits."""
    number &= 2**bits - 1
    return number - 2**bits if number >= 2 ** (bits - 1) else number


@onnx_rule(embed_forward, row_wise=True)
def embed(layer: Layer, X: Value) -> Value:
    E = layer.param("E")
    ids = layer.cast(layer.array(X), "int64")
    return layer.node("Embed", "Y = Gather(E, ids)", {"ids": ids, "E": E}, Y=(E.dtype, (*ids.shape, E.shape[1])))


def _shifted(value: str, bits: int) -> str:
    """value >> bits, of an int64 that stands for a uint64."""
    return f'Cast <to = {INT64}> (BitShift <direction = "RIGHT"> (Cast <to = {UINT64}> ({value}), {bits}u))'


# The hash of `ops.hash`, its two halves mixed side by side in one array (2, N); see thinc/backends/_embedding.py.
HASH_EMBED = f"""
    k = Mul(Cast <to = {INT64}> (ids), {signed(0x87C37B91114253D5)})
    m = Mul(Add(Mul(k, {2**31}), {_shifted("k", 33)}), {signed(0x4CF5AD432745937F)})
    h = Add(BitwiseXor(m, seed), seed)
    z = Concat <axis = 0> (Unsqueeze(h, [0]), Unsqueeze(Add(h, seed), [0]))
    y = Mul(BitwiseXor(z, {_shifted("z", 33)}), {signed(0xFF51AFD7ED558CCD)})
    x = Mul(BitwiseXor(y, {_shifted("y", 33)}), {signed(0xC4CEB9FE1A85EC53)})
    first, second = Split <axis = 0, num_outputs = 2> (BitwiseXor(x, {_shifted("x", 33)}))
    sum = Add(first, second)
    halves = Cast <to = {UINT64}> (Concat <axis = 0> (sum, Add(sum, second)))
    low = Mod(BitwiseAnd(halves, {2**32 - 1}u), size)
    high = Mod(BitShift <direction = "RIGHT"> (halves, 32u), size)
    l1, l2 = Split <axis = 0, num_outputs = 2> (Cast <to = {INT64}> (low))
    u1, u2 = Split <axis = 0, num_outputs = 2> (Cast <to = {INT64}> (high))
    Y = Squeeze(Add(Add(Add(Gather(E, l1), Gather(E, u1)), Gather(E, l2)), Gather(E, u2)), [0])
"""


@onnx_rule(hashembed_forward, row_wise=True)
def hash_embed(layer: Layer, X: Value) -> Value:
    E = layer.param("E")
    inputs = {"ids": layer.array(X), "E": E}
    inputs["seed"] = layer.constant("seed", signed(layer.attrs["seed"] ^ 8), "int64")
    inputs["size"] = layer.constant("size", E.shape[0], "uint64")
    return layer.node("HashEmbed", HASH_EMBED, inputs, Y=(E.dtype, (inputs["ids"].shape[0], E.shape[1])))


def _murmur32(name: str, seed: int) -> str:
    """MurmurHash3 x86 32 of the words `low` and `high` of a key -> {name}, int64 in [0, 2^32).

    In int64: the low 32 bits of a product are right, and the mask keeps those.
    """
    mask = 2**32 - 1
    lines = []

    def rotated(value: str, bits: int) -> str:
        return f"BitwiseAnd(Add(Mul({value}, {2**bits}), Div({value}, {2 ** (32 - bits)})), {mask})"

    def times(value: str, factor: int, add: int = 0) -> str:
        product = f"Mul({value}, {factor})"
        return f"BitwiseAnd({f'Add({product}, {add})' if add else product}, {mask})"

    before = str(seed)
    for word in ("low", "high"):
        k, r, s = f"{name}_{word}_k", f"{name}_{word}_r", f"{name}_{word}_s"
        lines.append(f"{k} = {times(word, 0xCC9E2D51)}")
        lines.append(f"{r} = BitwiseXor({times(rotated(k, 15), 0x1B873593)}, {before})")
        lines.append(f"{s} = {times(rotated(r, 13), 5, 0xE6546B64)}")
        before = s
    lines.append(f"{name}_a = BitwiseXor({before}, 8)")
    lines.append(f"{name}_b = {times(f'BitwiseXor({name}_a, Div({name}_a, {2**16}))', 0x85EBCA6B)}")
    lines.append(f"{name}_c = {times(f'BitwiseXor({name}_b, Div({name}_b, {2**13}))', 0xC2B2AE35)}")
    lines.append(f"{name} = BitwiseXor({name}_c, Div({name}_c, {2**16}))")
    return "\n".join(lines)


@onnx_rule(sparselinear_forward)
def sparse_linear(layer: Layer, X: Value) -> Value:
    W, b = layer.param("W"), layer.param("b")
    nO, length = layer.model.get_dim("nO"), layer.model.get_dim("length")
    keys, values, lengths = X  # type: ignore[misc]  # a triple, as the sample was
    inputs: Dict[str, Tensor] = {"keys": keys, "values": layer.cast(values, W.dtype), "W": W, "b": b}
    inputs.update(segment_inputs(layer, layer.cast(lengths, "int64")))
    if layer.attrs["v1_indexing"]:
        # The weights of the classes are neighbours, and overlap.
        weights = [
            f"Gather(W, Add(Unsqueeze(BitwiseAnd(h{i}, {length - 1}), [1]), Range(0, {nO}, 1)))" for i in range(2)
        ]
        table = ""
    else:
        table = f"V = Transpose(Reshape(W, [{nO}, {length}]))"
        weights = [f"Gather(V, Mod(h{i}, {length}))" for i in range(2)]
    body = f"""
        low = Cast <to = {INT64}> (BitwiseAnd(Cast <to = {UINT64}> (keys), {2**32 - 1}u))
        high = {_shifted("keys", 32)}
        {_murmur32("h0", 0)}
        {_murmur32("h1", 1)}
        {table}
        X = Mul(Unsqueeze(values, [1]), Add({weights[0]}, {weights[1]}))
        {SEGMENT_SUM}
        Y = Add(sums, b)
    """
    return layer.node("SparseLinear", body, inputs, Y=(W.dtype, (lengths.shape[0], nO)))


@onnx_rule(remap_ids_forward, remap_ids_v2_forward, premap_ids_forward)
def remap_ids(layer: Layer, X: Value) -> Value:
    ids = layer.array(X)
    if ids.dtype[0] not in "iu":
        raise layer.refuse(f"expected ids, got {ids.dtype}. Give the model integers")
    attrs = layer.attrs
    if attrs["mapping_table"] is None:
        raise layer.refuse("its mapping table is not set")
    is_map = layer.forward is premap_ids_forward
    # The range that keys of this type can have; the map of premap_ids takes all of them as uint64.
    low, high = (0, 2**64) if is_map or ids.dtype.startswith("u") else (-(2**63), 2**63)
    table: Dict[int, Any] = {}
    for key, value in attrs["mapping_table"].items():
        if isinstance(key, (int, float)) and key == int(key) and low <= key < high:
            table[signed(int(key))] = int(value)
    dtype = "int32" if layer.forward is not remap_ids_forward else numpy_name(attrs["dtype"])
    column = attrs.get("column")
    if column is not None and len(ids.shape) == 2:
        body = f"flat = Cast <to = {INT64}> (Gather <axis = 1> (ids, {column}))"
    elif len(ids.shape) == 1:
        body = f"flat = Cast <to = {INT64}> (ids)"
    else:
        raise layer.refuse(f"expected ids of one dimension, got {len(ids.shape)}. Say which column holds them")
    attributes = {"keys": list(table) or [0], "values": list(table.values()) or [int(attrs["default"])]}
    attributes["unknown"] = int(attrs["default"])  # type: ignore[assignment]  # one number
    body += """
        Y = Unsqueeze(ai.onnx.ml.LabelEncoder
            <keys_int64s: ints = @keys, values_int64s: ints = @values, default_int64: int = @unknown> (flat), [1])
    """
    Y = layer.node("RemapIds", body, {"ids": ids}, attributes, Y=("int64", (ids.shape[0], 1)))
    return layer.cast(Y, dtype)


def numpy_name(dtype: Any) -> str:
    import numpy

    return numpy.dtype(dtype).name


__all__ = ["HASH_EMBED", "signed"]
