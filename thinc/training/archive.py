"""One file of several parts, which changes as a whole: what belongs together cannot be mixed.

It is a zip file (`python -m zipfile -l FILE` shows it); each part has a checksum, which reading it compares.
"""

import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Dict, Mapping

from ..util import write_atomically

_SAMPLE = 1 << 16


def write_archive(path: Path, parts: Mapping[str, bytes]) -> None:
    """Replace the file as a whole or not at all.

    path: of the file.  parts: name -> bytes.

    >>> write_archive(Path("run.bin"), {"labels.json": b"[]"})
    >>> Path("run.bin").is_file()
    True
    """
    write_atomically(path, pack_archive(parts))


def pack_archive(parts: Mapping[str, bytes]) -> memoryview:
    """The bytes of the file. The same parts give the same bytes.

    parts: name -> bytes.

    >>> bytes(pack_archive({"labels.json": b"[]"})[:2])
    b'PK'
    """
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if _worth_compressing(data) else zipfile.ZIP_STORED
            archive.writestr(info, data, compresslevel=1)
    return buffer.getbuffer()


def read_archive(path: Path) -> Dict[str, bytes]:
    """The parts. ValueError if the file is damaged or no archive.

    path: of the file.

    >>> write_archive(Path("run.bin"), {"labels.json": b"[]"})
    >>> read_archive(Path("run.bin"))
    {'labels.json': b'[]'}
    """
    data = path.read_bytes()
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except Exception as e:  # a damaged header fails in many ways: a wrong size, method, name, flag
        raise ValueError(f"{path} is damaged, or no file of a run: {e}") from None


def _worth_compressing(data: bytes) -> bool:
    """Whether a part shrinks by a third: tables of which most rows were never updated do, dense weights do not."""
    samples = [data[i : i + _SAMPLE // 4] for i in range(0, len(data), max(len(data) // 4, 1))]
    joined = b"".join(samples)
    return len(zlib.compress(joined, 1)) < 0.67 * len(joined)


__all__ = ["pack_archive", "read_archive", "write_archive"]
