"""Keras models as layers."""

from typing import Any, Callable, Dict, Optional, Tuple, Type, TypeVar

from .. import compat
from ..model import Model
from ..shims import TensorFlowShim, keras_model_fns, maybe_handshake_model
from ..types import ArgsKwargs, ArrayXd
from ..util import (
    assert_tensorflow_installed,
    convert_recursive,
    is_tensorflow_array,
    is_xp_array,
    partial,
    tensorflow2xp,
    xp2tensorflow,
)
from ._frameworks import as_arguments, back, wrapper

InT = TypeVar("InT")
OutT = TypeVar("OutT")
InFunc = TypeVar("InFunc")
XType = TypeVar("XType", bound=ArrayXd)
YType = TypeVar("YType", bound=ArrayXd)


def keras_subclass(
    name: str, X: XType, Y: YType, input_shape: Tuple[int, ...], compile_args: Optional[Dict[str, Any]] = None
) -> Callable[[InFunc], InFunc]:
    """Decorate a subclass of keras.Model, so that it can be wrapped and saved.

    name: it is registered under. X, Y: examples of input and output.
    input_shape: without the batch. compile_args: for `compile`, on top of adam and mse.
    The arguments of its constructor must be JSON-serializable.

    >>> import tensorflow
    >>> enable_tensorflow()
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> @keras_subclass("doc.Doubled", X=X, Y=2 * X, input_shape=(3,))
    ... class Doubled(tensorflow.keras.Model):
    ...     def call(self, X):
    ...         return 2 * X
    >>> TensorFlowWrapper(Doubled()).predict(X).shape
    (5, 3)
    """
    compile_defaults = {"optimizer": "adam", "loss": "mse"}
    compiled = {**compile_defaults, **(compile_args or {})}

    def call_fn(class_: Any) -> Any:
        class_.catalogue_name = property(lambda self: name)
        class_.eg_shape = property(lambda self: input_shape)
        class_.eg_compile = property(lambda self: compiled)
        class_.eg_x = property(lambda self: X)
        class_.eg_y = property(lambda self: Y)

        @keras_model_fns(name)
        def create_component(*args: Any, **kwargs: Any) -> Any:
            return class_(*args, **kwargs)

        original_init = class_.__init__

        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            original_init(self, *args, **kwargs)
            try:
                compat.srsly.json_dumps(args)
                compat.srsly.json_dumps(kwargs)
            except (TypeError, ValueError, OverflowError, RecursionError) as e:
                raise ValueError(
                    "In order to serialize Keras Subclass models, the constructor "
                    f"arguments must be serializable, got {args} and {kwargs}: {e}"
                ) from e
            # Keras tracks what is assigned to a model; this is ours.
            object.__setattr__(self, "eg_args", ArgsKwargs(args=args, kwargs=kwargs))

        class_.__init__ = __init__
        return class_

    return call_fn


def TensorFlowWrapper(
    tensorflow_model: Any,
    convert_inputs: Optional[Callable[..., Any]] = None,
    convert_outputs: Optional[Callable[..., Any]] = None,
    optimizer: Optional[Any] = None,
    model_class: Type[Model] = Model,
    model_name: str = "tensorflow",
) -> Model[InT, OutT]:
    """A Keras model as a layer; its variables are updated by our optimizers.

    convert_inputs: (model, X, is_train) -> (ArgsKwargs of tensors, callback from their
        gradients to that of X).
    convert_outputs: (model, Y of TensorFlow, is_train) -> (Y, callback from dY to
        TensorFlow's).
    Needs `enable_tensorflow()` first.

    tensorflow_model: the Keras model.  optimizer: kept, not used.  model_class: of the layer.  model_name: its name.

    >>> import tensorflow
    >>> enable_tensorflow()
    >>> net = tensorflow.keras.Sequential([tensorflow.keras.Input((3,)), tensorflow.keras.layers.Dense(4)])
    >>> X = numpy.ones((5, 3), dtype="f")
    >>> chain(TensorFlowWrapper(net), Softmax(2, 4)).initialize(X).predict(X).shape
    (5, 2)
    """
    assert_tensorflow_installed()
    if not _is_keras_model(tensorflow_model):
        raise ValueError(f"Expected tf.keras.models.Model, got: {type(tensorflow_model)}")
    tensorflow_model = maybe_handshake_model(tensorflow_model)
    return wrapper(
        model_name,
        forward,
        TensorFlowShim(tensorflow_model, optimizer=optimizer),
        convert_inputs or _convert_inputs,
        convert_outputs or _convert_outputs,
        model_class,
        dims=(),
    )


def _is_keras_model(obj: Any) -> bool:
    if isinstance(obj, compat.tensorflow.keras.models.Model):
        return True
    return any(c.__module__.split(".")[0] == "tf_keras" and c.__name__ == "Model" for c in type(obj).__mro__)


def forward(model: Model[InT, OutT], X: InT, is_train: bool) -> Tuple[OutT, Callable]:
    """Inputs to TensorFlow, through the Keras model, outputs back."""
    inputs, get_dX = model.attrs["convert_inputs"](model, X, is_train)
    convert_outputs = model.attrs["convert_outputs"]
    if not is_train:
        Y, _ = convert_outputs(model, model.shims[0](inputs, is_train), is_train)
        return Y, _no_backprop
    tf_output, tf_backprop = model.shims[0](inputs, is_train)
    Y, get_d_output = convert_outputs(model, tf_output, is_train)

    def backprop(dY: OutT) -> InT:
        return get_dX(tf_backprop(get_d_output(dY)))

    return Y, backprop


def _no_backprop(dY: Any) -> Any:
    raise RuntimeError(
        "The callback of a predict call has no gradient. Use begin_update, or call the model with is_train=True"
    )


def _convert_inputs(model: Model, X: Any, is_train: bool) -> Tuple[ArgsKwargs, Any]:
    to_tensor = partial(xp2tensorflow, requires_grad=is_train)
    return as_arguments(X, to_tensor, back(is_tensorflow_array, tensorflow2xp, model))


def _convert_outputs(model: Model, Ytf: Any, is_train: bool) -> Tuple[Any, Any]:
    Y = back(is_tensorflow_array, tensorflow2xp, model)(Ytf)

    def get_d_output(dY: Any) -> Any:
        return convert_recursive(is_xp_array, xp2tensorflow, dY)

    return Y, get_d_output


__all__ = ["TensorFlowWrapper", "forward", "keras_subclass"]
