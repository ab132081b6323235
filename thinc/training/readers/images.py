"""Readers of images with numbered classes."""

from pathlib import Path
from typing import Any, List, Tuple

import numpy

from ...api import registry
from ..datasets import Corpus, Data, Examples, Inputs, hold_out
from ..errors import DatasetError
from ..textfiles import Source


def read_idx(path: Path, n_dims: Tuple[int, ...] = (1, 2, 3)) -> numpy.ndarray:
    """An array of bytes in the IDX format of the MNIST files (LeCun, Cortes & Burges 1998), plain or .gz."""
    return parse_idx(Source.read(path), n_dims)


def parse_idx(source: Source, n_dims: Tuple[int, ...]) -> numpy.ndarray:
    """Grammar: bytes 0, 0, 8 (unsigned bytes), the number of dimensions; each dimension in 4 bytes, the highest first,
    from 1; then as many bytes as their product."""
    data, name = source.data, source.name
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise DatasetError(f"{name}: not an IDX file of bytes: it begins with {data[:4].hex(' ') or 'nothing'}")
    n = data[3]
    if n not in n_dims:
        expected = " or ".join(map(str, n_dims))
        raise DatasetError(f"{name}: an IDX file of {n} dimensions, expected {expected}{_HINTS.get(n_dims, '')}")
    start = 4 + 4 * n
    if len(data) < start:
        raise DatasetError(f"{name}: the file ends within its header of {start} bytes")
    shape = [int.from_bytes(data[i : i + 4], "big", signed=True) for i in range(4, start, 4)]
    if min(shape) < 1:
        raise DatasetError(f"{name}: the header says {tuple(shape)}; each dimension must be at least 1")
    size = 1
    for length in shape:
        size *= length
    if len(data) != start + size:
        raise DatasetError(
            f"{name}: the header says {tuple(shape)}, {size} bytes, but there are {len(data) - start} after it"
        )
    return numpy.frombuffer(data, dtype="uint8", offset=start).reshape(shape)


_HINTS = {(2, 3): ": is it the file of the labels?", (1,): ": is it the file of the images?"}


def _pixels(images: numpy.ndarray) -> numpy.ndarray:
    return images.reshape((len(images), -1)).astype("float32") / 255.0


def _image_data(train: Tuple[Any, Any], dev: Tuple[Any, Any], held_out: str = "") -> Data:
    labels = [str(i) for i in range(int(train[1].max()) + 1)]
    parts = [Examples(X, numpy.minimum(Y.astype("int32"), len(labels))) for X, Y in (train, dev)]
    return Data(parts[0], parts[1], labels, "class", held_out)


@registry.datasets("idx_images.v1")
def idx_images(path: str, labels_path: str, dev_path: str, dev_labels_path: str) -> Corpus:
    """Images of bytes with numbered classes, in the files that MNIST comes in.  Pixels are scaled to [0, 1].

    Grammar: IDX files of bytes, plain or .gz; images of 2 or 3 dimensions, labels of one, as many as there are images.
    """
    files = [Path(path), Path(labels_path), Path(dev_path), Path(dev_labels_path)]

    def read() -> Data:
        images, dev_images = (read_idx(files[i], (2, 3)) for i in (0, 2))
        labels, dev_labels = (read_idx(files[i], (1,)) for i in (1, 3))
        for X, Y, source in ((images, labels, path), (dev_images, dev_labels, dev_path)):
            if len(X) != len(Y):
                raise DatasetError(f"{source}: {len(X)} images, but {len(Y)} labels")
        if images.shape[1:] != dev_images.shape[1:]:
            raise DatasetError(f"{dev_path}: images of {dev_images.shape[1:]}, but those of {path} {images.shape[1:]}")
        return _image_data((_pixels(images), labels), (_pixels(dev_images), dev_labels))

    def parse(source: Source, kind: str) -> Inputs:
        _no_kind(kind, "IDX files")
        return Inputs(_pixels(parse_idx(source, (2, 3))))

    return Corpus(read, "images", parse, files)


def _no_kind(kind: str, read: str) -> None:
    if kind:
        raise DatasetError(f"--as {kind}: images are read from {read} alone")


@registry.datasets("digits.v1")
def digits(held_out: float = 0.2, split_seed: int = 0) -> Corpus:
    """The 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn; a fifth is held out.

    Raw input: lines of 64 numbers from 0 to 16, divided by commas.
    """

    def read() -> Data:
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise DatasetError('digits.v1 needs scikit-learn: pip install "thinc[datasets]"') from None
        images, labels = load_digits(return_X_y=True)
        X = (images / 16.0).astype("float32")
        rows = [(i, label) for i, label in enumerate(labels.tolist())]
        train, dev, sentence = hold_out(rows, "class", held_out, split_seed)
        parts = [numpy.array([i for i, _ in part]) for part in (train, dev)]
        return _image_data((X[parts[0]], labels[parts[0]]), (X[parts[1]], labels[parts[1]]), sentence)

    def parse(source: Source, kind: str) -> Inputs:
        _no_kind(kind, "lines of 64 numbers")
        rows: List[numpy.ndarray] = []
        for number, line in enumerate(source.lines(), 1):
            try:
                row = numpy.array(line.split(","), dtype="float32") / 16.0
            except ValueError:
                row = numpy.zeros((0,), "float32")
            if row.shape != (64,) or not numpy.isfinite(row).all():
                raise DatasetError(f"{source.name}, line {number}: expected 64 numbers divided by commas")
            rows.append(row)
        return Inputs(numpy.array(rows, "float32").reshape((-1, 64)))

    return Corpus(read, "images", parse)


__all__ = ["digits", "idx_images", "parse_idx", "read_idx"]
