"""What can be wrong with a run, by whose turn it is to act. Each text is a sentence for the user."""


class ConfigProblem(ValueError):
    """A config, or a command, that cannot be carried out as it stands.

    >>> settle(Path("no.cfg"), {})
    Traceback (most recent call last):
        ...
    thinc.training.errors.ConfigProblem: there is no config no.cfg
    """


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


__all__ = ["ConfigProblem", "DatasetError", "TrainingError"]
