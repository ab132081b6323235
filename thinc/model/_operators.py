"""Operators on models that the user defines, for one block of code at a time."""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Callable, ContextManager, Dict, Generic, Tuple, TypeVar

from .._blocks import Blocks

if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultedTypeVar

    from . import Model

    # `Model` alone is Model[Any, Any], also to strict checkers.
    InT = DefaultedTypeVar("InT", default=Any)
    OutT = DefaultedTypeVar("OutT", default=Any)
else:
    InT = TypeVar("InT")
    OutT = TypeVar("OutT")
NextT = TypeVar("NextT")

# The default is shared by all threads, so it is replaced and never written to.
context_operators: ContextVar[Dict[str, Callable]] = ContextVar(
    "context_operators",
    default={},  # noqa: B039
)
_blocks = Blocks(context_operators)


class Operators(Generic[InT, OutT]):
    """The part of `Model` that makes `a >> b` call a function of two operands.

    There are no reflected variants: the left operand is the model, the right operand
    may be anything. Type checkers take five of them for what they are mostly bound to:
    `>>` chain, `|` concatenate, `+` add, `&` tuplify, `**` clone.
    """

    __slots__ = ()

    _context_operators = context_operators

    @classmethod
    def define_operators(cls, operators: Dict[str, Callable[..., Any]]) -> ContextManager[None]:
        """Bind operators inside a block: {">>": chain} makes `a >> b` a chain.

        A nested block sees only its own. Other threads see none.

        operators: a sign such as ">>", "|", "+", "*" or "**" -> function of two arguments.

        >>> with Model.define_operators({">>": chain, "|": concatenate}):
        ...     model = (Relu(4) | Linear(2)) >> Softmax(3)
        >>> model.name
        'relu|linear>>softmax'
        """
        return _blocks.set(dict(operators))

    def __add__(self, other: "Model[InT, OutT]") -> "Model[InT, OutT]":
        return _operate("+", self, other)

    def __sub__(self, other: Any) -> "Model":
        return _operate("-", self, other)

    def __mul__(self, other: Any) -> "Model":
        return _operate("*", self, other)

    def __matmul__(self, other: Any) -> "Model":
        return _operate("@", self, other)

    def __div__(self, other: Any) -> "Model":
        return _operate("/", self, other)

    def __truediv__(self, other: Any) -> "Model":
        return _operate("/", self, other)

    def __floordiv__(self, other: Any) -> "Model":
        return _operate("//", self, other)

    def __mod__(self, other: Any) -> "Model":
        return _operate("%", self, other)

    def __pow__(self, other: int, **kwargs: Any) -> "Model[InT, OutT]":
        return _operate("**", self, other)

    def __lshift__(self, other: Any) -> "Model":
        return _operate("<<", self, other)

    def __rshift__(self, other: "Model[OutT, NextT]") -> "Model[InT, NextT]":
        return _operate(">>", self, other)

    def __and__(self, other: "Model[InT, NextT]") -> "Model[InT, Tuple[OutT, NextT]]":
        return _operate("&", self, other)

    def __xor__(self, other: Any) -> "Model":
        return _operate("^", self, other)

    def __or__(self, other: "Model[InT, OutT]") -> "Model[InT, OutT]":
        return _operate("|", self, other)


def _operate(operator: str, left: Any, right: Any) -> Any:
    operators = _blocks.get()
    if operator not in operators:
        raise TypeError(
            f"Undefined operator: {operator} (left operand: model '{left.name}'). Bind "
            f'it with Model.define_operators({{"{operator}": ...}})'
        )
    return operators[operator](left, right)
