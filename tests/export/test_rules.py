"""Every registered layer has a rule, equal to its forward function, or a reason against it."""

import copy

import numpy
import pytest

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is missing")
onnx = pytest.importorskip("onnx", reason="the onnx package is not installed")

from tests.export.batches import assert_same_outputs, like, sizes  # noqa: E402
from tests.export.rows import ALL as CASES  # noqa: E402
from tests.layers.rows import EXEMPT  # noqa: E402
from tests.layers.values import cast  # noqa: E402
from thinc.api import registry  # noqa: E402
from thinc.export import ExportError, to_onnx  # noqa: E402
from thinc.export.graph import check_layers, reason_against  # noqa: E402
from thinc.export.values import feeds, value_of  # noqa: E402
from thinc.export.write import float_dtype  # noqa: E402
from thinc.types import Padded  # noqa: E402

OPSETS = range(18, onnx.defs.onnx_opset_version() + 1)

# Rows whose sample is no batch of arrays of numbers, by the reason that the export gives.
NO_NUMBERS = {
    "token_features.v1": "reads texts",
    "tokenize.v1": "reads texts",
    "ngram_features.v1": "reads texts",
    "strings2arrays.v1": "reads texts",
}
NO_SAMPLE = {"remap_ids.v1": "holds str", "with_flatten.v1": "holds str"}  # the first row of each
EMPTY_LIST = "no list"

EXPORTED = [
    case
    for case in CASES
    if case.name not in NO_NUMBERS and case.id != EMPTY_LIST and not (case.name in NO_SAMPLE and not case.id)
]


def initialized(case):
    numpy.random.seed(0)
    X = cast(case.inputs(numpy.random.RandomState(1)), "float32")
    model = case.build()
    model.initialize(X=copy.deepcopy(X), Y=case.outputs(X))
    return model, X


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(session, X, value):
    wanted = {node.name for node in session.get_inputs()}
    return session.run(None, {name: array for name, array in feeds(X, value).items() if name in wanted})


def test_every_registered_layer_has_a_rule_or_a_reason():
    by_name = {case.name: case for case in CASES}
    for name in registry.layers.get_all():
        if name in EXEMPT or "spacy" in name:
            continue
        model, _ = initialized(by_name[name])
        if name in NO_NUMBERS:
            with pytest.raises(ExportError, match=NO_NUMBERS[name]):
                check_layers(model)
        else:
            check_layers(model)


@pytest.mark.parametrize("name", sorted(EXEMPT))
def test_wrappers_of_frameworks_are_refused(name):
    module = {"PyTorch": "pytorchwrapper", "MXNet": "mxnetwrapper"}[
        name.partition("Wrapper")[0].partition("LSTM")[0].removesuffix("RNN")
    ]
    forward = __import__(f"thinc.layers.{module}", fromlist=["forward"]).forward
    from thinc.api import Model

    assert "Export that part with" in reason_against(Model("wrapped", forward))


@pytest.mark.parametrize("case", EXPORTED, ids=str)
def test_twenty_random_shapes(case, tmp_path):
    """With no rows, one row, sequences of 0 and 1 rows; what raises here raises there."""
    model, X = initialized(case)
    exported = to_onnx(model, tmp_path / "model.onnx", X)
    assert exported.difference <= 1e-5
    session = session_of(tmp_path / "model.onnx")
    value = value_of(X, float_dtype(model, X))
    rng = numpy.random.RandomState(2)
    compared = 0
    for rows, lengths in sizes(rng, 24):
        if case.name == "array_getitem.floats_getitem" and rows == 0:
            continue  # no item of an empty array is the array here and an error there: a documented difference
        batch = like(X, rows, lengths, rng)
        try:
            Y = model.predict(copy.deepcopy(batch))
        except (IndexError, ValueError):
            if isinstance(batch, (list, Padded)) and not len(batch):
                continue  # no list of no sequences has a width, which some layers need; the arrays of a graph have one
            with pytest.raises(Exception, match="ONNXRuntimeError"):
                run(session, batch, value)
            continue
        assert_same_outputs(run(session, batch, value), Y, 1e-5)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("case", [case for case in CASES if case not in EXPORTED], ids=str)
def test_what_is_no_batch_of_numbers_is_refused(case, tmp_path):
    model, X = initialized(case)
    reason = {**NO_NUMBERS, **NO_SAMPLE}.get(case.name, "has no sequences")
    with pytest.raises(ExportError, match=reason):
        to_onnx(model, tmp_path / "model.onnx", X)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opset", [18, OPSETS[-1]])
@pytest.mark.parametrize("case", EXPORTED, ids=str)
def test_oldest_and_newest_opset(case, opset, tmp_path):
    model, X = initialized(case)
    assert to_onnx(model, tmp_path / "model.onnx", X, opset=opset).difference <= 1e-5
    versions = {entry.domain: entry.version for entry in onnx.load(tmp_path / "model.onnx").opset_import}
    assert versions[""] == opset


@pytest.mark.slow
@pytest.mark.parametrize("opset", OPSETS)
def test_all_opsets(opset, tmp_path):
    for case in {case.name: case for case in EXPORTED}.values():
        model, X = initialized(case)
        assert to_onnx(model, tmp_path / "model.onnx", X, opset=opset).difference <= 1e-5, case
