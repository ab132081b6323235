"""`TensorFlowShim`: a Keras model as part of a model."""

import contextlib
import copy
import os
import tempfile
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import catalogue

from .. import compat
from ..optimizers import Optimizer
from ..types import ArgsKwargs, ArrayXd
from ..util import (
    convert_recursive,
    get_array_module,
    is_xp_array,
    iterate_recursive,
    tensorflow2xp,
    unpack,
    xp2tensorflow,
)
from .shim import Shim

keras_model_fns = catalogue.create("thinc", "keras", entry_points=True)

_BUILT_IN = {"keras", "tf_keras", "tensorflow"}


def maybe_handshake_model(keras_model: Any) -> Any:
    """The model, ready to be run and saved.

    Keras's own kinds of model are returned as they are. A subclass written by a user
    must be decorated with `keras_subclass`, which says how to make it anew; it is
    compiled, built and run once on the decorator's examples.

    keras_model: the model.

    >>> import tensorflow
    >>> enable_tensorflow()
    >>> net = tensorflow.keras.Sequential([tensorflow.keras.Input((3,)), tensorflow.keras.layers.Dense(4)])
    >>> maybe_handshake_model(net) is net
    True
    """
    if type(keras_model).__module__.split(".")[0] in _BUILT_IN:
        return keras_model
    for name in ("catalogue_name", "eg_x", "eg_y", "eg_shape", "eg_compile", "eg_args"):
        if not hasattr(keras_model, name):
            raise ValueError(
                "Keras subclassed models are not whole-model serializable by "
                f"TensorFlow. {type(keras_model).__name__} must be decorated with "
                "thinc.api.keras_subclass, and its constructor called, so that it can "
                "be made anew before its weights are loaded"
            )
    keras_model.compile(**keras_model.eg_compile)
    # This makes the weights, whatever the shapes of its inputs are.
    keras_model(convert_recursive(is_xp_array, xp2tensorflow, keras_model.eg_x))
    keras_model.make_train_function()
    return keras_model


