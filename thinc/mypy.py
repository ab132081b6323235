"""Plugin for mypy: checks that the layers given to `chain`, `add` and others fit.

Switch it on in the configuration of mypy:

    [mypy]
    plugins = thinc.mypy

A combinator takes part if it returns `Model[InT, XY_YZ_OutT]` (each layer's output is
the next one's input) or `Model[InT, XY_XY_OutT]` (all layers have the same input and
output). The two type variables come from `thinc.types`.
"""

import itertools
from collections.abc import Callable
from typing import Dict, List, Optional, Type

from mypy.checker import TypeChecker
from mypy.errorcodes import ErrorCode
from mypy.errors import Errors
from mypy.nodes import CallExpr, Decorator, Expression, FuncDef, MypyFile, NameExpr, OverloadedFuncDef
from mypy.options import Options
from mypy.plugin import CheckerPluginInterface, FunctionContext, Plugin
from mypy.subtypes import is_subtype
from mypy.types import CallableType, Instance, TypeVarType, get_proper_type
from mypy.types import Type as MypyType

thinc_model_fullname = "thinc.model.Model"
chained_out_fullname = "thinc.types.XY_YZ_OutT"
intoin_outtoout_out_fullname = "thinc.types.XY_XY_OutT"

error_layer_input = ErrorCode("layer-mismatch-input", "Invalid layer input", "Thinc")
error_layer_output = ErrorCode("layer-mismatch-output", "Invalid layer output", "Thinc")


def plugin(version: str) -> Type[Plugin]:
    """What mypy asks this module for."""
    return ThincPlugin


class ThincPlugin(Plugin):
    """Looks at every call; the hook itself decides whether it is a combinator's."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)

    def get_function_hook(self, fullname: str) -> Optional[Callable[[FunctionContext], MypyType]]:
        return function_hook


def function_hook(ctx: FunctionContext) -> MypyType:
    """The type of the call; for a combinator, worked out from its layers.

    Anything unforeseen in mypy's trees leaves mypy's own answer.
    """
    try:
        return get_reducers_type(ctx)
    except AssertionError:
        # mypy's helpers assert what they expect of a half-checked tree.
        return ctx.default_return_type


def get_reducers_type(ctx: FunctionContext) -> MypyType:
    """Model[first input, last output] for a combinator, else the default type.

    Reports each pair of neighbours that do not fit.
    """
    default = get_proper_type(ctx.default_return_type)
    if not isinstance(ctx.api, TypeChecker) or not isinstance(default, Instance):
        return ctx.default_return_type
    out_name = _reducer_out(ctx.context)
    if out_name not in (chained_out_fullname, intoin_outtoout_out_fullname):
        return ctx.default_return_type
    args = list(itertools.chain.from_iterable(ctx.args))
    types: List[Instance] = []
    for arg_type in itertools.chain.from_iterable(ctx.arg_types):
        proper = get_proper_type(arg_type)
        if not isinstance(proper, Instance) or not _is_model(proper):
            return ctx.default_return_type
        types.append(proper)
    if not types:
        return ctx.default_return_type
    check = check_chained if out_name == chained_out_fullname else check_intoin_outtoout
    for i in range(len(types) - 1):
        check(l1_arg=args[i], l1_type=types[i], l2_arg=args[i + 1], l2_type=types[i + 1], api=ctx.api)
    last = types[-1] if out_name == chained_out_fullname else types[0]
    return Instance(default.type, [types[0].args[0], last.args[1]], line=default.line, column=default.column)


def _is_model(instance: Instance) -> bool:
    return instance.type.fullname == thinc_model_fullname and len(instance.args) == 2


def _reducer_out(call: object) -> Optional[str]:
    """The full name of the type variable in Model[..., OutT], if the call is of a
    function, by its bare name, that is declared to return that.
    """
    if not isinstance(call, CallExpr) or not isinstance(call.callee, NameExpr):
        return None
    node = call.callee.node
    if isinstance(node, OverloadedFuncDef):
        node = node.impl
    if not isinstance(node, (Decorator, FuncDef)):
        return None
    declared = get_proper_type(node.type)
    if not isinstance(declared, CallableType):
        return None
    returned = get_proper_type(declared.ret_type)
    if not isinstance(returned, Instance) or not _is_model(returned):
        return None
    out = get_proper_type(returned.args[1])
    return out.fullname if isinstance(out, TypeVarType) else None


def check_chained(
    *, l1_arg: Expression, l1_type: Instance, l2_arg: Expression, l2_type: Instance, api: CheckerPluginInterface
) -> None:
    """Report if the output of the first layer does not do as input of the second."""
    out = l1_type.args[1]
    expected = l2_type.args[0]
    if is_subtype(out, expected):
        return
    api.fail(
        f"Layer outputs type ({out}) but the next layer expects ({expected}) as an input",
        l1_arg,
        code=error_layer_output,
    )
    api.fail(
        f"Layer input type ({expected}) is not compatible with output ({out}) from previous layer",
        l2_arg,
        code=error_layer_input,
    )


def check_intoin_outtoout(
    *, l1_arg: Expression, l1_type: Instance, l2_arg: Expression, l2_type: Instance, api: CheckerPluginInterface
) -> None:
    """Report if the two layers do not have the same input and the same output."""
    for which, i, code in (("input", 0, error_layer_input), ("output", 1, error_layer_output)):
        first, second = l1_type.args[i], l2_type.args[i]
        if first == second:
            continue
        api.fail(f"Layer {which} ({first}) not compatible with next layer {which} ({second})", l1_arg, code=code)
        api.fail(f"Layer {which} ({second}) not compatible with previous layer {which} ({first})", l2_arg, code=code)


class IntrospectChecker(TypeChecker):
    """A TypeChecker that lists what it was told to report; for debugging plugins."""

    def __init__(
        self,
        errors: Errors,
        modules: Dict[str, MypyFile],
        options: Options,
        tree: MypyFile,
        path: str,
        plugin: Plugin,
        per_line_checking_time_ns: Dict[int, int],
    ):
        self._error_messages: List[str] = []
        super().__init__(errors, modules, options, tree, path, plugin, per_line_checking_time_ns)
