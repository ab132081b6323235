"""What can be wrong with a run, by whose turn it is to act. Each text is a sentence for the user."""

from typing import NamedTuple, Sequence


class Place(NamedTuple):
    """Something wrong, and where it stands: lines and columns count from 1, and are 0 where nobody knows."""

    source: str  # a file, or an override such as --training.seed
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.source}{f', line {self.line}' if self.line else ''}: {self.text}"


class ConfigProblem(ValueError):
    """A config, or a command, that cannot be carried out as it stands. What is wrong in a file has a place.

    text: the sentence, if there is one for all.  places: what is wrong, each by its place.

    >>> settle(Path("no.cfg"), {})
    Traceback (most recent call last):
        ...
    thinc.training.errors.ConfigProblem: there is no config no.cfg
    """

    def __init__(self, text: str = "", places: Sequence[Place] = ()):
        lines = [text] if text else [f"{len(places)} problems:"] * (len(places) > 1) + [str(place) for place in places]
        super().__init__("\n  ".join(lines))
        self.places = list(places)


class DatasetError(ValueError):
    """A corpus that cannot be read, or holds nothing to learn from.

    >>> Source.read("no.csv")
    Traceback (most recent call last):
        ...
    thinc.training.errors.DatasetError: There is no file no.csv
    """


class TrainingError(RuntimeError):
    """A run that cannot go on, or cannot be read. What was saved before stays valid.

    >>> load_run("no/such/run")
    Traceback (most recent call last):
        ...
    thinc.training.errors.TrainingError: There is no run no/such/run
    """


__all__ = ["ConfigProblem", "DatasetError", "Place", "TrainingError"]
