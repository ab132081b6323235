"""Every public function says what it takes and gives."""

import ast
from pathlib import Path

import pytest

import thinc

PACKAGE = Path(thinc.__file__).parent
# What runs on CuPy, which has no annotations, overrides methods that are annotated where they are declared.
CUPY = ("cupy_ops.py", "_custom_kernels.py", "_cupy_allocators.py")
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name not in CUPY]


def public_functions(tree):
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name.startswith("__")):
            yield node


def missing(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    unsaid = [each.arg for each in named if each and each.annotation is None and each.arg not in ("self", "cls")]
    says_nothing = function.returns is None and function.name != "__init__"
    return [*unsaid, *(["its result"] if says_nothing else [])]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_functions_are_annotated(path):
    found = {}
    text = path.read_text(encoding="utf8")
    for function in public_functions(ast.parse(text)):
        on_purpose = "ignore[no-untyped-def]" in text.splitlines()[function.lineno - 1]
        if missing(function) and not on_purpose:
            found[f"{function.name}, line {function.lineno}"] = missing(function)
    assert not found
