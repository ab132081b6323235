"""Static C functions over float arrays, for code that cimports them.

The bodies are in linalg.pxd. To Python the four types are empty: they carry the vtables that
compiled clients such as spaCy look for at import.
"""


cdef class Matrix:
    """A row-major float matrix: data (nr_row, nr_col), owned by the pool `mem`."""


cdef class Vec:
    """Functions of one vector."""


cdef class VecVec:
    """Functions of two vectors."""


cdef class Mat:
    """Functions of a row-major matrix."""
