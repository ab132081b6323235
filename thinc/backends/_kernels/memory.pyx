# cython: language_level=3, binding=True
# distutils: define_macros=NPY_TARGET_VERSION=NPY_1_22_API_VERSION
"""The memory of arrays: on cache lines, in what their thread keeps (arena.hh).

An array owns it through the field `mem_handler`, which NumPy has since 1.22: older target versions hide it.
"""
cimport numpy as np
from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memset

from .readable cimport fallback

import numpy

np.import_array()


cdef extern from *:
    """
    #include "arena.hh"

    static void* thinc_malloc(void*, size_t bytes) { return thinc::arena_take(bytes); }
    static void thinc_free(void*, void* data, size_t) { thinc::arena_give(data); }
    static void* thinc_calloc(void*, size_t n, size_t bytes) {
      void* data = bytes && n > SIZE_MAX / bytes ? NULL : thinc::arena_take(n * bytes);
      return data ? memset(data, 0, n * bytes) : NULL;
    }
    static void* thinc_realloc(void*, void* data, size_t bytes) {
      void* moved = thinc::arena_take(bytes);
      if (moved && data) {
        const size_t held = thinc::Block::of(data)->bytes() - thinc::arena_line;
        memcpy(moved, data, held < bytes ? held : bytes);
        thinc::arena_give(data);
      }
      return moved;
    }
    static PyDataMem_Handler thinc_memory = {
        "thinc", 1, {NULL, thinc_malloc, thinc_calloc, thinc_realloc, thinc_free}};

    static PyObject* thinc_new_array(int n_dims, npy_intp* shape, int typenum, int fortran, PyObject* handler) {
      enum { small = 1024 };  // bytes; below, NumPy keeps memory itself
      PyArray_Descr* dtype = PyArray_DescrFromType(typenum);
      size_t bytes = (size_t)PyDataType_ELSIZE(dtype);
      Py_DECREF(dtype);
      for (int d = 0; d < n_dims; ++d) {
        if (shape[d] < 0 || (shape[d] && bytes > SIZE_MAX / (size_t)shape[d])) {
          bytes = 0;  // NumPy has the error
          break;
        }
        bytes *= (size_t)shape[d];
      }
      if (bytes < small) return PyArray_EMPTY(n_dims, shape, typenum, fortran);
      void* data = thinc::arena_take(bytes);
      if (!data) return PyErr_Format(PyExc_MemoryError, "Unable to allocate %zu bytes for an array", bytes);
      PyObject* array = PyArray_New(&PyArray_Type, n_dims, shape, typenum, NULL, data, 0,
                                    fortran ? NPY_ARRAY_FARRAY : NPY_ARRAY_CARRAY, NULL);
      if (!array) {
        thinc::arena_give(data);
        return NULL;
      }
      // The array owns it, as if NumPy had asked thinc_memory.
      Py_INCREF(handler);
      ((PyArrayObject_fields*)array)->mem_handler = handler;
      PyArray_ENABLEFLAGS((PyArrayObject*)array, NPY_ARRAY_OWNDATA);
      return array;
    }
    """
    size_t arena_release_all "thinc::arena_release_all"()
    void* thinc_memory
    np.ndarray thinc_new_array(int n_dims, np.npy_intp* shape, int typenum, int fortran, object handler)


cdef object MEMORY = PyCapsule_New(&thinc_memory, b"mem_handler", NULL)


cdef np.ndarray new_array(int n_dims, np.npy_intp* shape, int typenum, bint fortran=False):
    return thinc_new_array(n_dims, shape, typenum, fortran, MEMORY)


def alloc(self, shape, *, dtype="float32", bint zeros=True):
    cdef np.dtype wanted = numpy.dtype(dtype)
    cdef np.npy_intp dims[64]
    cdef int n_dims = 0
    cdef np.ndarray array
    sizes = (shape,) if isinstance(shape, int) else shape
    if isinstance(sizes, tuple) and (np.PyDataType_ISNUMBER(wanted) or np.PyDataType_ISBOOL(wanted)) and wanted.isnative:
        for size in sizes:
            if n_dims == 64 or size < 0:
                break
            dims[n_dims] = size
            n_dims += 1
        else:
            array = new_array(n_dims, dims, wanted.num)
            if zeros:
                memset(np.PyArray_DATA(array), 0, np.PyArray_NBYTES(array))
            return array
    return fallback(self, "alloc", (shape,), {"dtype": dtype, "zeros": zeros})


def release_memory():
    """Give back the memory that threads keep for their next arrays; returns the number of bytes.

    A thread keeps what its arrays of 1 KiB and more occupied, but no array over 64 MiB, and all threads together
    256 MiB at most. What a thread keeps goes back when it ends. tracemalloc does not trace this memory.

    >>> X = NumpyOps().alloc2f(100, 100)
    >>> del X
    >>> release_memory() >= 4 * 100 * 100
    True
    >>> release_memory()
    0
    """
    return arena_release_all()
