# cython: language_level=3, binding=False
"""What must cost next to nothing, or must not be interrupted half-way: no signal is handled inside of this code."""

import cython
cimport numpy as np

from ._errors import note_backward

np.import_array()


@cython.final
@cython.freelist(8)
cdef class Backprop:
    """The callback of `begin_update`: what fails in it says in which layer.

    Layers inside of a tree call each other's callbacks directly, so that this is one call for the whole tree.
    """

    cdef object call, model, dtype
    cdef int ndim
    cdef Py_ssize_t[4] shape

    def __cinit__(self, call, model, Y):
        cdef int i
        self.call = call
        self.model = model
        self.ndim = -1
        if np.PyArray_Check(Y) and np.PyArray_NDIM(<np.ndarray>Y) <= 4:  # its shape and dtype, and not the array
            self.ndim = np.PyArray_NDIM(<np.ndarray>Y)
            for i in range(self.ndim):
                self.shape[i] = np.PyArray_DIM(<np.ndarray>Y, i)
            self.dtype = <object>np.PyArray_DESCR(<np.ndarray>Y)

    def __call__(self, *args, **kwargs):
        try:
            return self.call(*args, **kwargs) if kwargs else self.call(*args)
        except Exception as error:
            shape = tuple([self.shape[i] for i in range(self.ndim)]) if self.ndim >= 0 else None
            note_backward(error, self.model, args[0] if args else None, shape, self.dtype)
            raise

    def __getattr__(self, name):
        return getattr(self.call, name)


cdef close(context):
    """Let a generator end its block, if it has not."""
    generator = getattr(context, "gen", None)
    if generator is not None:
        generator.close()


@cython.final
cdef class Replaced:
    """Values of dicts replaced inside a block: all of them or, whatever is raised and when, none.

    Entries are (dict, key, value to use in the block). `contexts` are entered before the values are replaced, and left
    after the old ones are back; a context that is a generator is closed should its leaving be interrupted.
    """

    cdef list entries, contexts, old, entered

    def __cinit__(self, list entries, list contexts):
        self.entries = entries
        self.contexts = contexts
        self.old = []
        self.entered = []

    def __enter__(self):
        try:
            for context in self.contexts:
                context.__enter__()
                self.entered.append(context)
        except BaseException:
            close(context)
            try:
                self.leave(None, None, None)
            except BaseException:
                pass  # what was raised first counts
            raise
        for values, key, value in self.entries:
            self.old.append((values, key, values[key]))
            values[key] = value

    def __exit__(self, kind, value, trace):
        self.leave(kind, value, trace)
        return False

    cdef leave(self, kind, value, trace):
        cdef object error = None
        while self.old:
            values, key, before = self.old.pop()
            values[key] = before
        while self.entered:
            context = self.entered.pop()
            try:
                context.__exit__(kind, value, trace)
            except BaseException as raised:
                if raised is not value:
                    error = raised
                close(context)
        if error is not None:
            raise error
