"""Files that are replaced as a whole or not at all."""

import errno
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Optional, Union

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None  # type: ignore[assignment]  # (Windows has none)

# A name, or anything with open(mode).
PathT = Union[str, Path, Any]


def write_atomically(path: PathT, *chunks: Any) -> None:
    """Write bytes to a file that others see as it was or as it becomes, and never between.

    They go to a file of a unique name beside it, are synced to the disk, and renamed. An error removes that file;
    after a kill the next save of this path does. Links are followed to their target, and its mode is kept. A pipe or
    a device, and an object that only looks like a path (of cloud storage, say), is opened and written as it is.
    """
    path = Path(path) if isinstance(path, str) else path
    target = regular_file(path)
    if target is None:
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        return
    mode = _mode_of(target)
    file = _create_beside(target)
    try:
        with file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            if mode is not None:
                os.chmod(file.name, mode)
            os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows renames no open file; elsewhere the lock must last until it has its name
            os.replace(file.name, target)
    except BaseException as error:
        with suppress(OSError):
            os.remove(file.name)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = target
        raise
    _sync_folder(os.path.dirname(target))


def regular_file(path: Any) -> Optional[str]:
    """Where the file is or will be, beyond all links; None for what has to be opened as it is."""
    if not isinstance(path, Path) or type(path).open is not Path.open:
        return None
    target = os.path.realpath(path)
    try:
        return target if stat.S_ISREG(os.stat(target).st_mode) else None
    except FileNotFoundError:
        return target


def _mode_of(target: str) -> Optional[int]:
    """The permissions of the old file. PermissionError if they forbid to change it, which a rename would not heed."""
    try:
        mode = stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        return None
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    return mode


def _create_beside(target: str) -> IO[bytes]:
    """A new file, locked as long as its writer lives."""
    folder, name = os.path.split(target)
    prefix = f".{name[:50]}."  # (a name may be as long as the file system allows)
    _remove_litter(folder, prefix)
    while True:
        try:
            file = open(os.path.join(folder, f"{prefix}{os.urandom(8).hex()}.part"), "xb")
        except OSError as error:
            text = f"{error.strerror} (a file is written beside its old version, so the folder must be writable)"
            raise type(error)(error.errno, text, target) from None
        if fcntl is None:
            return file
        with suppress(OSError):  # (a file system without locks)
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process took it for litter before the lock


def _remove_litter(folder: str, prefix: str) -> None:
    """Remove what killed processes left of their saves of the same file."""
    litter = re.compile(re.escape(prefix) + r"[0-9a-f]{16}\.part")
    with suppress(OSError):
        for name in filter(litter.fullmatch, os.listdir(folder)):
            path = os.path.join(folder, name)
            with suppress(OSError):
                if fcntl is None:
                    os.remove(path)
                else:
                    with open(path, "rb") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        os.remove(path)


def _sync_folder(folder: str) -> None:
    """Make the rename outlast a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