class TensorFlowShim(Shim):
    """Runs, updates, moves and saves a Keras model.

    All trainable variables are one vector to our optimizers, key
    (id, "tensorflow-shim"). Gradients add up until `finish_update`.

    model: the Keras model.  config, optimizer: kept, not used.

    >>> import tensorflow
    >>> enable_tensorflow()
    >>> net = tensorflow.keras.Sequential([tensorflow.keras.Input((3,)), tensorflow.keras.layers.Dense(4)])
    >>> TensorFlowShim(net).predict(ArgsKwargs(args=(tensorflow.ones((5, 3)),), kwargs={})).shape
    TensorShape([5, 4])
    """

    gradients: Optional[List[Any]]

    def __init__(self, model: Any, config: Any = None, optimizer: Any = None) -> None:
        super().__init__(model, config, optimizer)
        self.gradients = None

    def __str__(self) -> str:
        lines: List[str] = []
        self._model.summary(print_fn=lambda line, **_: lines.append(line))
        return "\n".join(lines)

    def __call__(self, X: ArgsKwargs, is_train: bool) -> Tuple[Any, Callable[..., Any]]:
        if is_train:
            return self.begin_update(X)
        return self.predict(X)

    def predict(self, X: ArgsKwargs) -> Any:
        """The model's output in inference mode."""
        return self._run(X, training=False)

    def begin_update(self, X: ArgsKwargs) -> Tuple[Any, Callable[..., Any]]:
        """The output, and a callback from its gradient to `ArgsKwargs` of the inputs'."""
        tf = compat.tensorflow
        watched = list(iterate_recursive(_is_float_tensor, X))
        with tf.GradientTape() as tape:
            for tensor in watched:
                tape.watch(tensor)
            output = self._run(X, training=True)

        def backprop(d_output: Any) -> ArgsKwargs:
            variables = list(self._model.trainable_variables)
            grads = tape.gradient(output, watched + variables, output_gradients=d_output)
            self._add_gradients(variables, grads[len(watched) :])
            by_input = zip(watched, grads)

            def gradient(x: Any) -> Any:
                # In the order in which they were watched; what is no float has none.
                if not _is_float_tensor(x):
                    return tf.zeros_like(x)
                _, grad = next(by_input)
                return tf.zeros_like(x) if grad is None else grad

            return convert_recursive(_is_tensor, gradient, X)

        return output, backprop

    def _run(self, X: ArgsKwargs, training: bool) -> Any:
        args = X.args
        # Models of several inputs take them as one list; further arguments of theirs
        # mean something else.
        if len(args) > 1 and len(getattr(self._model, "inputs", None) or ()) > 1:
            args = (list(args),)
        return self._model(*args, **{**X.kwargs, "training": training})

    def _add_gradients(self, variables: List[Any], grads: List[Any]) -> None:
        tf = compat.tensorflow
        dense = [
            tf.zeros(variable.shape, dtype=variable.dtype) if grad is None else tf.convert_to_tensor(grad)
            for variable, grad in zip(variables, grads)
        ]
        if self.gradients is None:
            self.gradients = [tf.Variable(grad, trainable=False) for grad in dense]
        else:
            for total, grad in zip(self.gradients, dense):
                total.assign_add(grad)

    def finish_update(self, optimizer: Optimizer) -> None:
        if self.gradients is None:
            raise ValueError(
                "There are no gradients for optimization. Be sure to call begin_update before calling finish_update."
            )
        variables = self._model.trainable_variables
        values = [tensorflow2xp(tensor) for tensor in map(_value, variables)]
        grads = [tensorflow2xp(tensor) for tensor in map(_value, self.gradients)]
        if values:
            xp = get_array_module(values[0])
            key = (self.id, "tensorflow-shim")
            updated, _ = optimizer(
                key,
                xp.concatenate([value.ravel() for value in values]),
                xp.concatenate([grad.ravel() for grad in grads]),
            )
            start = 0
            for variable, value in zip(variables, values):
                part = updated[start : start + value.size].reshape(value.shape)
                tensor = xp2tensorflow(part)
                variable.assign(compat.tensorflow.cast(tensor, variable.dtype))
                start += value.size
        self.gradients = None

    def clear_gradients(self) -> None:
        self.gradients = None

    @contextlib.contextmanager
    def use_params(self, params: Any) -> Iterator[None]:
        """Weights replaced for a while.

        Keys are "tensorflow_{id}_{weight}", with the path or the number of the weight,
        or, for all at once, (id, "tensorflow-shim") as in our optimizers' averages.
        """
        replaced = self._replacements(params)
        if not replaced:
            yield
            return
        backup = self._model.get_weights()
        try:
            weights = list(backup)
            for i, value in replaced.items():
                weights[i] = value.reshape(weights[i].shape)
            self._model.set_weights(weights)
            yield
        finally:
            try:
                self._model.set_weights(backup)
            finally:  # once more: the first time may have been interrupted
                self._model.set_weights(backup)

    def _replacements(self, params: Dict[Any, ArrayXd]) -> Dict[int, Any]:
        prefix = f"tensorflow_{self.id}_"
        replaced: Dict[int, Any] = {}
        weights = self._model.weights
        for i, weight in enumerate(weights):
            for name in (_weight_name(weight), str(i)):
                if prefix + name in params:
                    replaced[i] = params[prefix + name]
        vector = params.get((self.id, "tensorflow-shim"))
        if vector is not None:
            trainable = {id(v) for v in self._model.trainable_variables}
            start = 0
            for i, weight in enumerate(weights):
                if id(weight) in trainable:
                    size = int(weight.numpy().size)
                    replaced[i] = vector[start : start + size]
                    start += size
        return replaced

    def copy(self) -> Any:
        """A copy of architecture and weights, with an id of its own."""
        copied = copy.copy(self)
        copied.cfg = copy.deepcopy(self.cfg)
        copied.gradients = None
        copied._model = _remake(self._model)
        return copied

    def to_device(self, device_type: str, device_id: int) -> None:
        if device_type not in ("cpu", "gpu"):
            raise ValueError(f"Unexpected device_type: {device_type}. Try 'cpu' or 'gpu'.")
        if device_type == "cpu" and not compat.has_tensorflow_gpu:
            return  # it is there, and nowhere else it could be
        name = "/CPU" if device_type == "cpu" else f"/GPU:{device_id}"
        with compat.tensorflow.device(name):
            self._model = _remake(self._model)

    def to_bytes(self) -> Any:
        """msgpack of the architecture and the weights.

        For a model decorated with keras_subclass: its name in `keras_model_fns`, and
        the weights.
        """
        if hasattr(self._model, "catalogue_name"):
            return self._model.catalogue_name, self._model.get_weights()
        return compat.srsly.msgpack_dumps({"config": self._model.to_json(), "weights": self._model.get_weights()})

    def from_bytes(self, data: bytes) -> Any:
        if isinstance(data, bytes):
            self._model = _from_bytes(self._model, data)
        else:
            name, weights = data
            model = maybe_handshake_model(keras_model_fns.get(name)()) if self._model is None else self._model
            _set_weights(model, weights)
            self._model = model
        self.gradients = None
        return self


