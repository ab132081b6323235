"""Configuration files and the registry of functions they may name.

The config language (sections, variables, promises) is confection's; its names are
passed on unchanged. This module adds the registries of the library itself.
"""

import catalogue
import confection
from confection import VARIABLE_RE, Config, ConfigValidationError, Promise

from ._table import config_html
from .types import Decorator

# The class is confection's, and is passed on as it is; notebooks find this by its name.
Config._repr_html_ = config_html  # type: ignore[attr-defined]  # (confection has none)


class registry(confection.registry):
    """Functions by name, one registry per kind, open to other packages.

    `@registry.layers("MyLayer.v1")` registers; `registry.layers.get("MyLayer.v1")` and
    `@layers = "MyLayer.v1"` in a config look up. A package can also list functions as
    entry points of the group `thinc_layers` (`thinc_optimizers`, ...).

    >>> @registry.layers("Twice.v1")
    ... def Twice() -> Model:
    ...     return Model("twice", lambda model, X, is_train: (2 * X, lambda dY: 2 * dY))
    >>> registry.resolve({"model": {"@layers": "Twice.v1"}})["model"].predict(numpy.ones(2))
    array([2., 2.])
    """

    optimizers: Decorator = catalogue.create("thinc", "optimizers", entry_points=True)
    schedules: Decorator = catalogue.create("thinc", "schedules", entry_points=True)
    layers: Decorator = catalogue.create("thinc", "layers", entry_points=True)
    losses: Decorator = catalogue.create("thinc", "losses", entry_points=True)
    initializers: Decorator = catalogue.create("thinc", "initializers", entry_points=True)
    datasets: Decorator = catalogue.create("thinc", "datasets", entry_points=True)
    ops: Decorator = catalogue.create("thinc", "ops", entry_points=True)
    loggers: Decorator = catalogue.create("thinc", "loggers", entry_points=True)

    @classmethod
    def create(cls, registry_name: str, entry_points: bool = False) -> None:
        """Add a registry, e.g. for the models of an application.

        ValueError if this class has an attribute of that name already.
        """
        if hasattr(cls, registry_name):
            raise ValueError(
                f"registry.create: {cls.__name__} has an attribute {registry_name!r} already; choose another name"
            )
        catalogued: Decorator = catalogue.create("thinc", registry_name, entry_points=entry_points)
        setattr(cls, registry_name, catalogued)


__all__ = ["Config", "registry", "ConfigValidationError", "Promise", "VARIABLE_RE"]
