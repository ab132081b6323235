"""The standard library of Python as a corpus: names and their syntactic roles."""

import ast
import io
import keyword
import sysconfig
import tokenize
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ...api import registry
from ..datasets import Corpus, Data, Inputs, Row, make_data
from ..errors import DatasetError
from ..textfiles import Source

_SKIPPED_FOLDERS = {"test", "tests", "idle_test", "lib2to3", "site-packages", "__pycache__"}
_CHUNK = 40  # words; logical lines are joined up to this size


class _Roles(ast.NodeVisitor):
    """(line, column) of names -> role, for what the syntax tree places exactly."""

    def __init__(self) -> None:
        self.at: Dict[Tuple[int, int], str] = {}
        self.scopes: List[set] = []

    def visit_FunctionDef(self, node: Any) -> None:
        for child in [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]:
            self.visit(child)
        arguments = node.args
        names = {a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs}
        names |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a}
        names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.scopes.append(names)
        for child in node.body:
            self.visit(child)
        self.scopes.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arg(self, node: ast.arg) -> None:
        self.at[node.lineno, node.col_offset] = "argument"
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg is not None:
            self.at[node.lineno, node.col_offset] = "keyword_argument"
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name):
            self.at[node.func.lineno, node.func.col_offset] = "call"
        elif isinstance(node.func, ast.Attribute):
            self.at[self._attribute(node.func)] = "method_call"

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        written = isinstance(node.ctx, (ast.Store, ast.Del))
        self.at[self._attribute(node)] = "attribute_write" if written else "attribute"

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            local = bool(self.scopes) and node.id in self.scopes[-1]
            role = "local_read" if local else "global_read"
        else:
            role = "local_write" if self.scopes else "global_write"
        self.at[node.lineno, node.col_offset] = role

    @staticmethod
    def _attribute(node: ast.Attribute) -> Tuple[int, int]:
        # The name is the last thing in the node.
        return node.end_lineno or 0, (node.end_col_offset or 0) - len(node.attr.encode("utf8"))


def tag_python(source: str) -> List[Row]:
    r"""The words of Python source in chunks of logical lines; names have their syntactic role, other words None.

    Raises SyntaxError or tokenize.TokenError for what is not Python.

    source: the text of a module.

    >>> tag_python("total = add(1, 2)\n")
    [(['total', '=', 'add', '(', '1', ',', '2', ')'], ['global_write', None, 'call', None, None, None, None, None])]
    """
    roles = _Roles()
    roles.visit(ast.parse(source))
    chunks: List[Row] = []
    words: List[str] = []
    tags: List[Optional[str]] = []
    previous = ""  # of this logical line: what a name after `def`, `class`, `import` is, the tree does not place
    importing = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NAME, tokenize.OP, tokenize.NUMBER):
            text = token.string
            tag = None
            if token.type == tokenize.NAME and not keyword.iskeyword(text):
                line, column = token.start
                place = (line, len(token.line[:column].encode("utf8")))
                if previous in ("def", "class"):
                    tag = "function" if previous == "def" else "class"
                elif importing:
                    tag = "import"
                else:
                    tag = roles.at.get(place)
            importing = importing or (text in ("import", "from") and not previous)
            previous = text
            words.append(text)
            tags.append(tag)
        elif token.type == tokenize.STRING:
            previous = "''"
            words.append(previous)
            tags.append(None)
        elif token.type == tokenize.NEWLINE:
            previous, importing = "", False
            if len(words) >= _CHUNK:
                chunks.append((words, tags))
                words, tags = [], []
    if words:
        chunks.append((words, tags))
    return chunks


@registry.datasets("python_source.v1")
def python_source(limit: int = 200) -> Corpus:
    """The standard library of the running Python: each name is tagged with its syntactic role, found with `ast`.

    Roles: function, class, argument, keyword_argument, call, method_call, attribute, attribute_write, import,
    local_read, local_write, global_read, global_write. The same word has many of them, so the labels need context.
    Files are taken in a fixed pseudo-random order and split by file, four to one; limit is their number, 0 for all.
    """
    root = Path(sysconfig.get_paths()["stdlib"])

    def read() -> Data:
        paths = [path for path in root.rglob("*.py") if not _SKIPPED_FOLDERS.intersection(path.relative_to(root).parts)]
        order = sorted(paths, key=lambda path: (zlib.crc32(path.relative_to(root).as_posix().encode()), path))
        parts: Tuple[List[Row], List[Row]] = ([], [])
        for i, path in enumerate(order[: limit or None]):
            try:
                with tokenize.open(path) as file:
                    chunks = tag_python(file.read())
            except (SyntaxError, ValueError, tokenize.TokenError, OSError):
                continue  # templates and the like
            parts[i % 5 == 0].extend(chunks)
        if not parts[0] or not parts[1]:
            raise DatasetError(f"python_source: found no Python source under {root}")
        return make_data(*parts, "sequence", str(root), "held out: every fifth file")

    def parse(source: Source, kind: str) -> Inputs:
        if kind not in ("", "text"):
            raise DatasetError(f"{source.name}: this tagger reads Python source, not {kind}")
        try:
            chunks = tag_python(source.text())
        except (SyntaxError, tokenize.TokenError) as e:
            line = e.lineno if isinstance(e, SyntaxError) else e.args[1][0]
            raise DatasetError(f"{source.name}, line {line}: not Python: {e.args[0]}") from None
        except (ValueError, RecursionError, MemoryError) as e:
            raise DatasetError(f"{source.name}: not Python: {e}") from None
        shown = [[i for i, role in enumerate(roles) if role is not None] for _, roles in chunks]
        return Inputs([words for words, _ in chunks], shown=shown)

    def rows(path: Path) -> List[Row]:
        source = Source.read(path)
        parse(source, "")
        return tag_python(source.text())

    return Corpus(read, "words", parse, rows=rows, kind="sequence")


__all__ = ["python_source", "tag_python"]
