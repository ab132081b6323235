"""The plugin, run by mypy on small programs: with it and without it."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

api = pytest.importorskip("mypy.api", reason="mypy is not installed")
plugin_module = pytest.importorskip("thinc.mypy")

HERE = Path(__file__).parent
PROGRAMS = sorted((HERE / "programs").glob("*.py"))
CONFIG = """
[mypy]
follow_imports = silent
strict_optional = True
warn_redundant_casts = True
warn_unused_ignores = True
check_untyped_defs = True
disallow_untyped_defs = True
"""

F2 = "thinc.types.Floats2d"
I2 = "thinc.types.Ints2d"
RAGGED = "thinc.types.Ragged"


def check(config: Path, cache: Path) -> dict:
    """Run mypy once over all programs: {program: [(line, message), ...]}."""
    out, err, status = api.run(
        [
            f"--config-file={config}",
            f"--cache-dir={cache}",
            "--show-error-codes",
            "--no-error-summary",
            *map(str, PROGRAMS),
        ]
    )
    assert not err, err
    assert status == 1, out
    messages = defaultdict(list)
    for line in out.splitlines():
        path, number, message = re.fullmatch(r"(.+?):(\d+): (.+)", line).groups()
        messages[Path(path).stem].append((int(number), message))
    return messages


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture(scope="module")
def with_plugin(cache):
    config = cache / "with.ini"
    config.write_text(f"{CONFIG}plugins = thinc.mypy\n", encoding="utf8")
    return check(config, cache / "cache")


@pytest.fixture(scope="module")
def without_plugin(cache):
    config = cache / "without.ini"
    config.write_text(CONFIG, encoding="utf8")
    return check(config, cache / "cache")


def test_chain_has_the_output_of_its_last_layer(with_plugin):
    assert with_plugin["chain_fits"] == [(4, f'note: Revealed type is "thinc.model.Model[{F2}, {F2}]"')]


def test_a_whole_program_has_nothing_to_complain_about(with_plugin):
    assert with_plugin["training_fits"] == []


def test_without_the_plugin_the_overloads_say_the_same(with_plugin, without_plugin):
    for program in ("chain_fits", "add_fits", "training_fits"):
        assert without_plugin[program] == with_plugin[program]


def test_chain_reports_neighbours_that_do_not_fit(with_plugin):
    messages = with_plugin["chain_does_not_fit"]
    into_reduce = [
        f"error: Layer outputs type ({F2}) but the next layer expects ({RAGGED}) as an input  [layer-mismatch-output]",
        f"error: Layer input type ({RAGGED}) is not compatible with output ({F2}) from "
        "previous layer  [layer-mismatch-input]",
    ]
    for lines in ((4, 5), (11, 12)):
        for line, message in zip(lines, into_reduce):
            assert (line, message) in messages
    assert sum("layer-mismatch" in message for _, message in messages) == 4


def test_without_the_plugin_each_pair_of_a_chain_is_checked(without_plugin):
    own = 'error: Cannot infer value of type parameter "{}" of "chain"  [misc]'
    assert without_plugin["chain_does_not_fit"] == [(3, own.format("MidT")), (8, own.format("Mid3T"))]


def test_a_chain_longer_than_the_overloads_has_the_output_that_the_plugin_finds(with_plugin, without_plugin):
    line, message = with_plugin["long_chain"][0]
    assert (line, message) == (4, f'note: Revealed type is "thinc.model.Model[{F2}, {F2}]"')
    assert without_plugin["long_chain"] == [(4, f'note: Revealed type is "thinc.model.Model[{F2}, Any]"')]
    assert [number for number, text in with_plugin["long_chain"] if "layer-mismatch" in text] == [5, 5]


def test_add_has_the_types_of_its_layers(with_plugin):
    assert with_plugin["add_fits"] == [(5, f'note: Revealed type is "thinc.model.Model[{F2}, {F2}]"')]


def test_add_reports_inputs_that_differ(with_plugin):
    messages = with_plugin["add_does_not_fit"]
    assert [pair for pair in messages if "layer-mismatch" in pair[1]] == [
        (5, f"error: Layer input ({F2}) not compatible with next layer input ({RAGGED})  [layer-mismatch-input]"),
        (6, f"error: Layer input ({RAGGED}) not compatible with previous layer input ({F2})  [layer-mismatch-input]"),
    ]


def test_add_reports_outputs_that_differ(with_plugin):
    messages = with_plugin["output_does_not_fit"]
    assert [pair for pair in messages if "layer-mismatch" in pair[1]] == [
        (15, f"error: Layer output ({F2}) not compatible with next layer output ({I2})  [layer-mismatch-output]"),
        (16, f"error: Layer output ({I2}) not compatible with previous layer output ({F2})  [layer-mismatch-output]"),
    ]


def test_other_calls_are_left_to_mypy(with_plugin, without_plugin):
    expected = [(15, 'error: Need type annotation for "needs_annotation"  [var-annotated]')]
    assert with_plugin["not_for_the_plugin"] == expected
    assert without_plugin["not_for_the_plugin"] == expected


def test_module_offers_what_mypy_asks_for():
    assert plugin_module.plugin("2.0") is plugin_module.ThincPlugin
    assert plugin_module.thinc_model_fullname == "thinc.model.Model"
    assert plugin_module.chained_out_fullname == "thinc.types.XY_YZ_OutT"
    assert plugin_module.intoin_outtoout_out_fullname == "thinc.types.XY_XY_OutT"
    assert plugin_module.IntrospectChecker.__mro__[1].__name__ == "TypeChecker"
