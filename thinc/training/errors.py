"""What can be wrong with a run, by whose turn it is to act. Each text is a sentence for the user."""


class ConfigProblem(ValueError):
    """A config, or a command, that cannot be carried out as it stands."""


class DatasetError(ValueError):
    """A corpus that cannot be read, or holds nothing to learn from."""


class TrainingError(RuntimeError):
    """A run that cannot go on, or cannot be read. What was saved before stays valid."""


__all__ = ["ConfigProblem", "DatasetError", "TrainingError"]
