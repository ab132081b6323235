# cython: language_level=3, binding=True
"""The CPU level and the threads of the kernels; owns their table, which the other modules cimport."""
import operator
import os


cdef extern from "thinc/table.hh" namespace "thinc" nogil:
    const KernelTable* kernels()
    const char* isa_name_ "thinc::isa_name"()
    bint isa_built(const char* isa)
    bint isa_supported(const char* isa)
    bint use_isa_ "thinc::use_isa"(const char* isa)
    const char* best_isa()
    int n_threads()
    void set_num_threads_ "thinc::set_num_threads"(int n) except +


cdef const KernelTable* table() noexcept nogil:
    return kernels()


ISA_LEVELS = ("base", "dotprod", "avx2", "avx2_vnni", "avx512", "avx512_vnni")


def built_levels():
    """The levels that this build has, whether or not this CPU can run them."""
    return tuple(isa for isa in ISA_LEVELS if isa_built(isa.encode()))


def isa_levels():
    """The levels that this build has and this CPU can run, from the least to the most demanding."""
    return tuple(isa for isa in ISA_LEVELS if isa_supported(isa.encode()))


def isa_name():
    """The CPU level in use: "base", "avx2", "avx512_vnni", ..."""
    return isa_name_().decode()


def use_isa(isa):
    """Switch every kernel of the process to a CPU level. ValueError if it is unknown or this CPU lacks it."""
    if not isinstance(isa, str) or isa not in ISA_LEVELS:
        raise ValueError(f"CPU level {isa!r} is unknown. Levels: {', '.join(ISA_LEVELS)}")
    if isa not in built_levels():
        raise ValueError(
            f"CPU level {isa!r} is not part of this build. Available here: {', '.join(isa_levels())}"
        )
    if not use_isa_(isa.encode()):
        raise ValueError(
            f"This CPU lacks the instructions of level {isa!r}. Available here: {', '.join(isa_levels())}"
        )


def get_num_threads():
    """The number of threads that large kernels share their work among.

    >>> get_num_threads()
    1
    """
    return n_threads()


def set_num_threads(n):
    """Let large kernels share their work among n threads, at most one for each core this process may use; 1 at first.

    Results are the same bits for every n. Calls from several Python threads at once do not add up: one of them gets
    the threads, the others run alone. Where the system has no more threads, work is done by those there are. A call
    waits for the kernel that uses the threads. ValueError if n < 1, TypeError if it is no integer.

    >>> set_num_threads(2)
    >>> get_num_threads() <= 2
    True
    >>> set_num_threads(1)
    """
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"set_num_threads: expected at least 1 thread, got {n}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    set_num_threads_(min(n, cores))


def _start():
    requested = os.environ.get("THINC_ISA", "").strip().lower()
    use_isa_(best_isa())
    if requested:
        try:
            use_isa(requested)
        except ValueError as e:
            raise ImportError(f"The environment sets THINC_ISA={requested}. {e}") from None


_start()
