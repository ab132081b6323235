"""The readers that come with the package, each under its name in `registry.datasets`. Importing it registers them.

Each states in its docstring the grammar that it takes, and refuses the rest with file and line.
"""

from .images import digits, idx_images, read_idx
from .python_source import python_source, tag_python
from .texts import csv_text, folders, jsonl_text, parse_texts
from .words import columns, conllu, parse_words, read_columns, read_conllu

__all__ = [
    "columns",
    "conllu",
    "csv_text",
    "digits",
    "folders",
    "idx_images",
    "jsonl_text",
    "parse_texts",
    "parse_words",
    "python_source",
    "read_columns",
    "read_conllu",
    "read_idx",
    "tag_python",
]
