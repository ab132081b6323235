"""Arrays that end, or begin, at a page nobody may touch: one byte read or written outside kills the process."""

import ctypes
import mmap
from typing import Any

import numpy

PAGE = mmap.PAGESIZE
_NOBODY = 0  # PROT_NONE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded_bytes(n, at_end=True):
    """n bytes of memory as an array of bytes; the page behind them is shut, or the one before."""
    inside = max(-(-n // PAGE), 1) * PAGE
    block = mmap.mmap(-1, inside + 2 * PAGE)
    memory = numpy.frombuffer(block, dtype="uint8")
    start = memory.ctypes.data
    for page in (start, start + PAGE + inside):
        if _libc.mprotect(page, PAGE, _NOBODY):
            raise OSError(ctypes.get_errno(), "mprotect")
    first = PAGE + inside - n if at_end else PAGE
    return memory[first : first + n]  # keeps the mapping


def guarded(array, at_end=True):
    """A C-contiguous copy of the array in such memory."""
    copy = guarded_bytes(array.nbytes, at_end)[: array.nbytes].view(array.dtype)
    copy = copy.reshape(array.shape)
    copy[...] = array
    return copy


def was_killed(process: Any) -> bool:
    """Whether a process ended by a forbidden access: by the signal, or by what AddressSanitizer says of it."""
    return process.returncode < 0 or "AddressSanitizer: SEGV" in process.stderr
