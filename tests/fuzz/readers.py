"""The readers: what they are given, how it is mutated, what they may raise, and what must hold afterwards."""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

import thinc
from tests.fuzz import mutate
from thinc.api import Adam, Config, HashEmbed, Maxout, Relu, Shim, Softmax, chain, clone, registry, residual
from thinc.model._safetensors import TensorFile
from thinc.training import (
    ConfigProblem,
    DatasetError,
    Progress,
    Source,
    TrainingError,
    load_checkpoint,
    save_checkpoint,
    settle,
)

CONFIGS = Path(thinc.__file__).parent / "training" / "configs"


@dataclass
class Reader:
    """`seeds` makes files, `read` reads one given its folder and raises AssertionError where something is wrong."""

    seeds: Callable[[Path], List[bytes]]
    mutators: Tuple[mutate.Mutator, ...]
    read: Callable[[bytes, Path], Any]
    errors: Tuple[type, ...]


class State(Shim):
    def __init__(self) -> None:
        super().__init__(None)
        self.state = b"state"

    def to_bytes(self) -> bytes:
        return self.state

    def from_bytes(self, data: bytes) -> "State":
        if not bytes(data).startswith(b"sta"):
            raise ValueError("no state")
        self.state = bytes(data)
        return self

    def finish_update(self, optimizer: Any) -> None:
        pass


def build() -> Any:
    """Layers with attrs, refs, dims, shims, shared and unset parts."""
    shared = residual(Maxout(3, 3, nP=2))
    inner = chain(HashEmbed(3, 5), shared, clone(Relu(3, 3, dropout=0.1), 2), shared, Softmax(2, 3))
    model = chain(inner, Relu(2)).initialize(numpy.arange(2, dtype="uint64"))
    model.layers[0].shims.append(State())
    model.set_ref("inner", inner)
    model.attrs.update(rate=0.5, names=["a", "b"], table={1: 2}, array=numpy.arange(3))
    return model


OPTIMIZER = Adam(0.01)
MODEL = build()  # one for all cases: a failed load must leave it as it is


_states: Dict[Any, bytes] = {}  # after the last load that succeeded


def unchanged(load: Callable[[], Any], state: Callable[[], bytes]) -> None:
    before = _states.pop(state, None) or state()
    try:
        load()
    except BaseException:
        assert state() == before, "a failed load left something changed"
        _states[state] = before
        raise


def everything() -> bytes:
    return MODEL.to_bytes() + OPTIMIZER.to_bytes()


def read_model(data: bytes, folder: Path) -> None:
    assert MODEL.can_from_bytes(data) in (True, False)
    unchanged(lambda: MODEL.from_bytes(data), everything)
    everything()


