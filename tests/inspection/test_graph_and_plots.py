import itertools
import json
import re
import shutil

import numpy
import pytest

from thinc.api import (
    Linear,
    Maxout,
    Model,
    Relu,
    Softmax,
    chain,
    compounding,
    concatenate,
    constant,
    plateau,
    residual,
    slanted_triangular,
    with_array,
)
from thinc.inspection import plot_confusion, plot_history, plot_schedule, profile, to_dot, to_svg


def edges(dot):
    return re.findall(r"^  (\w+) -> (\w+)(?: \[label=\"(.*)\"\])?;$", dot, re.M)


def test_arrows_follow_the_data():
    X = numpy.zeros((5, 3), "f4")
    model = chain(concatenate(Relu(4), Linear(2)), residual(Relu(6)), Softmax(2)).initialize(
        X, numpy.zeros((5, 2), "f4")
    )
    assert set(edges(to_dot(model, X))) == {
        ("input", "n0_in", "(5, 3)"),
        ("n0_in", "n0_0", "(5, 3)"),
        ("n0_in", "n0_1", "(5, 3)"),
        ("n0_0", "n0_out", "(5, 4)"),
        ("n0_1", "n0_out", "(5, 2)"),
        ("n0_out", "n1_in", "(5, 6)"),
        ("n1_in", "n1_0", "(5, 6)"),
        ("n1_0", "n1_out", "(5, 6)"),
        ("n1_in", "n1_out", ""),
        ("n1_out", "n2", "(5, 6)"),
        ("n2", "output", "(5, 2)"),
    }
    without = edges(to_dot(model))
    assert len(without) == 11 and not any(label for *_, label in without)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_svg(tmp_path):
    model = chain(with_array(Maxout(4, 3, normalize=True)), Model('a "b" <c>', lambda *a: None)).initialize()
    svg = to_svg(model, path=tmp_path / "model.svg")
    assert svg.count("<svg") == 1 and (tmp_path / "model.svg").read_text() == svg
    assert "maxout" in svg and "layernorm" in svg


def test_svg_without_graphviz(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="Graphviz"):
        to_svg(Linear(2, 2))


def test_profile():
    X = numpy.random.RandomState(0).normal(size=(64, 96)).astype("f4")
    model = chain(Maxout(96, 96), residual(Relu(96, 96)), Softmax(3, 96)).initialize()
    backends = [node.ops for node in model.walk()]
    found = profile(model, X, repeats=3)
    assert [node.ops for node in model.walk()] == backends
    assert not any(node.grad_names for node in model.walk())
    assert [layer.name for layer in found.layers] == ["chain", "maxout", "residual(relu)", "relu", "softmax"]
    assert all(layer.forward > 0 and layer.backward > 0 and layer.calls == 3 for layer in found.layers)
    ops = {op.name: op for op in found.ops}
    assert ops["affine_maxout"].calls == 3 and ops["gemm"].calls == 3 * 6
    assert "ms a batch" in str(found) and found._repr_html_().count("<table>") == 2
    predicted = profile(model, X, backward=False, repeats=2)
    assert all(layer.backward == 0 for layer in predicted.layers)


class TestPlots:
    @pytest.fixture(autouse=True)
    def matplotlib(self):
        pytest.importorskip("matplotlib")

    def test_history(self, tmp_path):
        rows = [{"epoch": i + 1, "loss": 1 / (i + 1), "score": i / 4} for i in range(4)]
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
        figure = plot_history(tmp_path / "one", tmp_path / "two" / "metrics.jsonl", path=tmp_path / "runs.svg")
        assert (tmp_path / "runs.svg").read_text().count("<svg") == 1
        assert [axes.get_title() for axes in figure.axes] == ["loss", "score"]
        lines = figure.axes[0].get_lines()
        assert [line.get_label() for line in lines] == ["one", "two"]
        numpy.testing.assert_allclose(lines[0].get_xydata(), [(row["epoch"], row["loss"]) for row in rows])
        assert len(plot_history({"mine": rows}, keys=["score"]).axes) == 1
        with pytest.raises(ValueError, match="epoch, loss, score"):
            plot_history(rows, keys=["f1"])
        (tmp_path / "one" / "metrics.jsonl").write_text('{"epoch": 1}\n{"ep')
        with pytest.raises(ValueError, match="metrics.jsonl, line 2"):
            plot_history(tmp_path / "one")

    def test_schedule(self):
        schedule = slanted_triangular(0.1, 100)
        next(schedule)
        figure = plot_schedule({"slanted": schedule, "list": [1.0, 2.0], "endless": itertools.repeat(3.0)}, steps=50)
        slanted, listed, endless = (line.get_ydata() for line in figure.axes[0].get_lines())
        numpy.testing.assert_allclose(slanted, [schedule(step) for step in range(50)])
        assert schedule.get_state()["position"] == 1, "it was not used up"
        assert list(listed) == [1.0, 2.0] and list(endless) == [3.0] * 50
        for other in (constant(0.1), compounding(1, 8, 1.1), plateau(2, 0.5, constant(1.0))):
            assert len(plot_schedule(other, steps=5).axes[0].get_lines()[0].get_ydata()) == 5

    def test_confusion(self, tmp_path):
        figure = plot_confusion([[8, 2], [0, 5]], ["A", "B"], path=tmp_path / "confusion.png")
        assert (tmp_path / "confusion.png").read_bytes()[:4] == b"\x89PNG"
        assert [text.get_text() for text in figure.axes[0].texts] == ["8", "2", "5"]
        with pytest.raises(ValueError, match="expected"):
            plot_confusion([[1]], ["A", "B"])
