"""What an installed wheel must do: its own data is found, a model trains, saves, loads and predicts the same."""

from pathlib import Path

import numpy

import thinc
from thinc.api import Adam, Maxout, Softmax, chain, get_current_ops

assert "site-packages" in thinc.__file__, thinc.__file__
assert (Path(thinc.get_include()) / "gemm.hh").is_file(), thinc.get_include()
assert get_current_ops().name == "numpy"

rng = numpy.random.RandomState(0)
X = rng.normal(size=(512, 8)).astype("float32")
Y = numpy.eye(2, dtype="float32")[(X[:, 0] * X[:, 1] > 0).astype(int)]


def build():
    return chain(Maxout(32, nP=3, dropout=0.1), Softmax())


model = build().initialize(X, Y)
optimizer = Adam(0.01)
for _ in range(200):
    Yh, backprop = model.begin_update(X)
    backprop((Yh - Y) / len(X))
    model.finish_update(optimizer)
accuracy = (model.predict(X).argmax(1) == Y.argmax(1)).mean()
assert accuracy > 0.9, accuracy
copy = build().initialize(X, Y).from_bytes(model.to_bytes())
assert numpy.array_equal(copy.predict(X), model.predict(X))
print(f"the wheel works: accuracy {accuracy:.3f}")