def _from_bytes(model: Any, data: bytes) -> Any:
    if data[:4] == b"\x89HDF":  # as saved by older versions
        return _load_hdf5(data)
    message = unpack(data, "TensorFlowShim", "a model as to_bytes makes it", "config", "weights")
    config, weights = message["config"], message["weights"]
    if model is None or model.to_json() != config:
        try:
            model = _keras_of(model).models.model_from_json(config)
        except (TypeError, ValueError):
            # Parts that Keras does not know how to make: if the model at hand is made
            # of the same ones, it will do.
            shapes = [] if model is None else [tuple(w.shape) for w in model.weights]
            if shapes != [weight.shape for weight in weights]:
                raise
    _set_weights(model, weights)
    return model


def _set_weights(model: Any, weights: Any) -> None:
    """ValueError, with nothing changed, for weights of other shapes."""
    shapes = [tuple(getattr(weight, "shape", ())) for weight in weights]
    expected = [tuple(weight.shape) for weight in model.weights]
    if shapes != expected:
        raise ValueError(f"TensorFlowShim: the data has weights of shapes {shapes}, the model {expected}")
    model.set_weights(weights)


def _load_hdf5(data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.h5")  # Keras goes by the suffix
        with open(path, "wb") as file:
            file.write(data)
        return compat.tensorflow.keras.models.load_model(path)


def _keras_of(model: Any) -> Any:
    """The Keras that made the model: there are two, and they do not mix."""
    if type(model).__module__.split(".")[0] == "tf_keras":
        import tf_keras

        return tf_keras
    return compat.tensorflow.keras


def _remake(model: Any) -> Any:
    """A new model of the same architecture with the same weights."""
    if hasattr(model, "catalogue_name"):
        arguments: ArgsKwargs = model.eg_args
        made = keras_model_fns.get(model.catalogue_name)(*arguments.args, **arguments.kwargs)
        made = maybe_handshake_model(made)
    else:
        made = _keras_of(model).models.clone_model(model)
    made.set_weights(model.get_weights())
    return made


def _weight_name(weight: Any) -> str:
    # In Keras 3 only the path is unique.
    return str(getattr(weight, "path", weight.name))


def _value(variable: Any) -> Any:
    return compat.tensorflow.convert_to_tensor(variable)


def _is_tensor(x: Any) -> bool:
    tf = compat.tensorflow
    return isinstance(x, (tf.Tensor, tf.Variable))


def _is_float_tensor(x: Any) -> bool:
    return _is_tensor(x) and bool(x.dtype.is_floating)


__all__ = ["TensorFlowShim", "keras_model_fns", "maybe_handshake_model"]
