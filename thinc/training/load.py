"""A saved model by its path alone: what it holds says how it is built."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Union

from ..api import Config, Model, registry
from ..model._safetensors import TensorFile, load_tensors
from ..quantize import quantize_layer
from .run import Run, load_run


@dataclass
class Trained:
    """What was saved: the model, the config that built it, and all texts that were saved with it.

    model, config, metadata: what the file holds.

    >>> Trained(Softmax(2, 3).initialize(), Config()).predict(numpy.zeros((1, 3), dtype="f"))
    array([[0.5, 0.5]], dtype=float32)
    """

    model: Model
    config: Config
    metadata: Dict[str, str] = field(default_factory=dict)

    def predict(self, X: Any) -> Any:
        return self.model.predict(X)


def load(path: Union[str, Path], *, mmap: bool = True) -> Union[Run, Trained]:
    r"""What `thinc train --output` wrote, as a `Run`: give its folder, or the model.bin in it (see `load_run`).

    Or the model of a safetensors file whose metadata hold its config, as they do if it was saved by
    `model.to_safetensors(path, metadata={"config": config.to_str()})`.

    A model that was quantized is quantized again. The layers that the config names must be registered, so import what
    registers them first. With `mmap` the weights are pages of the file, see `Model.from_safetensors`. ValueError if the
    file is damaged or has no config.

    path: of the folder or file.

    >>> model = chain(Relu(4, 3), Softmax(2, 4)).initialize()
    >>> config = '[model]\n@layers = "chain.v1"\n[model.*.a]\n@layers = "Relu.v1"\nnO = 4\nnI = 3\n'
    >>> config += '[model.*.b]\n@layers = "Softmax.v1"\nnO = 2\nnI = 4\n'
    >>> model.to_safetensors("model.safetensors", metadata={"config": config})
    >>> load("model.safetensors").model
    <Model 'relu>>softmax': nO=2, nI=3, 26 parameters>
    """
    if Path(path).is_dir() or _is_run(Path(path)):
        return load_run(path)
    with TensorFile(path) as file:
        config = Config().from_str(file.metadata.get("config", ""))
        if not isinstance(config.get("model"), dict):
            raise ValueError(
                f"thinc.load: {path} has no config with a section [model] in its metadata. Build the model and call "
                'its from_safetensors, or save it with metadata={"config": config.to_str()}'
            )
        model = registry.resolve({"model": config["model"]})["model"]
        if not isinstance(model, Model):
            raise ValueError(
                f"thinc.load: [model] in the config of {path} describes a {type(model).__name__}, no model"
            )
        load_tensors(model, file, mmap, quantize_layer)
    return Trained(model, config, file.metadata)


def _is_run(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


__all__ = ["Trained", "load"]
