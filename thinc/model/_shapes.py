"""The shape of each parameter in terms of the layer's dims, stated by its forward function.

    @holds(W=("nO", "nI"), b=("nO",))
    def forward(model, X, is_train): ...

`Model.set_param` compares every array it is given, so that a forward pass need not: a parameter
of another shape would broadcast, or lend its numbers to a kernel that reads them otherwise.
"""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, TypeVar, Union

if TYPE_CHECKING:
    from . import Model

ForwardT = TypeVar("ForwardT", bound=Callable)
# A dim by its name, or a number made of the dims (by name); that one is asked once all dims are set.
Axis = Union[str, Callable[[Dict[str, int]], int]]


def holds(**shapes: Tuple[Axis, ...]) -> Callable[[ForwardT], ForwardT]:
    """State the shapes of the parameters that a forward function reads."""

    def state(forward: ForwardT) -> ForwardT:
        forward.param_shapes = shapes  # type: ignore[attr-defined]  # functions take any
        return forward

    return state


def expected_shape(model: "Model", name: str, dims: Optional[Dict[str, Any]] = None) -> Optional[List[Optional[int]]]:
    """What the dims (by default the model's) say of a parameter: None for an axis of an unset dim, None at all if
    nothing is stated."""
    axes = getattr(model._func, "param_shapes", {}).get(name)
    if axes is None:
        return None
    dims = model._dims if dims is None else dims
    complete = None not in dims.values()
    return [dims.get(axis) if isinstance(axis, str) else axis(dims) if complete else None for axis in axes]


def is_shape(expected: List[Optional[int]], shape: Tuple[int, ...]) -> bool:
    return len(shape) == len(expected) and all(want is None or want == have for want, have in zip(expected, shape))


def describe_shape(expected: List[Optional[int]]) -> str:
    return f"({', '.join('any' if want is None else str(want) for want in expected)}{',' * (len(expected) == 1)})"


def check_shape(model: "Model", name: str, value: Any, dims: Optional[Dict[str, Any]] = None) -> None:
    """ValueError unless the array has the shape that the dims (by default the model's) say."""
    dims = model._dims if dims is None else dims
    expected = expected_shape(model, name, dims)
    if expected is None:
        return
    shape = tuple(getattr(value, "shape", ()))
    if is_shape(expected, shape):
        return
    wanted = describe_shape(expected)
    said = ", ".join(f"{dim}={size}" for dim, size in dims.items())
    raise ValueError(
        f"Parameter '{name}' of layer '{model.name}': expected shape {wanted} as its dims say ({said}), got {shape}. "
        "Build the layer with other dims, or give an array of that shape"
    )
