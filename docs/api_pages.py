"""Writes the reference: a page for each kind of public name, filled from the docstrings; and keeps it whole.

python docs/api_pages.py --check      names without a page, arguments without a word, names without an example
python docs/api_pages.py --run [NAME] runs the examples, in an empty folder, and compares what they print
"""

import contextlib
import doctest
import importlib
import importlib.util
import inspect
import io
import os
import re
import sys
import tempfile
from pathlib import Path

# Page -> title, and the public names on it as module: names.
PAGES = {
    "model": (
        "Model",
        {"thinc.api": "Model set_dropout_rate change_attr_values wrap_model_recursive serialize_attr deserialize_attr"},
    ),
    "dense-layers": (
        "Dense layers and activations",
        {
            "thinc.api": "Linear Relu Maxout Mish Gelu Swish Dish HardSwish HardSwishMobilenet HardSigmoid HardTanh"
            " ReluK ClippedLinear Sigmoid Logistic Softmax Softmax_v2 MultiSoftmax LayerNorm Dropout CauchySimilarity"
            " logistic sigmoid_activation softmax_activation"
        },
    ),
    "embeddings": (
        "Embeddings and sparse features",
        {
            "thinc.api": "Embed HashEmbed SparseLinear SparseLinear_v2 remap_ids remap_ids_v2 premap_ids strings2arrays"
            " uniqued"
        },
    ),
    "sequence-layers": (
        "Sequences",
        {
            "thinc.api": "LSTM PyTorchLSTM bidirectional expand_window ParametricAttention ParametricAttention_v2"
            " reduce_first reduce_last reduce_max reduce_mean reduce_sum list2array list2padded list2ragged padded2list"
            " ragged2list with_array with_array2d with_list with_padded with_ragged with_flatten with_flatten_v2"
            " with_reshape"
        },
    ),
    "combinators": (
        "Combinators",
        {
            "thinc.api": "chain clone concatenate add residual siamese tuplify noop map_list array_getitem getitem"
            " get_item with_getitem resizable with_cpu with_debug with_nvtx_range with_signpost_interval"
        },
    ),
    "wrappers": (
        "Layers of other frameworks",
        {
            "thinc.api": "PyTorchWrapper PyTorchWrapper_v2 PyTorchWrapper_v3 PyTorchRNNWrapper TorchScriptWrapper_v1"
            " TorchExportWrapper pytorch_to_torchscript_wrapper pytorch_to_torchexport_wrapper TensorFlowWrapper"
            " keras_subclass MXNetWrapper JaxWrapper JaxRaggedWrapper OnnxWrapper Shim PyTorchShim PyTorchGradScaler"
            " TorchScriptShim TorchExportShim TensorFlowShim MXNetShim JaxShim OnnxShim keras_model_fns"
            " maybe_handshake_model xp2torch torch2xp xp2tensorflow tensorflow2xp xp2mxnet mxnet2xp enable_tensorflow"
            " enable_mxnet get_torch_default_device"
        },
    ),
    "training": (
        "Optimizers, schedules, losses, initializers",
        {
            "thinc.api": "Optimizer Adam RAdam SGD Schedule constant constant_then decaying compounding warmup_linear"
            " slanted_triangular cyclic_triangular plateau CategoricalCrossentropy SequenceCategoricalCrossentropy"
            " L2Distance CosineDistance glorot_uniform_init normal_init uniform_init zero_init configure_normal_init"
        },
    ),
    "ops": (
        "Backends and ops",
        {
            "thinc.api": "Ops NumpyOps CupyOps MPSOps AppleOps get_ops get_current_ops set_current_ops use_ops"
            " set_gpu_allocator use_pytorch_for_gpu_memory use_tensorflow_for_gpu_memory prefer_gpu require_gpu"
            " require_cpu set_active_gpu has_cupy is_cupy_array get_array_module get_num_threads set_num_threads"
            " release_memory"
        },
    ),
    "data": (
        "Data, config and helpers",
        {
            "thinc.api": "Ragged Padded ArgsKwargs Unserializable Config ConfigValidationError registry data_validation"
            " DataValidationError fix_random_seed to_categorical to_numpy get_width"
        },
    ),
    "runs": ("Training runs", {"thinc.training": "*", "thinc.testing": "check_gradients"}),
    "inspection": ("Inspection", {"thinc.inspection": "*"}),
    "export": (
        "Export, quantization and scikit-learn",
        {
            "thinc.export": "*",
            "thinc.api": "quantize kept_float quantize_rule",
            "thinc.sklearn": "ThincClassifier ThincRegressor",
        },
    ),
    "distributed": ("Several workers", {"thinc.distributed": "*"}),
}

