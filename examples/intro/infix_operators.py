"""The caption rater once more, in an infix notation of your own.

    python infix_operators.py [FOLDER]

See caption_rater.py for the encoders and the data.
"""

import sys
import tempfile
from pathlib import Path

from caption_rater import ImageEncoder, TextEncoder, train
from captioned_images import draw

from thinc.api import Model, Relu, Softmax, chain, concatenate, fix_random_seed, getitem, residual


def CaptionRater(text_encoder: Model, image_encoder: Model) -> Model:
    apply_on = lambda layer, i: chain(getitem(i), layer)  # noqa: E731
    with Model.define_operators({"^": apply_on, ">>": chain, "|": concatenate}):
        model = (
            (text_encoder ^ 0 | image_encoder ^ 1) >> residual(Relu(nO=300, dropout=0.2, normalize=True)) >> Softmax(2)
        )
    return model


def main(folder: str = "", epochs: int = 12) -> float:
    fix_random_seed(0)
    model = CaptionRater(TextEncoder(100), ImageEncoder(200))
    with tempfile.TemporaryDirectory() as drawings:
        if not folder:
            draw(Path(drawings), 600)
        accuracy = train(model, Path(folder or drawings), epochs)
    print(f"{model.name}: right about {accuracy:.0%} of the captions")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:])
