"""Models to and from dicts, bytes and files. The bytes never change."""

import gc
from pathlib import Path

import numpy
import pytest
import srsly

from thinc.model import Model, deserialize_attr, serialize_attr
from thinc.types import Unserializable

# What version 8.3.14 writes for `recorded_tree()`.
RECORDED = bytes.fromhex(
    "84a56e6f6465739284a5696e64657800a46e616d65a4726f6f74a464696d7380a47265667382a569"
    "6e6e657201a5756e736574c084a5696e64657801a46e616d65a5696e6e6572a464696d7382a26e4f"
    "02a26e49c0a47265667380a56174747273928083a472617465c409cb3fc999999999999aa4666c61"
    "67c401c3a56974656d73c4069201a374776fa6706172616d73928082a15785c4026e64c3c4047479"
    "7065a33c6634c4046b696e64c400c4057368617065920203c40464617461c418000000000000803f"
    "0000004000004040000080400000a040a162c0a57368696d73929091c4047368696d"
)


def forward(model, X, is_train):
    return X, lambda dY: dY


def node(name="node", **settings):
    return Model(name, forward, **settings)


class FakeShim:
    def __init__(self):
        self.data = b""

    def to_bytes(self):
        return b"shim"

    def from_bytes(self, data):
        self.data = data
        return self


def recorded_tree(filled=True):
    W = numpy.arange(6, dtype="f").reshape(2, 3)
    inner = node(
        "inner",
        dims={"nO": 2 if filled else None, "nI": None},
        params={"W": W if filled else None, "b": None},
        attrs={"rate": 0.2 if filled else 0.0, "flag": filled, "skip": forward, "items": [1, "two"] if filled else []},
        shims=[FakeShim()],
    )
    refs = {"inner": inner if filled else None, "unset": None}
    return node("root", layers=[inner, inner], refs=refs)


def test_bytes_are_those_of_earlier_versions():
    assert recorded_tree().to_bytes() == RECORDED
    model = recorded_tree(filled=False).from_bytes(RECORDED)
    inner = model.layers[0]
    assert model.get_ref("inner") is inner
    assert inner.get_dim("nO") == 2
    assert inner.has_dim("nI") is None
    assert inner.get_param("W").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert inner.has_param("b") is None
    assert inner.attrs["rate"] == 0.2
    assert inner.attrs["flag"] is True
    assert inner.attrs["items"] == [1, "two"]
    assert inner.attrs["skip"] is forward
    assert inner.shims[0].data == b"shim"
    assert model.to_bytes() == RECORDED


def test_dict():
    model = recorded_tree()
    msg = model.to_dict()
    assert list(msg) == ["nodes", "attrs", "params", "shims"]
    assert msg["nodes"][0] == {"index": 0, "name": "root", "dims": {}, "refs": {"inner": 1, "unset": None}}
    assert list(msg["nodes"][1]) == ["index", "name", "dims", "refs"]
    assert sorted(msg["attrs"][1]) == ["flag", "items", "rate"]
    assert msg["params"][1]["W"] is model.layers[0].get_param("W")
    assert msg["params"][1]["b"] is None
    assert msg["shims"] == [[], [b"shim"]]
    other = recorded_tree(filled=False)
    ids = [each.id for each in other.walk()]
    assert other.from_dict(msg) is other
    assert [each.id for each in other.walk()] == ids
    W = other.layers[0].get_param("W")
    assert W is not msg["params"][1]["W"]
    assert W.flags.writeable


def test_arrays_are_little_endian_and_keep_their_dtype():
    params = {
        "big": numpy.arange(3, dtype=">f4"),
        "strided": numpy.arange(6, dtype="f")[::2],
        "empty": numpy.zeros((0, 4), dtype="f"),
        "double": numpy.ones(2),
        "int": numpy.arange(3, dtype="int64"),
    }
    data = node(params=params).to_bytes()
    assert b"<f4" in data and b">f4" not in data
    model = node(params=dict.fromkeys(params)).from_bytes(data)
    for name, array in params.items():
        numpy.testing.assert_array_equal(model.get_param(name), array)
    assert model.get_param("double").dtype == "float64"
    assert model.get_param("int").dtype == "int64"
    assert model.get_param("empty").shape == (0, 4)