def read_safetensors(data: bytes, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(data)
    try:
        unchanged(lambda: MODEL.from_safetensors(path), everything)
    finally:  # its structure is what the package says
        try:
            load_safetensors(data)
        except (SafetensorError, KeyError):
            try:
                with TensorFile(path) as file:
                    assert not file.entries, "the package refuses this file"
            except ValueError:
                pass
    MODEL.from_safetensors(path, mmap=False)
    everything()


def safetensors_seeds(folder: Path) -> List[bytes]:
    path = folder / "model.safetensors"
    build().to_safetensors(path, metadata={"config": "[model]"})
    return [path.read_bytes()]


def read_checkpoint(data: bytes, folder: Path) -> None:
    path = folder / "checkpoint.bin"
    path.write_bytes(data)
    unchanged(lambda: load_checkpoint(path, MODEL, OPTIMIZER), everything)


def checkpoint_seeds(folder: Path) -> List[bytes]:
    path = folder / "checkpoint.bin"
    model, optimizer = build(), Adam(0.01)
    for node in model.walk():
        for name in node.param_names:
            node.inc_grad(name, node.get_param(name))
    model.finish_update(optimizer)
    save_checkpoint(path, model, optimizer, Progress(epoch=1))
    return [path.read_bytes()]


def read_config(data: bytes, folder: Path) -> None:
    path = folder / "config.cfg"
    path.write_bytes(data)
    settle(path, {})


def corpus_reader(name: str, **settings: Any) -> Callable[[bytes, Path], None]:
    """Read a corpus whose file, for all its parts, is given; and what `thinc predict` would parse."""

    def read(data: bytes, folder: Path) -> None:
        path = folder / settings.get("file", "corpus.txt")
        path.write_bytes(data)
        arguments = {key: value for key, value in settings.items() if key != "file"}
        corpus = registry.datasets.get(name)(path=str(path), **arguments)
        corpus.check()
        corpus.parse(Source.read(path), "")
        corpus.read()

    return read


IMAGES = struct.pack(">IIII", 0x803, 12, 2, 2) + bytes(range(48))
LABELS = struct.pack(">II", 0x801, 12) + bytes(i % 3 for i in range(12))


def read_idx(data: bytes, folder: Path) -> None:
    """The same file as images, with labels that are right, and as labels of images that are right."""
    paths = {name: folder / name for name in ("given", "images", "labels")}
    for path, content in zip(paths.values(), (data, IMAGES, LABELS)):
        path.write_bytes(content)
    failed = None
    for images, labels in (("given", "labels"), ("images", "given")):
        files = {"path": images, "labels_path": labels, "dev_path": images, "dev_labels_path": labels}
        corpus = registry.datasets.get("idx_images.v1")(**{key: str(paths[name]) for key, name in files.items()})
        try:
            corpus.parse(Source.read(paths[images]), "")
            corpus.read()
        except DatasetError as error:
            failed = error
    if failed is not None:
        raise failed


CONLLU = "# text = a\n" + "".join(
    f"1\tDogs\tdog\tNOUN\tNNS\tNumber=Plur\t2\tnsubj\t_\t_\n2-3\tbark's\t_\t_\t_\t_\t_\t_\t_\t_\n"
    f"2\tbark{i}\tbark\tVERB\tVBP\t_\t0\troot\t_\t_\n2.1\t_\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    for i in range(3)
)
CSV = 'text,category\n"a, ""b""\nc",x\nd e,y\n' + "f,x\ng,y\n" * 8


def config_seeds(folder: Path) -> List[bytes]:
    texts = [path.read_bytes() for path in sorted(CONFIGS.glob("*.cfg"))]
    assert all(Config().from_bytes(text, interpolate=False) for text in texts)
    return texts


def gzip_seeds(folder: Path) -> List[bytes]:
    return [gzip.compress(CSV.encode(), mtime=0)]


COLUMNS = "Ann\tB-PER\nLee\tI-PER\n# is\tO\n\n" * 3
JSONL = '{"text": "a b", "label": "x"}\n\n{"text": "c", "label": "y"}\n' * 4

_csv = mutate.mutate_lines(",", ['"', '""', '"a', "x", "y", "text", "category"])
_conllu = mutate.mutate_lines("\t", ["1", "2-3", "2.1", "_", "#", "NOUN", "²"])
_config = mutate.mutate_lines(" = ", ["@layers", "[model]", "${x.y}", "[", '"', "null", "[model.*.a]", "true", "1e999"])

CHECKPOINT_PARTS = ("state", "model", "optimizer")

READERS: Dict[str, Reader] = {
    "model": Reader(
        lambda folder: [build().to_bytes()], (mutate.mutate_msgpack, mutate.mutate_bytes), read_model, (ValueError,)
    ),
    "safetensors": Reader(
        safetensors_seeds, (mutate.mutate_safetensors, mutate.mutate_bytes), read_safetensors, (ValueError,)
    ),
    "config": Reader(config_seeds, (_config, mutate.mutate_bytes), read_config, (ConfigProblem,)),
    "checkpoint": Reader(
        checkpoint_seeds,
        (*(mutate.mutate_archive(part, mutate.mutate_msgpack) for part in CHECKPOINT_PARTS), mutate.mutate_bytes),
        read_checkpoint,
        (TrainingError,),
    ),
    "conllu": Reader(
        lambda folder: [CONLLU.encode()],
        (_conllu, mutate.mutate_bytes),
        corpus_reader("conllu.v1", file="corpus.conllu"),
        (DatasetError,),
    ),
    "columns": Reader(
        lambda folder: [COLUMNS.encode()],
        (_conllu, mutate.mutate_bytes),
        corpus_reader("columns.v1", file="corpus.tsv"),
        (DatasetError,),
    ),
    "jsonl": Reader(
        lambda folder: [JSONL.encode()],
        (mutate.mutate_jsonl, mutate.mutate_bytes),
        corpus_reader("jsonl_text.v1", file="corpus.jsonl"),
        (DatasetError,),
    ),
    "csv": Reader(
        lambda folder: [CSV.encode()],
        (_csv, mutate.mutate_bytes),
        corpus_reader("csv_text.v1", file="corpus.csv"),
        (DatasetError,),
    ),
    "idx": Reader(lambda folder: [IMAGES, LABELS], (mutate.mutate_idx, mutate.mutate_bytes), read_idx, (DatasetError,)),
    "gzip": Reader(
        gzip_seeds,
        (mutate.mutate_gzip(_csv), mutate.mutate_bytes),
        corpus_reader("csv_text.v1", file="corpus.csv.gz"),
        (DatasetError,),
    ),
}


def kept(name: str) -> List[bytes]:
    """Inputs that once did harm."""
    folder = Path(__file__).parent / "corpus" / name
    return [path.read_bytes() for path in sorted(folder.glob("*"))] if folder.is_dir() else []