# What other packages document, and what has no docstring.
TEXTS = {
    "Config": r"""A dict that is read from and written to files in sections, TOML's manner: see the guide.

data: a dict of sections.  is_interpolated: whether its ${variables} are filled in.
section_order: of the sections when it is written.

>>> config = Config().from_str('[model]\n@layers = "Relu.v1"\nnO = 4\nnI = 3')
>>> registry.resolve(config)["model"]
<Model 'relu': nO=4, nI=3, 0 parameters, 2 arrays not allocated>
""",
    "ConfigValidationError": r"""A config that does not fit the functions it names.

config: what was wrong.  errors: dicts of loc and msg.  title, desc, parent, show_config: what the message says.

>>> try:
...     registry.resolve({"optimizer": {"@optimizers": "Adam.v1", "learn_rat": 0.1}})
... except ConfigValidationError as error:
...     print(error.errors)
[{'loc': ['optimizer', 'learn_rat'], 'msg': "unexpected argument: 'learn_rat'"}]
""",
    "keras_model_fns": r"""The registry of subclasses of keras.Model, which `keras_subclass` fills.

name: of the entry.  func: what makes the model; without it, a decorator.

>>> import tensorflow
>>> @keras_model_fns("doc.Empty")
... def make():
...     return tensorflow.keras.Sequential()
>>> "doc.Empty" in keras_model_fns
True
""",
    "Row": r"""An input and its answer, as a file holds them: a tuple of two.

>>> row: Row = ("meow", "cat")
""",
}

# Classes whose methods are on the page, too.
WITH_MEMBERS = ("Model", "Ops", "Optimizer", "Schedule", "Shim")

# Packages that an example may import and that need not be there.
OPTIONAL = "torch tensorflow mxnet jax onnx onnxruntime cupy os_signpost matplotlib ray sklearn".split()


def names(page):
    """(module, name) of each name on a page."""
    for module, listed in PAGES[page][1].items():
        try:
            everything = importlib.import_module(module).__all__
        except ImportError:  # thinc.sklearn, where scikit-learn is not installed
            continue
        for name in everything if listed == "*" else listed.split():
            yield module, name
    if page == "dense-layers":
        yield from (("thinc.api", name) for name in _further_dense_layers())


def _further_dense_layers():
    """Those that `dense` makes and no page names."""
    from thinc import api

    listed = {name for _, modules in PAGES.values() for name in modules.get("thinc.api", "").split()}
    for name in api.__all__:
        found = getattr(api, name)
        if name not in listed and inspect.isfunction(found) and "normalize" in inspect.signature(found).parameters:
            yield name


def setup_of(module):
    """What every example of a module begins after."""
    lines = ["import numpy", "from pathlib import Path", "from thinc.api import *"]
    return lines if module == "thinc.api" else [*lines, f"from {module} import *"]


def described():
    """(module, name, object) of all that needs a description: what can be called, and the members of some classes."""
    for page in PAGES:
        for module, name in names(page):
            found = getattr(importlib.import_module(module), name)
            if callable(found):
                yield module, name, found
            for member in dir(found) if name in WITH_MEMBERS else ():
                value = inspect.getattr_static(found, member)
                value = getattr(value, "__func__", getattr(value, "fget", value))
                if not member.startswith("_") and inspect.isfunction(value):
                    yield module, f"{name}.{member}", value


def text_of(name, found):
    """What a name says of itself."""
    return inspect.cleandoc(TEXTS.get(name) or inspect.getdoc(found) or "")


def write(folder):
    folder.mkdir(exist_ok=True)
    toc = "\n".join([*PAGES, "command-line"])
    _update(folder / "command-line.md", _command_line())
    _update(folder / "index.md", f"# Reference\n\n```{{toctree}}\n:maxdepth: 1\n\n{toc}\n```\n")
    for page, (title, modules) in PAGES.items():
        setup = "\n".join(dict.fromkeys(line for module in modules for line in setup_of(module)))
        parts = [
            f"# {title}\n",
            f"% written by docs/{Path(__file__).name}\n",
            f"Every example is run by the tests, after these lines:\n\n```python\n{setup}\n```\n",
        ]
        parts += [_entry(module, name) for module, name in names(page)]
        _update(folder / f"{page}.md", "\n".join(parts))