def test_loaded_params_can_be_updated():
    model = recorded_tree(filled=False).from_bytes(RECORDED)
    model.layers[0].get_param("W")[:] += 1


def test_ref_out_of_the_tree():
    model = node(refs={"far": node(), "none": None})
    with pytest.raises(ValueError, match="far"):
        model.to_dict()


def test_ref_to_a_node_that_is_not_below():
    def tree(filled):
        left, right = node("left"), node("right")
        if filled:
            left = node("left", refs={"right": right})
        return node("root", layers=[left, right])

    model = tree(False).from_bytes(tree(True).to_bytes())
    assert model.layers[0].get_ref("right") is model.layers[1]


def test_unknown_names_in_the_data():
    def init(model, X=None, Y=None):
        model.set_param("W", numpy.zeros(2))

    data = node(attrs={"new": 1}, params={"W": numpy.ones(2)}).to_bytes()
    model = node(init=init).from_bytes(data)  # its init function makes it
    assert model.attrs["new"] == 1
    assert model.get_param("W").shape == (2,)
    for other in (node(), node(params={"W": None, "b": None}), node(params={"b": None}, init=init)):
        with pytest.raises(ValueError, match=r"the data has the parameters \['W'\], the layer"):
            other.from_bytes(data)
    with pytest.raises(ValueError, match="has a dimension 'nO', the layer"):
        model.from_bytes(node(dims={"nO": 1}).to_bytes())


def test_data_that_does_not_fit():
    data = node(dims={"nO": 2}).to_bytes()
    with pytest.raises(ValueError, match="nO"):
        node(dims={"nO": 3}).from_bytes(data)
    with pytest.raises(ValueError, match="1 layers, the model 2"):
        node(layers=[node()]).from_bytes(data)
    with pytest.raises(ValueError):
        node().from_dict({})
    with pytest.raises(ValueError, match="shims"):
        node("root", layers=[node("inner", dims=dict.fromkeys(["nO", "nI"]), params=dict.fromkeys("Wb"))]).from_bytes(
            RECORDED
        )


def test_name_is_loaded():
    assert node("old").from_bytes(node("new").to_bytes()).name == "new"


def test_disk(tmp_path):
    model = recorded_tree()
    path = tmp_path / "model"
    for target in (path, str(path)):
        model.to_disk(target)
        assert path.read_bytes() == RECORDED
        loaded = recorded_tree(filled=False).from_disk(target)
        assert loaded.to_bytes() == RECORDED
        assert recorded_tree(filled=False).can_from_disk(target, strict=False)
        path.unlink()
    assert model.can_from_disk(path) is False
    assert model.can_from_disk(tmp_path) is False
    assert model.can_from_disk(str(tmp_path)) is False


def test_disk_opens_what_looks_like_a_path(tmp_path):
    class CloudPath:
        opened = []

        def open(self, mode):
            self.opened.append(mode)
            return (tmp_path / "model").open(mode)

    path = CloudPath()
    node().to_disk(path)
    node().from_disk(path)
    assert path.opened == ["wb", "rb"]


def test_can_from_bytes():
    model = recorded_tree()
    assert model.can_from_bytes(RECORDED)
    for junk in (b"", b"junk", RECORDED + b"\x00", srsly.msgpack_dumps(5)):
        assert model.can_from_bytes(junk) is False


