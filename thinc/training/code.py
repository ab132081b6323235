"""The file of --code: layers, readers and losses of one's own, registered before the config is read."""

import sys
import traceback
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .errors import ConfigProblem, DatasetError
from .textfiles import Source


@dataclass(frozen=True)
class Code:
    """A Python file.

    name: the file, for messages.  text: what is in it.

    >>> run_code(Code("mine.py", "from thinc.api import registry"))
    """

    name: str
    text: str

    @classmethod
    def read(cls, path: Path) -> "Code":
        """ConfigProblem if it cannot be read."""
        try:
            return cls(str(path), Source.read(path).text())
        except DatasetError as e:
            raise ConfigProblem(f"--code: {e}") from None


def run_code(code: Optional[Code]) -> None:
    r"""Run a file, so that it registers what it has. ConfigProblem, with file and line, if it fails.

    code: the file, or None for nothing.

    >>> run_code(Code("mine.py", "x = 1\ny = x / 0"))
    Traceback (most recent call last):
        ...
    thinc.training.errors.ConfigProblem: mine.py, line 2: ZeroDivisionError: division by zero
    """
    if code is None:
        return
    name = f"thinc_code_{Path(code.name).stem}"
    module = types.ModuleType(name)
    module.__file__ = code.name
    previous = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and annotations look their module up
    try:
        exec(compile(code.text, code.name, "exec"), module.__dict__)
    except (Exception, SystemExit) as e:
        if previous is None:
            del sys.modules[name]
        lines = [frame.lineno for frame in traceback.extract_tb(e.__traceback__) if frame.filename == code.name]
        line = e.lineno if isinstance(e, SyntaxError) else lines[-1] if lines else 1
        text = e.msg if isinstance(e, SyntaxError) else e
        raise ConfigProblem(f"{code.name}, line {line}: {type(e).__name__}: {text}") from e


__all__ = ["Code", "run_code"]
