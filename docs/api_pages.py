"""Writes the reference: a page for each kind of public name, filled from the docstrings; and says what is missing.

python docs/api_pages.py --check    names without a page, arguments without a word, names without an example
"""

import importlib
import inspect
import re
import sys
from pathlib import Path

# Page -> title, introduction, and the public names on it as module: names.
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
}


def names(page):
    """(module, name) of each name on a page."""
    for module, listed in PAGES[page][1].items():
        everything = importlib.import_module(module).__all__
        for name in everything if listed == "*" else listed.split():
            yield module, name


def write(folder):
    folder.mkdir(exist_ok=True)
    toc = "\n".join(PAGES)
    _update(folder / "index.md", f"# Reference\n\n```{{toctree}}\n:maxdepth: 1\n\n{toc}\n```\n")
    for page, (title, _) in PAGES.items():
        parts = [f"# {title}\n", f"% written by docs/{Path(__file__).name}\n"]
        parts += [_entry(module, name) for module, name in names(page)]
        _update(folder / f"{page}.md", "\n".join(parts))


def _entry(module, name):
    found = getattr(importlib.import_module(module), name)
    if not callable(found) and not inspect.isclass(found):
        return f"## {name}\n\n`{module}.{name}`, of type `{type(found).__name__}`.\n"
    kind = "autoclass" if inspect.isclass(found) else "autofunction"
    members = ":members:\n:inherited-members:\n" if name in ("Model", "Ops", "Optimizer", "Schedule", "Shim") else ""
    return f"## {name}\n\n```{{eval-rst}}\n.. {kind}:: {module}.{name}\n{_indent(members)}```\n"


def _indent(text):
    return "".join(f"   {line}\n" for line in text.splitlines())


def _update(path, text):
    if not path.exists() or path.read_text(encoding="utf8") != text:
        path.write_text(text, encoding="utf8")


def missing():
    """A line for each public name without a page, argument without a word, and name without an example."""
    import thinc.api

    listed = {name for page in PAGES for _, name in names(page)}
    yield from (f"{name}: has no page" for name in thinc.api.__all__ if name not in listed)
    for page in PAGES:
        for module, name in names(page):
            found = getattr(importlib.import_module(module), name)
            text = inspect.getdoc(found) or ""
            if callable(found) and not text:
                yield f"{name}: has no docstring"
            if callable(found) and ">>> " not in text:
                yield f"{name}: has no example"
            try:
                arguments = [] if not callable(found) else list(inspect.signature(found).parameters)
            except (TypeError, ValueError):
                arguments = []
            for argument in arguments:
                if not re.search(rf"\b{re.escape(argument)}\b", text):
                    yield f"{name}: says nothing of {argument}"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    found = list(missing())
    print("\n".join(found))
    raise SystemExit(bool(found))
