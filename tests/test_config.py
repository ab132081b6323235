"""The registry, and the config system that it gets from confection."""

import catalogue
import confection
import pytest

import thinc
import thinc.config
from thinc.config import Config, ConfigValidationError, Promise, registry


def test_names_are_passed_on():
    for name in ("Config", "ConfigValidationError", "Promise", "VARIABLE_RE"):
        assert getattr(thinc.config, name) is getattr(confection, name)
    assert thinc.registry is registry
    assert issubclass(registry, confection.registry)
    assert thinc.config.VARIABLE_RE.pattern == r"\$\{[\w\.:]+\}"


@pytest.mark.parametrize("name", "optimizers schedules layers losses initializers datasets ops".split())
def test_registries(name):
    catalogued = getattr(registry, name)
    assert catalogued.namespace == ("thinc", name)
    assert catalogued.entry_points


@pytest.fixture
def cats(monkeypatch):
    class my_registry(registry):
        pass

    my_registry.create("test_cats")
    # The catalogue is global: what is added here must not be found by the next test.
    yield my_registry
    for key in [key for key in catalogue.REGISTRY if key[:2] == ("thinc", "test_cats")]:
        del catalogue.REGISTRY[key]


def test_create(cats):
    @cats.test_cats("catsie.v1")
    def catsie(evil: bool, cute: bool = True) -> str:
        return "scratch!" if evil else "meow"

    assert cats.test_cats.get("catsie.v1") is catsie
    assert cats.has("test_cats", "catsie.v1")
    assert not hasattr(registry, "test_cats")
    with pytest.raises(ValueError, match="test_cats"):
        cats.create("test_cats")
    with pytest.raises(catalogue.RegistryError):
        cats.test_cats.get("dogsie.v1")


def test_resolve(cats):
    @cats.test_cats("catsie.v2")
    def catsie(evil: bool, *, times: int = 1) -> str:
        return "scratch!" * times if evil else "meow" * times

    text = """
    [section]
    times = 2

    [section.cat]
    @test_cats = "catsie.v2"
    evil = true
    times = ${section.times}
    """
    config = Config().from_str(text)
    assert cats.resolve(config)["section"]["cat"] == "scratch!scratch!"
    filled = cats.fill({"cat": {"@test_cats": "catsie.v2", "evil": False}})
    assert filled["cat"]["times"] == 1
    # Annotations are contracts: 1 is no bool.
    with pytest.raises(ConfigValidationError):
        cats.resolve({"cat": {"@test_cats": "catsie.v2", "evil": 1}})
    with pytest.raises(ConfigValidationError):
        cats.resolve({"cat": {"@test_cats": "catsie.v2"}})


def test_promise(cats):
    cats.test_cats("catsie.v3")(lambda: "meow")
    promise = Promise.from_dict(cats, {"@test_cats": "catsie.v3"})
    assert promise.resolve() == "meow"


def test_notebooks_show_a_config_as_its_file():
    text = '[a]\nb = "<script>"\nc = ${a.b}\n'
    shown = Config().from_str(text, interpolate=False)._repr_html_()
    assert shown == "<pre><b>[a]</b>\nb = &quot;&lt;script&gt;&quot;\nc = ${a.b}</pre>"
    many = Config({"a": {f"key{i}": "x" * 10000 for i in range(1000)}})._repr_html_()
    assert many.count("\n") == 200 and many.endswith("… 801 more lines</pre>") and len(many) < 200_000
    assert "object object" in Config({"a": {"b": object()}})._repr_html_()
