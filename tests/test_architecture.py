"""The rules of the house that a reader of one file cannot see: who may import whom,
how long a file may be, that façades and backends stay complete."""

import ast
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "thinc"
SOURCES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    f"thinc/{place}".replace("/__init__", "").replace("/", "."): int(number)
    for number, places in re.findall(
        r"^ ?(\d+) ([\w/ ]+)$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf8").split("## Floors")[1], flags=re.M
    )
    for place in places.split()
}

FACADES = ["api.py", "layers/__init__.py", "shims/__init__.py"]

# In functions, these may be imported: they are absent from a plain installation. srsly
# and wasabi are not, but the one imports cupy, and the other draws a table in one error.
OPTIONAL = set(
    "torch tensorflow keras tf_keras h5py mxnet cupy cupyx jax os_signpost onnx "
    "onnxruntime srsly ray tqdm safetensors thinc_apple_ops wasabi matplotlib".split()
)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}
COMPILED = {module_name(path) for path in PACKAGE.rglob("*.pyx")}


def floor(name):
    place = name
    while place not in FLOORS and place.count(".") > 1:
        place = place.rpartition(".")[0]
    assert place in FLOORS, f"{name} stands on no floor of CONTRIBUTING.md"
    return FLOORS[place]


def imported(path, node):
    """The modules that one import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = list(path.relative_to(ROOT).parts[: -node.level])
        base = ".".join([*package, base] if base else package)
    found = []
    for alias in node.names:
        full = f"{base}.{alias.name}"
        # `from .layers import chain` means the function, `from . import compat` the
        # module: a package is asked for its names before its modules.
        is_module = full in MODULES or full in COMPILED
        found.append(full if is_module and not defines(base, alias.name) else base)
    return found


def defines(module, name):
    """Whether a package binds this name itself, so that it hides the submodule."""
    path = MODULES.get(module)
    if path is None or path.name != "__init__.py":
        return False
    statements = ast.walk(ast.parse(path.read_text(encoding="utf8")))
    return any(
        alias.name == name and (node.module or "").endswith(name)
        for node in statements
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(path):
    """(module, is it inside a function) of every import that can ever run."""
    found = []

    def visit(node, nested):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.extend((name, nested) for name in imported(path, node))
        elif is_type_checking(node):
            for child in node.orelse:
                visit(child, nested)
        else:
            inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            for child in ast.iter_child_nodes(node):
                visit(child, nested or inside)

    visit(ast.parse(path.read_text(encoding="utf8")), False)
    return found


IMPORTS = {name: imports(path) for name, path in MODULES.items()}


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    upward = [other for other, _ in IMPORTS[name] if other.split(".")[0] == "thinc" and floor(other) > floor(name)]
    assert not upward, f"{name} (floor {floor(name)}) imports from above: {upward}"


def test_imports_are_not_cyclic():
    graph = {name: {other for other, nested in IMPORTS[name] if not nested} & set(MODULES) for name in MODULES}
    done, path = set(), []

    def visit(name):
        assert name not in path, f"cycle: {path[path.index(name) :] + [name]}"
        if name not in done:
            path.append(name)
            for other in graph[name] - {name}:
                visit(other)
            path.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_of_two_rooms_one_imports_the_other():
    rooms = {
        (".".join(name.split(".")[:2]), ".".join(other.split(".")[:2]))
        for name in MODULES
        for other, _ in IMPORTS[name]
        if other.split(".")[0] == "thinc"
    }
    assert not [(one, other) for one, other in rooms if one < other and (other, one) in rooms]


@pytest.mark.parametrize("name", [n for n in MODULES if floor(n) < 8])
def test_functions_import_only_what_is_optional(name):
    late = {other for other, nested in IMPORTS[name] if nested and other.split(".")[0] not in {*OPTIONAL, "thinc"}}
    if name == "thinc.compat":
        late -= {"numpy", "packaging.version"}  # for MXNet; for versions, which only those of what is optional are
    assert not late, f"{name} imports inside a function: {late}"


def source_files():
    for folder in (PACKAGE, ROOT / "include", ROOT / "tests"):
        for suffix in ("py", "pyx", "pxd", "hh", "cc", "cu"):
            yield from folder.rglob(f"*.{suffix}")


def test_files_are_short_or_say_why():
    for path in source_files():
        lines = path.read_text(encoding="utf8").splitlines()
        if len(lines) > 500:
            head = " ".join(lines[:40])
            assert "500 lines" in head, f"{path}: {len(lines)} lines, and no reason"


def lines_of_code(paths):
    """Without blank lines, comments and docstrings."""
    text = "\n".join(path.read_text(encoding="utf8") for path in paths)
    text = re.sub(r'^\s*"""(?:.|\n)*?"""$', "", text, flags=re.M)
    return sum(not re.match(r"\s*(#(?!include|define|if|e|undef|pragma)|//|$)", line) for line in text.splitlines())


def test_there_is_less_glue_than_kernels():
    backends, folder = PACKAGE / "backends", PACKAGE / "backends" / "_kernels"
    gpu = {backends / "cupy_ops.py", backends / "_custom_kernels.py", folder / "cuda.py"}
    apart = {backends / name for name in ("ops.py", "mps_ops.py", "_cupy_allocators.py", "_param_server.py")}
    readable = {path for path in backends.glob("_[a-z]*.py")} - gpu
    cpu = {path for suffix in ("py", "pyx", "pxd") for path in backends.rglob(f"*.{suffix}")} - gpu - apart - readable
    of_cpu = [
        *(ROOT / "include" / "thinc").glob("*.hh"),
        *folder.glob("*.cc"),
        folder / "arena.hh",
        folder / "threads.hh",
    ]
    of_gpu = [*folder.glob("*.cu"), ROOT / "include" / "thinc" / "half.hh"]
    assert lines_of_code(cpu) / lines_of_code(of_cpu) <= 0.8
    assert lines_of_code(gpu) / lines_of_code(of_gpu) <= 1


def test_functions_are_short_or_say_why():
    for path in SOURCES:
        text = path.read_text(encoding="utf8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = [part for part in node.body if not isinstance(getattr(part, "value", None), ast.Constant)]
                lines = node.end_lineno - (body[0].lineno if body else node.end_lineno)
                reason = "60 lines" in (ast.get_docstring(node) or "")
                assert lines <= 60 or reason, f"{path}: {node.name} has {lines} lines, and no reason"


def test_what_type_checkers_ignore_has_a_reason():
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
            if "# type: ignore" in line:
                assert re.search(r"# type: ignore\[[a-z-]+(, [a-z-]+)*\]  # \S", line), (
                    f"{path}:{number}: {line.strip()}"
                )


@pytest.mark.parametrize("name", FACADES)
def test_facade_exports_what_it_imports(name):
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf8"))
    names = set()
    exported = None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names.update(alias.name.split("."))
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            exported = ast.literal_eval(node.value)
    assert exported is not None
    assert len(exported) == len(set(exported))
    assert {name for name in names if not name.startswith("_")} == set(exported)


def test_facade_is_sorted_and_works():
    import thinc.api

    assert thinc.api.__all__ == sorted(thinc.api.__all__)
    for name in thinc.api.__all__:
        assert hasattr(thinc.api, name)


def test_facade_has_every_layer_and_shim():
    import thinc.api
    import thinc.layers
    import thinc.shims

    exported = set(thinc.api.__all__)
    assert set(thinc.layers.__all__) <= exported
    assert set(thinc.shims.__all__) <= exported


def test_backends_have_equal_signatures():
    from thinc.backends import CupyOps, MPSOps, NumpyOps, Ops

    for backend in (NumpyOps, CupyOps, MPSOps):
        if not isinstance(backend, type):
            continue
        for name, method in vars(backend).items():
            base = getattr(Ops, name, None)
            if name.startswith("_") or not inspect.isfunction(base):
                continue
            # (what is keyword-only in one may be positional, too, in another)
            mine, theirs = (
                [(p.name, p.default) for p in inspect.signature(f).parameters.values()] for f in (method, base)
            )
            assert mine == theirs, f"{backend.__name__}.{name}"
