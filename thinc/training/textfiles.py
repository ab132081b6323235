"""Files as bytes, text and lines, with one idea of what a line is for the whole program.

A text is UTF-8, with or without a byte order mark, plain or gzip. A line ends in LF or CR LF; a CR that stands alone
is refused, since programs differ about it. Everything that cannot be read is a DatasetError with file and line.
"""

import gzip
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import List, Union

from .errors import DatasetError


@dataclass(frozen=True)
class Source:
    r"""The bytes of a file, or of standard input, and a name for messages.

    name: for messages.  data: the bytes.

    >>> Source("pets.csv.gz", "text\nmeow\n".encode()).lines()
    ['text', 'meow']
    """

    name: str
    data: bytes

    @classmethod
    def read(cls, path: Union[Path, str]) -> "Source":
        """The file, decompressed if it is gzip; "-" is standard input."""
        name = "standard input" if str(path) == "-" else str(path)
        try:
            data = sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
        except FileNotFoundError:
            raise DatasetError(f"There is no file {name}") from None
        except IsADirectoryError:
            raise DatasetError(f"{name} is a folder, expected a file") from None
        except OSError as e:
            raise DatasetError(f"{name} cannot be read: {e.strerror or e}") from e
        if data[:2] == b"\x1f\x8b":
            try:
                data = gzip.decompress(data)
            except (OSError, EOFError, zlib.error) as e:
                raise DatasetError(f"{name} is a damaged gzip file: {e}") from None
        elif name.endswith(".gz"):
            raise DatasetError(f"{name} is no gzip file, though its name ends in .gz")
        return cls(name, data)

    @property
    def suffix(self) -> str:
        """What kind of file the name says, e.g. ".conllu" for x.conllu.gz."""
        name = self.name[:-3] if self.name.endswith(".gz") else self.name
        return Path(name).suffix.lower()

    def text(self, encoding: str = "utf-8") -> str:
        """The text, without its byte order mark."""
        data = self.data
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig"):
            encoding = "utf-8"
            if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise DatasetError(
                    f"{self.name} is UTF-16, expected UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"
                )
            data = data[3:] if data[:3] == b"\xef\xbb\xbf" else data
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as e:
            line = data.count(b"\n", 0, e.start) + 1
            raise DatasetError(
                f"{self.name}, line {line}: byte 0x{data[e.start]:02x} is not {encoding.upper()}. "
                "If it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8 FILE > NEW"
            ) from None
        except LookupError:
            raise DatasetError(f"{self.name}: there is no encoding {encoding!r}") from None
        if "\0" in text:
            line = text.count("\n", 0, text.index("\0")) + 1
            raise DatasetError(f"{self.name}, line {line}: a NUL character: this is no text")
        return text

    def lines(self, encoding: str = "utf-8") -> List[str]:
        """The lines, without their ends."""
        lines = self.text(encoding).split("\n")
        if not lines[-1]:
            lines.pop()
        for i, line in enumerate(lines):
            if line.endswith("\r"):
                lines[i] = line = line[:-1]
            if "\r" in line:
                raise DatasetError(
                    f"{self.name}, line {i + 1}: a carriage return that ends no line. Convert the line ends to LF"
                )
        return lines


__all__ = ["Source"]
