"""The CUDA kernels, compiled by g++ over cuda_emulation.hh, and CupyOps over them with NumPy for an array module.

What this leaves unchecked: the launches themselves, CuPy's own functions, and what only a GPU does (its
arithmetic, races between blocks, speed).
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy

from tests.shared import ROOT
from thinc.backends import CupyOps
from thinc.backends._kernels import cuda

LAUNCHED = set()  # the names of all kernels that ran
HEADER = Path(__file__).with_name("cuda_emulation.hh")
COMPILER = shutil.which("g++")
FOLDER = ROOT / "build" / "emulation"
KERNEL = re.compile(r'extern "C" *void (\w+)\(([^)]*)\) *\{')


def compiled(source):
    """A library with a function emulate_NAME(grid, block, arguments...) for each kernel."""
    flags = [
        "-std=c++17",
        "-O1",
        "-fPIC",
        "-w",
        "-DTHINC_ISA=cuda",
        *os.environ.get("THINC_EMULATION_FLAGS", "").split(),
    ]
    text = f'#include "{HEADER}"\n{source}'
    key = hashlib.sha256(f"{flags}{HEADER.read_text()}{source}".encode()).hexdigest()[:16]
    library = FOLDER / f"kernels-{key}.so"
    if not library.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        expanded = subprocess.run(
            [COMPILER, *flags, "-E", "-P", "-x", "c++", "-"], input=text, check=True, capture_output=True, text=True
        ).stdout
        wrappers = []
        for name, params in KERNEL.findall(expanded):
            names = [re.search(r"(\w+)$", param.strip()).group(1) for param in params.split(",")]
            wrappers.append(
                f'extern "C" void emulate_{name}(unsigned grid, unsigned block, {params}) '
                f"{{ emulation::run(grid, block, [&] {{ {name}({', '.join(names)}); }}); }}"
            )
        command = [COMPILER, *flags, "-shared", "-x", "c++", "-", "-o", f"{library}.part"]
        subprocess.run(command, input=text + "\n".join(wrappers), check=True, text=True)
        os.replace(f"{library}.part", library)
    return ctypes.CDLL(str(library))


def kernels(library):
    """What stands in for cuda.get_kernel: name -> kernel(grid, block, arguments)."""

    def get_kernel(name):
        LAUNCHED.add(name)
        function = getattr(library, f"emulate_{name}")

        def kernel(grid, block, args):
            assert block[0] % 32 == 0 and block[0] <= 1024
            function(ctypes.c_uint(grid[0]), ctypes.c_uint(block[0]), *map(convert, args))

        return kernel

    return get_kernel


def convert(arg):
    if isinstance(arg, numpy.ndarray):
        # As the real kernels do, they take a pointer for granted to be that of one block.
        assert arg.flags.c_contiguous
        return ctypes.c_void_p(arg.ctypes.data)
    if isinstance(arg, float):
        return ctypes.c_double(arg)
    return ctypes.c_longlong(int(arg))


class EmulatedOps(CupyOps):
    """CupyOps with NumPy in place of CuPy."""

    name = "emulated"
    xp = numpy

    def to_numpy(self, data, *, byte_order=None):
        return super(CupyOps, self).to_numpy(data, byte_order=byte_order)

    def asarray(self, data, dtype=None):
        return numpy.asarray(data, dtype=dtype)


@contextmanager
def emulated(source=None):
    """Ops whose kernels run on the CPU; `source` in place of the real one."""
    get_kernel = cuda.get_kernel
    cuda.get_kernel = kernels(compiled(source or cuda.source()))
    try:
        yield EmulatedOps()
    finally:
        cuda.get_kernel = get_kernel