def test_can_from_dict_compares_structure():
    W = numpy.ones((2, 3), dtype="f")
    msg = node(dims={"nO": 2, "nI": None}, params={"W": W, "b": None}).to_dict()

    def can(strict=True, name="node", **settings):
        return node(name, **settings).can_from_dict(msg, strict=strict)

    fits = {"dims": {"nO": None, "nI": None}, "params": {"W": None, "b": W}}
    assert can(**fits)
    assert not can(name="other", **fits)
    assert can(name="other", strict=False, **fits)
    assert not can(**fits, layers=[node()])
    assert not can(**fits, shims=[FakeShim()])
    assert not can(**{**fits, "dims": {"nO": 2}})
    assert not can(**{**fits, "dims": {"nO": 3, "nI": None}})
    # A dim that is set here and not in the file differs, too.
    assert not can(**{**fits, "dims": {"nO": 2, "nI": 3}})
    assert not can(**{**fits, "params": {"W": None}})
    assert not can(**{**fits, "params": {"W": W.T, "b": None}})
    assert not node().can_from_dict({})


def test_can_from_dict_compares_attrs_if_strict():
    msg = node(attrs={"a": 1, "b": 2}).to_dict()
    assert node(attrs={"a": 1}).can_from_dict(msg)
    assert node(attrs={"a": 1, "c": 3, "b": forward}).can_from_dict(msg)
    assert not node(attrs={"a": 2}).can_from_dict(msg)
    assert node(attrs={"a": 2}).can_from_dict(msg, strict=False)


class Version:
    def __init__(self, number=0):
        self.number = number


@serialize_attr.register(Version)
def _serialize_version(_, value, name, model):
    return f"{model.name}.{name}={value.number}".encode()


@deserialize_attr.register(Version)
def _deserialize_version(_, value, name, model):
    return Version(int(value.decode().partition("=")[2]))


def test_attrs_of_own_types():
    data = node(attrs={"version": Version(7)}).to_bytes()
    assert b"node.version=7" in data
    model = node(attrs={"version": Version()}).from_bytes(data)
    assert model.attrs["version"].number == 7


def test_unserializable_attrs_are_left_out():
    model = node(attrs={"a": Unserializable([1]), "b": 1, "c": lambda: 1})
    assert list(model.to_dict()["attrs"][0]) == ["b"]


def test_path_type_is_kept(tmp_path):
    class LoggedPath(type(Path())):
        opened = []

        def open(self, *args, **kwargs):
            self.opened.append(args)
            return super().open(*args, **kwargs)

    node().to_disk(LoggedPath(tmp_path) / "model")
    assert LoggedPath.opened


@pytest.mark.parametrize(
    "model, error",
    [
        (node("outer", layers=[node("inner", attrs={"rate": 2**70})]), "layer 'inner': its attr 'rate' of type int"),
        (node("inner", refs={"far": node()}), r"references: \['far'\]"),
        (node(shims=[object()]), "to_bytes"),
    ],
)
def test_the_old_file_stays_if_the_model_does_not_serialize(tmp_path, model, error):
    path = tmp_path / "model"
    path.write_bytes(b"old")
    with pytest.raises((ValueError, AttributeError), match=error):
        model.to_disk(path)
    assert path.read_bytes() == b"old"


def test_a_parameter_that_msgpack_cannot_hold():
    huge = numpy.broadcast_to(numpy.float32(0), (2**16, 2**15))  # 8 GiB that take 4 bytes
    model = node("outer", layers=[node("inner", params={"W": huge})])
    with pytest.raises(ValueError, match="layer 'inner': its parameter 'W' has 8589934592 bytes.*to_safetensors"):
        model.to_bytes()


@pytest.mark.parametrize("value", [None, True, -7, 0.1, 2**40, "text", b"bytes", [1, {"a": 2}], {"a": [1]}])
def test_attrs_of_every_kind(value):
    assert node(attrs={"a": None}).from_bytes(node(attrs={"a": value}).to_bytes()).attrs["a"] == value


def test_a_bad_attr_leaves_the_garbage_collector_on():
    for data in (b"", b"\xc1", b"\x92\x01", b"\xa3ab", b"\x01\x01"):
        with pytest.raises(ValueError):
            deserialize_attr(1, data, "a", node())
        assert gc.isenabled()
