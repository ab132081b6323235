"""The way from a compiled method back to the readable formula."""
from cpython.object cimport PyTypeObject


# Calls the readable formula of this name for these arguments, once each of them was found to be an array of numbers.
# `op` is what errors call it, if not by its name.
cdef object fallback(object self, str name, tuple args, dict kwargs=*, str op=*)


# A type that was found to replace none of some methods, in the version it had then.
cdef struct Seen:
    PyTypeObject* type
    unsigned int version


# Whether the class of self has other methods in place of these compiled ones, so that they must be asked.
cdef bint replaced(object self, Seen* seen, tuple names) except -1
