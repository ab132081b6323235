"""What all shims have in common."""

import copy

import pytest

from thinc.api import Model, Shim


class Echo(Shim):
    def __call__(self, inputs, is_train):
        return (inputs, is_train), lambda dY: dY

    def to_bytes(self):
        return b"echo"

    def from_bytes(self, data):
        self.cfg["loaded"] = data
        return self


def test_predict_and_begin_update_are_calls():
    shim = Echo(None)
    assert shim.predict("X") == ("X", False)
    assert shim.begin_update("X")[0] == ("X", True)


def test_what_a_shim_must_implement_says_so():
    shim = Shim(None)
    for call in (
        lambda: shim("X", True),
        lambda: shim.finish_update(None),
        lambda: shim.to_device("cpu", 0),
        lambda: shim.to_bytes(),
        lambda: shim.from_bytes(b""),
    ):
        with pytest.raises(NotImplementedError, match="Shim does not implement"):
            call()


def test_ids_are_counted_apart_from_those_of_nodes():
    before = Model.global_id
    first, second = Echo(None), Echo(None)
    assert second.id == first.id + 1 == Shim.global_id
    assert Model.global_id == before
    assert first.copy().id == Shim.global_id


def test_to_disk_takes_names_and_paths(tmp_path):
    shim = Echo(None)
    shim.to_disk(str(tmp_path / "shim"))
    shim.to_disk(tmp_path / "shim")
    assert (tmp_path / "shim").read_bytes() == b"echo"
    assert shim.from_disk(tmp_path / "shim") is shim
    assert shim.from_disk(str(tmp_path / "shim")).cfg == {"loaded": b"echo"}


def test_use_params_does_nothing_by_default():
    with Echo(None).use_params({(1, "W"): None}):
        pass


def test_shared_shims_stay_shared_in_copies():
    shim = Echo(None)
    a = Model("a", lambda model, X, is_train: (X, lambda dY: dY), shims=[shim])
    tree = Model("b", a._func, layers=[a], shims=[shim])
    twin = tree.copy()
    assert twin.shims[0] is twin.layers[0].shims[0]
    assert twin.shims[0] is not shim
    assert copy.deepcopy(shim).cfg == {}
