"""`thinc config`: places that editors can jump to, and the JSON schema by which they complete and check."""

import json

import pytest

from thinc.api import Config, registry
from thinc.cli import CONFIGS, main, ready_configs
from thinc.training.config_check import catalogues
from thinc.training.config_schema import config_schema

READY = {name: Config().from_disk(CONFIGS / f"{name}.cfg") for name in ready_configs()}


@pytest.fixture(scope="module")
def validate():
    """config -> the paths and messages of what the schema forbids."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return lambda config: [f"{error.json_path} {error.message}" for error in validator.iter_errors(config)]


@pytest.mark.parametrize("name", READY)
def test_the_schema_allows_the_configs_that_come_with_us(validate, name):
    config = json.loads(json.dumps(READY[name]))
    for key in ("path", "labels_path", "dev_path", "dev_labels_path"):  # which a ready config leaves to its user
        config["corpus"].setdefault(key, "some.file") if key in wanted(config["corpus"]) else None
    assert validate(config) == []
    assert validate({**config, "training": {**config["training"], "seed": "${system.seed}"}}) == []


def wanted(corpus):
    return config_schema()["$defs"][f"datasets.{corpus['@datasets']}"].get("required", [])


MISTAKES = {
    "an unknown section": lambda config: config.update(trainig={}),
    "a missing section": lambda config: config.pop("optimizer"),
    "an unknown key": lambda config: config["training"].update(max_epoch=3),
    "an unknown argument": lambda config: config["optimizer"].update(learn_rte=0.1),
    "an unknown name": lambda config: config["optimizer"].update({"@optimizers": "Adm.v1"}),
    "no name": lambda config: config["model"].pop("@layers"),
    "too small": lambda config: config["training"].update(batch_size=0),
    "too large": lambda config: config["optimizer"].update(learn_rate=11),
    "a text for a number": lambda config: config["training"].update(max_epochs="many"),
    "deep within": lambda config: config["model"]["*"]["embed"]["layer"]["*"]["mix"].update(dropout=1),
    "another kind of block": lambda config: config["model"]["*"].update(output={"@optimizers": "Adam.v1"}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_schema_forbids(validate, mistake):
    config = json.loads(json.dumps(READY["tagger"]))
    MISTAKES[mistake](config)
    assert validate(config)


def test_every_registered_function_is_described_with_its_arguments():
    definitions = config_schema()["$defs"]
    for kind in catalogues():
        assert definitions[kind]["properties"][f"@{kind}"]["enum"] == sorted(getattr(registry, kind).get_all())
    maxout = definitions["layers.Maxout.v1"]
    assert {"nO", "nI", "nP", "dropout", "normalize"} < set(maxout["properties"])
    assert maxout["properties"]["nP"]["default"] == 3
    assert maxout["description"].startswith("Dense layer")
    assert definitions["layers.clone.v1"]["properties"]["orig"]["anyOf"][0] == {"$ref": "#/$defs/layers"}


def test_problems_as_json_say_where_they_stand(tmp_path, capsys):
    path = tmp_path / "my.cfg"
    text = (CONFIGS / "tagger.cfg").read_text(encoding="utf8").replace("batch_size = 32", "batch_sise = 32")
    path.write_text(text.replace("Adam.v1", "Adm.v1"), encoding="utf8")
    assert main(["config", "check", str(path), "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)
    lines = path.read_text(encoding="utf8").splitlines()
    assert [lines[problem["line"] - 1].strip() for problem in problems] == ['@optimizers = "Adm.v1"', "batch_sise = 32"]
    for problem in problems:
        assert problem["source"] == str(path) and problem["column"] == 1
    assert "Did you mean 'Adam.v1'?" in problems[0]["text"]
    assert main(["config", "check", "tagger", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_what_fill_writes_is_complete_and_trains_the_same(tmp_path, capsys):
    path = tmp_path / "full.cfg"
    assert main(["config", "fill", "tagger", "--training.seed=3", "--output", str(path)]) == 0
    assert main(["config", "check", str(path)]) == 0
    filled = Config().from_disk(path)
    assert filled["training"]["seed"] == 3 and filled["optimizer"]["beta1"] == 0.9
    capsys.readouterr()
    assert main(["config", "diff", "tagger", str(path)]) == 0
    assert capsys.readouterr().out == "  training.seed = 0 -> 3\n"
