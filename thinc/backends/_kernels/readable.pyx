# cython: language_level=3, binding=True
"""The way from a compiled method back to the readable formula.

A method of `NumpyOps` is a compiled function of this package. Its readable formula is the method of that name in the
first class behind it, in the order of resolution, that is not one of ours: so what a package puts between or above is
respected.
"""
cimport numpy as np

import inspect
import re

np.import_array()

HOME = __name__.rpartition(".")[0] + "."
# (class, method) -> version of the class, readable formula, what it says of its arrays
cdef dict _FOUND = {}


cdef extern from *:
    """
    // Changes whenever the class or a base of it does; 0: not known.
    static unsigned int thinc_version(PyTypeObject* type) { return type->tp_version_tag; }
    """
    unsigned int version_of "thinc_version"(PyTypeObject* type) noexcept
    PyTypeObject* Py_TYPE(object instance) noexcept


cdef bint is_compiled(object method) noexcept:
    return (getattr(method, "__module__", None) or "").startswith(HOME)


cdef tuple find(type cls, str name):
    """The readable formula of a method, and its array parameters."""
    passed = False
    for base in cls.__mro__:
        method = base.__dict__.get(name)
        if method is None:
            continue
        if is_compiled(method):
            passed = True
        elif passed:
            return method, arrays_of(method)
    raise TypeError(f"{cls.__name__}.{name} has no readable formula behind it: expected a subclass of Ops")


cdef list arrays_of(object method):
    """(position, name, is it of floats, may it be None) of the parameters that are annotated as arrays."""
    found = []
    for position, parameter in enumerate(list(inspect.signature(method).parameters.values())[1:]):
        text = str(parameter.annotation)
        kind = re.search(r"\b(Floats|Ints|Array)(T|Xd|XdT|\dd)\b", text)
        if kind and not re.search("List|Sequence", text) and parameter.kind is not parameter.KEYWORD_ONLY:
            found.append((position, parameter.name, kind.group(1) == "Floats", "Optional" in text or "None" in text))
    return found


cdef object fallback(object self, str name, tuple args, dict kwargs=None, str op=None):
    cls = type(self)
    version = version_of(Py_TYPE(self))
    found = _FOUND.get((cls, name))
    if found is None or found[0] != version or version == 0:
        found = _FOUND[cls, name] = (version, *find(cls, name))
    for position, parameter, floats, optional in found[2]:
        if not (optional and args[position] is None):
            check(op or name, parameter, args[position], floats)
    return found[1](self, *args, **(kwargs or {}))


cdef int check(str op, str parameter, object value, bint floats) except -1:
    if not isinstance(value, np.ndarray):
        if value is None:
            raise TypeError(f"{op}: expected {parameter} to be a numpy array, got None")
        kind = type(value)
        raise TypeError(
            f"{op}: expected {parameter} to be a numpy array, got {kind.__module__}.{kind.__name__}. "
            "Convert it with ops.asarray"
        )
    if floats and value.dtype.kind not in "fiub":
        raise TypeError(
            f"{op}: expected {parameter} to be an array of floats, got one of {value.dtype}. "
            f"Convert it with {parameter}.astype('float32')"
        )
    return 0


cdef bint replaced(object self, Seen* seen, tuple names) except -1:
    cdef PyTypeObject* cls = Py_TYPE(self)
    if seen.type is cls and seen.version == version_of(cls) and seen.version != 0:
        return False
    for name in names:
        if not is_compiled(getattr(type(self), name)):
            return True
    seen.type = cls
    seen.version = version_of(cls)
    return False