def _command_line():
    """The help pages of all commands, as the parser has them."""
    import argparse

    from thinc.cli import build_parser

    os.environ["COLUMNS"] = "100"  # as wide as the page
    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    parts = ["# Command line\n", "% written from the parser\n", f"```text\n{parser.format_help()}```\n"]
    for name, command in commands.choices.items():
        parts.append(f"## thinc {name}\n\n```text\n{command.format_help()}```\n")
    return "\n".join(parts)


def _entry(module, name):
    found = getattr(importlib.import_module(module), name)
    members = ":members:\n:inherited-members:\n" if name in WITH_MEMBERS else ""
    if inspect.isclass(found):
        directive = "autoclass"
    elif inspect.isroutine(found):
        directive = "autofunction"
    else:  # a value, such as None where a package is missing: nothing to read its type or text from
        text = text_of(name, found) if callable(found) else f"Of type `{type(found).__name__}`."
        return f"## {name}\n\n```{{eval-rst}}\n.. py:data:: {module}.{name}\n\n{_indent(text)}```\n"
    return f"## {name}\n\n```{{eval-rst}}\n.. {directive}:: {module}.{name}\n{_indent(members)}```\n"


def _indent(text):
    return "".join(f"   {line}".rstrip() + "\n" for line in text.splitlines())


def _update(path, text):
    if not path.exists() or path.read_text(encoding="utf8") != text:
        path.write_text(text, encoding="utf8")


def missing():
    """A line for each public name without a page, argument without a word, and name without an example."""
    listed = {(module, name) for page in PAGES for module, name in names(page)}
    for module in dict.fromkeys(module for module, _ in listed):
        everything = getattr(importlib.import_module(module), "__all__", ())
        yield from (f"{module}.{name}: has no page" for name in everything if (module, name) not in listed)
    for _, name, found in described():
        text = text_of(name, found)
        if not text:
            yield f"{name}: has no docstring"
        if ">>> " not in text:
            yield f"{name}: has no example"
        for argument in arguments_of(found):
            if argument not in ("self", "cls") and not re.search(rf"\b{re.escape(argument)}\b", text):
                yield f"{name}: says nothing of {argument}"


def arguments_of(found):
    """The names of the arguments of a function or class."""
    try:
        return list(inspect.signature(found).parameters) if inspect.isclass(found) or inspect.isroutine(found) else []
    except (TypeError, ValueError):
        return []


def examples(chosen=()):
    """(name, its module, the doctest) of all that needs a description."""
    for module, name, found in described():
        if not chosen or name in chosen:
            yield name, module, doctest.DocTestParser().get_doctest(text_of(name, found), {}, name, None, None)


def needs(test):
    """The optional packages that an example imports and that are not here."""
    from thinc import compat

    imported = {
        name
        for example in test.examples
        for line in re.findall(r"^(?:import|from) ([\w., ]+)", example.source, re.M)
        for name in re.findall(r"\w+", line)
    }
    return [
        name
        for name in OPTIONAL
        if name in imported and (importlib.util.find_spec(name) is None or (name == "cupy" and not compat.has_cupy_gpu))
    ]


@contextlib.contextmanager
def _inside(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def run(chosen=()):
    """Run the examples: (their number, those that need a package which is missing, what went wrong as text)."""
    from thinc.api import fix_random_seed, get_current_ops, set_current_ops

    count, skipped, wrong = 0, [], []
    ops = get_current_ops()
    for name, module, test in examples(chosen):
        missing_packages = needs(test)
        if missing_packages:
            skipped.append(f"{name} ({', '.join(missing_packages)})")
            continue
        with tempfile.TemporaryDirectory() as folder, _inside(folder):
            exec("\n".join(setup_of(module)), test.globs)
            test.globs["__name__"] = "__main__"
            set_current_ops(ops)
            fix_random_seed(0)
            said = io.StringIO()
            doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.write)
        count += 1
        if said.getvalue():
            wrong.append(said.getvalue())
    return count, skipped, wrong


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    if "--run" in sys.argv:
        count, skipped, wrong = run([name for name in sys.argv[1:] if name != "--run"])
        print(f"{count} examples, {len(wrong)} wrong; not run, for want of a package: {', '.join(skipped) or 'none'}")
        raise SystemExit("\n".join(wrong) or 0)
    found = list(missing())
    print("\n".join(found))
    raise SystemExit(bool(found))
