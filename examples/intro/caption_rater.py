"""Does a caption fit an image? Two encoders, put together by composition.

    python caption_rater.py [FOLDER]

FOLDER holds PGM images of one size and `captions.tsv`: file name, caption, and 1 if the
caption fits or 0. Without a folder, images of circles, crosses and stripes are drawn.
"""

import sys
import tempfile
from pathlib import Path
from typing import List, Tuple

from captioned_images import draw, load, read_pgm

from thinc.api import (
    Adam,
    HashEmbed,
    Model,
    Relu,
    Softmax,
    chain,
    concatenate,
    fix_random_seed,
    get_item,
    list2ragged,
    reduce_mean,
    residual,
    strings2arrays,
    with_array,
)
from thinc.types import Floats2d


def CaptionRater(
    text_encoder: Model[List[str], Floats2d], image_encoder: Model[List[Path], Floats2d]
) -> Model[Tuple[List[str], List[Path]], Floats2d]:
    return chain(
        concatenate(chain(get_item(0), text_encoder), chain(get_item(1), image_encoder)),
        residual(Relu(nO=300, dropout=0.2, normalize=True)),
        Softmax(2),
    )


def TextEncoder(width: int) -> Model[List[str], Floats2d]:
    """The mean of the vectors of a caption's words."""

    def split(model, texts, is_train):
        return [text.lower().split() for text in texts], lambda d_words: []

    embed = with_array(HashEmbed(width, 1000, seed=1, column=0))
    words = chain(Model("split", split), strings2arrays(), list2ragged())
    return chain(words, embed, reduce_mean())


def ImageEncoder(width: int) -> Model[List[Path], Floats2d]:
    """A hidden layer over the pixels of image files."""

    def read(model, paths, is_train):
        return model.ops.asarray2f([read_pgm(path) for path in paths]), lambda dX: []

    return chain(Model("read", read), Relu(width))


def train(model: Model, folder: Path, epochs: int) -> float:
    """Learn from nine tenths of the images; returns the accuracy on the others."""
    (texts, paths), fits = load(folder)
    n = len(texts) * 9 // 10
    model.initialize(X=(texts[:n], paths[:n]), Y=fits[:n])
    optimizer = Adam(0.001)
    for _ in range(epochs):
        for batch in model.ops.multibatch(32, texts[:n], paths[:n], fits[:n]):
            X, Y = (batch[0], batch[1]), batch[2]
            Yh, backprop = model.begin_update(X)
            backprop((Yh - Y) / len(Y))
            model.finish_update(optimizer)
    Yh = model.predict((texts[n:], paths[n:]))
    return float((Yh.argmax(axis=1) == fits[n:].argmax(axis=1)).mean())


def main(folder: str = "", epochs: int = 12) -> float:
    fix_random_seed(0)
    model = CaptionRater(TextEncoder(100), ImageEncoder(200))
    with tempfile.TemporaryDirectory() as drawings:
        if not folder:
            draw(Path(drawings), 600)
        accuracy = train(model, Path(folder or drawings), epochs)
    print(f"right about {accuracy:.0%} of the captions it has not seen")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:])
