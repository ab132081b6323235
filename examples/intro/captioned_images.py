"""Images with captions that fit or do not: what the caption raters learn from."""

import random
from pathlib import Path
from typing import Any, List, Tuple

import numpy

Captioned = Tuple[List[str], List[Path]]


def read_pgm(path: Path) -> Any:
    """The pixels of a binary PGM file in one row, from 0 to 1."""
    data = path.read_bytes()
    _, width, height, *_ = data.split(maxsplit=3)
    pixels = data[-int(width) * int(height) :]  # behind the header, one byte each
    return numpy.frombuffer(pixels, dtype="uint8").astype("f") / 255


def write_pgm(path: Path, pixels: Any) -> None:
    """Write a matrix of grey values from 0 to 255."""
    height, width = pixels.shape
    path.write_bytes(b"P5 %d %d 255 " % (width, height) + pixels.tobytes())


def draw(folder: Path, number: int, size: int = 12) -> None:
    """Three shapes at random places, half of them with a caption by chance."""
    y, x = numpy.mgrid[:size, :size]
    lines = []
    for i in range(number):
        row, column = random.randint(4, 7), random.randint(4, 7)
        shapes = {
            "a round circle": abs(numpy.hypot(y - row, x - column) - 3) < 0.7,
            "a thin cross": (y == row) | (x == column),
            "some stripes": (y + row) % 3 == 0,
        }
        shape = random.choice(list(shapes))
        caption = random.choice([shape, random.choice(list(shapes))])
        write_pgm(folder / f"{i}.pgm", (shapes[shape] * 255).astype("uint8"))
        lines.append(f"{i}.pgm\t{caption}\t{int(caption == shape)}\n")
    (folder / "captions.tsv").write_text("".join(lines), encoding="utf8")


def load(folder: Path) -> Tuple[Captioned, Any]:
    """((captions, paths), fits): fits (N, 2) has a 1 in its last column for a fit."""
    texts, paths, fits = [], [], []
    for line in (folder / "captions.tsv").read_text(encoding="utf8").splitlines():
        name, caption, fit = line.split("\t")
        texts.append(caption)
        paths.append(folder / name)
        fits.append(int(fit))
    return (texts, paths), numpy.eye(2, dtype="f")[fits]
