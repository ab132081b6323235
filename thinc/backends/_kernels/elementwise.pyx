# cython: language_level=3, binding=True
"""Activations, normalization and updates on the CPU; owns the kernel table, which the other modules cimport.

Over 500 lines: the wrappers of activations.hh, fused.hh and updates.hh, which share their checks.
"""
import os

cimport numpy as np
from cpython.pycapsule cimport PyCapsule_New
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memset

import numpy

np.import_array()


cdef extern from "thinc/table.hh" namespace "thinc" nogil:
    const KernelTable* kernels()
    const char* isa_name_ "thinc::isa_name"()
    bint isa_built(const char* isa)
    bint isa_supported(const char* isa)
    bint use_isa_ "thinc::use_isa"(const char* isa)
    const char* best_isa()
    int n_threads()
    void set_num_threads_ "thinc::set_num_threads"(int n) except +


cdef extern from *:
    """
    #define THINC_NAME(name, Act, n_params) #name,
    static const char* const thinc_activation_names[] = {THINC_ACTIVATIONS(THINC_NAME) 0};
    #define THINC_N_PARAMS(name, Act, n_params) n_params,
    static const int thinc_activation_params[] = {THINC_ACTIVATIONS(THINC_N_PARAMS) 0};
    """
    const char** thinc_activation_names
    const int* thinc_activation_params
    int THINC_N_ACTIVATIONS


cdef const KernelTable* table() noexcept nogil:
    return kernels()


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
    cppclass Arena "thinc::Arena":
        size_t bytes
        void empty()
    Arena thinc_arena "thinc::arena"
    void* thinc_memory
    np.ndarray thinc_new_array(int n_dims, np.npy_intp* shape, int typenum, int fortran, object handler)


cdef object MEMORY = PyCapsule_New(&thinc_memory, b"mem_handler", NULL)


cdef np.ndarray new_array(int n_dims, np.npy_intp* shape, int typenum, bint fortran=False):
    return thinc_new_array(n_dims, shape, typenum, fortran, MEMORY)


def alloc(shape, dtype, bint zeros):
    """numpy.zeros or numpy.empty, on a cache line."""
    cdef np.dtype wanted = numpy.dtype(dtype)
    cdef np.npy_intp dims[64]
    cdef int n_dims = 0
    if isinstance(shape, int):
        shape = (shape,)
    if isinstance(shape, tuple) and (np.PyDataType_ISNUMBER(wanted) or np.PyDataType_ISBOOL(wanted)) and wanted.isnative:
        for size in shape:
            if n_dims == 64 or size < 0:
                break
            dims[n_dims] = size
            n_dims += 1
        else:
            array = new_array(n_dims, dims, wanted.num)
            if zeros:
                memset(np.PyArray_DATA(array), 0, np.PyArray_NBYTES(array))
            return array
    return numpy.zeros(shape, dtype) if zeros else numpy.empty(shape, dtype)


def release_memory():
    """Give back the memory that this thread keeps for its next arrays; returns the number of bytes.

    A thread keeps what its arrays of 1 KiB and more occupied, 256 MiB at most and no array over 64 MiB. tracemalloc does
    not trace this memory.
    """
    cdef size_t kept = thinc_arena.bytes
    thinc_arena.empty()
    return kept


# ---- the CPU level

ISA_LEVELS = ("base", "avx2", "avx512")


def isa_levels():
    """The levels that this build has and this CPU can run, from the least to the most demanding."""
    return tuple(isa for isa in ISA_LEVELS if isa_supported(isa.encode()))


def isa_name():
    """The CPU level in use: "base", "avx2" or "avx512"."""
    return isa_name_().decode()


def use_isa(isa):
    """Switch every kernel of the process to a CPU level. ValueError if it is unknown or this CPU lacks it."""
    if not isinstance(isa, str) or isa not in ISA_LEVELS:
        raise ValueError(f"CPU level {isa!r} is unknown. Levels: {', '.join(ISA_LEVELS)}")
    if not isa_built(isa.encode()):
        raise ValueError(
            f"CPU level {isa!r} is not part of this build. Available here: {', '.join(isa_levels())}"
        )
    if not use_isa_(isa.encode()):
        raise ValueError(
            f"This CPU lacks the instructions of level {isa!r}. Available here: {', '.join(isa_levels())}"
        )


def get_num_threads():
    """The number of threads that large kernels share their work among."""
    return n_threads()


def set_num_threads(n):
    """Let large kernels share their work among n threads, at most one for each core this process may use; 1 at first.

    Results are the same bits for every n. Calls from several Python threads at once do not add up: one of them gets
    the threads, the others run alone. ValueError if n < 1.
    """
    if n < 1:
        raise ValueError(f"set_num_threads: expected at least 1 thread, got {n}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    set_num_threads_(min(int(n), cores))


def _start():
    requested = os.environ.get("THINC_ISA", "").strip().lower()
    use_isa_(best_isa())
    if requested:
        try:
            use_isa(requested)
        except ValueError as e:
            raise ImportError(f"The environment sets THINC_ISA={requested}. {e}") from None


_start()


# ---- activations

cdef int MAX_PARAMS = 8
cdef dict _INDEX = {
    thinc_activation_names[i].decode(): i for i in range(THINC_N_ACTIVATIONS)
}
ACTIVATIONS = tuple(_INDEX)


cdef int _read_params(int index, tuple params, double* out) except -1:
    cdef Py_ssize_t n = PyTuple_GET_SIZE(params)
    cdef Py_ssize_t i
    if n != thinc_activation_params[index]:
        raise ValueError(
            f"{thinc_activation_names[index].decode()} takes {thinc_activation_params[index]} parameters, got {n}"
        )
    for i in range(n):
        out[i] = <object>PyTuple_GET_ITEM(params, i)
    return 0


cdef inline bint _one_block(np.ndarray X):
    """The elements fill one block of memory, in C or Fortran order."""
    return np.PyArray_ISALIGNED(X) and (np.PyArray_IS_C_CONTIGUOUS(X) or np.PyArray_IS_F_CONTIGUOUS(X))


cdef inline bint _same_layout(np.ndarray X, np.ndarray Y):
    """Element i in memory is the same element of both (their shapes are equal)."""
    return np.PyArray_ISALIGNED(Y) and (
        (np.PyArray_IS_C_CONTIGUOUS(X) and np.PyArray_IS_C_CONTIGUOUS(Y))
        or (np.PyArray_IS_F_CONTIGUOUS(X) and np.PyArray_IS_F_CONTIGUOUS(Y))
    )


cdef object _incompatible(np.ndarray X, np.ndarray Y):
    return ValueError(
        f"arrays have incompatible shapes: {(<object>X).shape} and {(<object>Y).shape}"
    )


cdef _refuse_read_only(str name):
    raise ValueError(f"{name}: cannot work in place, the array is read-only. Pass inplace=False or a copy")


def forward(str name, X, tuple params, bint inplace):
    """Y = name(X), in X itself if `inplace`; None if the kernels do not cover X."""
    cdef const Kernels* k = kernels_for(X)
    index = _INDEX.get(name)
    if k is NULL or index is None:
        return None
    cdef np.ndarray source = X
    cdef np.ndarray target
    cdef double values[8]
    cdef forward_t kernel = k.forward[<int>index]
    _read_params(index, params, values)
    if inplace and not np.PyArray_ISWRITEABLE(source):
        _refuse_read_only(name)
    if not _one_block(source):
        source = contiguous(source)
    if inplace and source is X:
        target = source
    else:
        target = empty_like(source)
    cdef size_t n = np.PyArray_SIZE(source)
    cdef void* out = np.PyArray_DATA(target)
    cdef const void* x = np.PyArray_DATA(source)
    with nogil:
        kernel(out, x, n, values)
    if inplace and target is not X:
        np.PyArray_CopyInto(X, target)
        return X
    return target


def backward(str name, dY, X, Y, tuple params, bint inplace):
    """dX = name'(X) dY, in dY itself if `inplace`; X or Y is None if the formula does not read it.

    None if the kernels do not cover the arrays.
    """
    cdef const Kernels* k = kernels_for(dY)
    index = _INDEX.get(name)
    if k is NULL or index is None:
        return None
    cdef np.ndarray d = dY
    cdef np.ndarray x = d
    cdef np.ndarray y = d
    cdef np.ndarray target
    cdef double values[8]
    cdef backward_t kernel = k.backward[<int>index]
    _read_params(index, params, values)
    if X is not None:
        if kernels_for(X) is not k:
            return None
        x = X
        if not np.PyArray_SAMESHAPE(d, x):
            raise _incompatible(d, x)
    if Y is not None:
        if kernels_for(Y) is not k:
            return None
        y = Y
        if not np.PyArray_SAMESHAPE(d, y):
            raise _incompatible(d, y)
    if inplace and not np.PyArray_ISWRITEABLE(d):
        _refuse_read_only("backprop_" + name)
    if not (_one_block(d) and _same_layout(d, x) and _same_layout(d, y)):
        d = contiguous(d)
        x = contiguous(x)
        y = contiguous(y)
    if inplace and d is dY:
        target = d
    else:
        target = empty_like(d)
    cdef size_t n = np.PyArray_SIZE(d)
    cdef void* out = np.PyArray_DATA(target)
    cdef const void* dy_ = np.PyArray_DATA(d)
    cdef const void* x_ = np.PyArray_DATA(x)
    cdef const void* y_ = np.PyArray_DATA(y)
    with nogil:
        kernel(out, dy_, x_, y_, n, values)
    if inplace and target is not dY:
        np.PyArray_CopyInto(dY, target)
        return dY
    return target


# ---- normalization

cdef object _row_error(str name, str what, object expected, object got):
    return ValueError(f"{name}: expected {what} of shape {expected}, got {got}")


cdef int _check_row(str name, str what, np.ndarray v, np.npy_intp width) except -1:
    if np.PyArray_NDIM(v) != 1 or np.PyArray_DIM(v, 0) != width:
        raise _row_error(name, what, (width,), (<object>v).shape)
    return 0


def layer_norm(X, G, b, double eps):
    """-> (Y, mu, rstd); None if the kernels do not cover X."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or kernels_for(G) is not k or kernels_for(b) is not k:
        return None
    cdef np.ndarray X_ = X
    cdef np.ndarray G_ = G
    cdef np.ndarray b_ = b
    if np.PyArray_NDIM(X_) != 2:
        return None
    cdef size_t N = np.PyArray_DIM(X_, 0)
    cdef size_t I = np.PyArray_DIM(X_, 1)
    _check_row("layer_norm", "G", G_, I)
    _check_row("layer_norm", "b", b_, I)
    X_ = contiguous(X_)
    G_ = contiguous(G_)
    b_ = contiguous(b_)
    cdef np.ndarray Y = empty2(X_, N, I)
    cdef np.ndarray mu = empty1(X_, N)
    cdef np.ndarray rstd = empty1(X_, N)
    if N and I:
        with nogil:
            k.layer_norm(np.PyArray_DATA(Y), np.PyArray_DATA(mu), np.PyArray_DATA(rstd), np.PyArray_DATA(X_),
                         np.PyArray_DATA(G_), np.PyArray_DATA(b_), eps, N, I)
    return Y, mu, rstd


def backprop_layer_norm(dY, X, G, mu, rstd):
    """-> (dX, dG, db); None if the kernels do not cover the arrays."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or kernels_for(dY) is not k or kernels_for(G) is not k:
        return None
    cdef np.ndarray dY_ = dY
    cdef np.ndarray X_ = X
    cdef np.ndarray G_ = G
    cdef np.ndarray mu_ = mu
    cdef np.ndarray rstd_ = rstd
    if np.PyArray_NDIM(X_) != 2:
        return None
    if not np.PyArray_SAMESHAPE(dY_, X_):
        raise _incompatible(dY_, X_)
    cdef size_t N = np.PyArray_DIM(X_, 0)
    cdef size_t I = np.PyArray_DIM(X_, 1)
    _check_row("backprop_layer_norm", "G", G_, I)
    _check_row("backprop_layer_norm", "mu", mu_, N)
    _check_row("backprop_layer_norm", "rstd", rstd_, N)
    dY_ = contiguous(dY_)
    X_ = contiguous(X_)
    G_ = contiguous(G_)
    mu_ = like(mu_, X_)
    rstd_ = like(rstd_, X_)
    cdef np.npy_intp width = I
    cdef np.ndarray dX = empty2(X_, N, I)
    cdef np.ndarray dG = np.PyArray_ZEROS(1, &width, np.PyArray_TYPE(X_), 0)
    cdef np.ndarray db = np.PyArray_ZEROS(1, &width, np.PyArray_TYPE(X_), 0)
    if N and I:
        with nogil:
            k.backprop_layer_norm(np.PyArray_DATA(dX), np.PyArray_DATA(dG), np.PyArray_DATA(db), np.PyArray_DATA(dY_),
                                  np.PyArray_DATA(X_), np.PyArray_DATA(G_), np.PyArray_DATA(mu_),
                                  np.PyArray_DATA(rstd_), N, I)
    return dX, dG, db


def softmax(X, double temperature):
    """Softmax over the last axis; None if the kernels do not cover X."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>X) == 0:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef np.ndarray Y = empty_like(X_)
    cdef size_t O = np.PyArray_DIM(X_, np.PyArray_NDIM(X_) - 1)
    cdef size_t n = np.PyArray_SIZE(X_)
    if n:
        with nogil:
            k.softmax(np.PyArray_DATA(Y), np.PyArray_DATA(X_), 1.0 / temperature, n // O, O)
    return Y


def backprop_softmax(Y, dY, double temperature):
    """The gradient of softmax over the last axis; None if the kernels do not cover the arrays."""
    cdef const Kernels* k = kernels_for(Y)
    if k is NULL or kernels_for(dY) is not k or np.PyArray_NDIM(<np.ndarray>Y) == 0:
        return None
    cdef np.ndarray Y_ = Y
    cdef np.ndarray dY_ = dY
    if not np.PyArray_SAMESHAPE(Y_, dY_):
        raise _incompatible(Y_, dY_)
    Y_ = contiguous(Y_)
    dY_ = contiguous(dY_)
    cdef np.ndarray dX = empty_like(Y_)
    cdef size_t O = np.PyArray_DIM(Y_, np.PyArray_NDIM(Y_) - 1)
    cdef size_t n = np.PyArray_SIZE(Y_)
    if n:
        with nogil:
            k.backprop_softmax(np.PyArray_DATA(dX), np.PyArray_DATA(Y_), np.PyArray_DATA(dY_), 1.0 / temperature,
                               n // O, O)
    return dX


def backprop_cross_entropy(Y, classes, double right, double wrong, double scale):
    """Y (N, O), classes (N,) -> dX (N, O); None if the kernels do not cover the arrays or find a fault in them."""
    cdef const Kernels* k = kernels_for(Y)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>Y) != 2:
        return None
    cdef np.ndarray Y_ = contiguous(Y)
    cdef np.ndarray classes_ = as_int32(classes)
    cdef size_t N = np.PyArray_DIM(Y_, 0)
    cdef size_t O = np.PyArray_DIM(Y_, 1)
    if classes_ is None or np.PyArray_NDIM(classes_) != 1 or <size_t>np.PyArray_DIM(classes_, 0) != N:
        return None
    cdef np.ndarray dX = empty_like(Y_)
    cdef bad_t bad
    with nogil:
        bad = k.backprop_cross_entropy(np.PyArray_DATA(dX), np.PyArray_DATA(Y_),
                                       <const int32_t*>np.PyArray_DATA(classes_), right, wrong, scale, N, O)
    return dX if bad < 0 else None


def cosine_distance(Y, truths, double scale):
    """Y and truths (N, O) -> dY (N, O), cosines (N,); None if the kernels do not cover the arrays."""
    cdef const Kernels* k = kernels_for(Y)
    if k is NULL or kernels_for(truths) is not k or np.PyArray_NDIM(<np.ndarray>Y) != 2:
        return None
    if not np.PyArray_SAMESHAPE(<np.ndarray>Y, <np.ndarray>truths):
        return None
    cdef np.ndarray Y_ = contiguous(Y)
    cdef np.ndarray truths_ = contiguous(truths)
    cdef size_t N = np.PyArray_DIM(Y_, 0)
    cdef size_t O = np.PyArray_DIM(Y_, 1)
    cdef np.ndarray dY = empty_like(Y_)
    cdef np.ndarray cosines = empty1(Y_, N)
    with nogil:
        k.cosine_distance(np.PyArray_DATA(dY), np.PyArray_DATA(cosines), np.PyArray_DATA(Y_),
                          np.PyArray_DATA(truths_), scale, N, O)
    return dY, cosines


def l2_distance(Y, truths, double scale):
    """Y and truths of one shape -> dY, the sum of its squares; None if the kernels do not cover the arrays."""
    cdef const Kernels* k = kernels_for(Y)
    if k is NULL or kernels_for(truths) is not k or not np.PyArray_SAMESHAPE(<np.ndarray>Y, <np.ndarray>truths):
        return None
    cdef np.ndarray Y_ = contiguous(Y)
    cdef np.ndarray truths_ = contiguous(truths)
    cdef np.ndarray dY = empty_like(Y_)
    cdef double squares
    with nogil:
        squares = k.l2_distance(np.PyArray_DATA(dY), np.PyArray_DATA(Y_), np.PyArray_DATA(truths_), scale,
                                np.PyArray_SIZE(dY))
    return dY, (<object>dY).dtype.type(squares)


def sum_rows(X):
    """(N, O) -> (O,); None if the kernels do not cover X."""
    cdef const Kernels* k = kernels_for(X)
    if k is NULL or np.PyArray_NDIM(<np.ndarray>X) != 2:
        return None
    cdef np.ndarray X_ = contiguous(X)
    cdef size_t N = np.PyArray_DIM(X_, 0)
    cdef size_t O = np.PyArray_DIM(X_, 1)
    cdef np.ndarray sums = empty1(X_, O)
    with nogil:
        k.sum_rows(np.PyArray_DATA(sums), np.PyArray_DATA(X_), N, O)
    return sums


# ---- updates

cdef bint _updatable(const Kernels* k, object X):
    """X can be updated where it lies: our dtype, one C block, writeable."""
    return kernels_for(X) is k and np.PyArray_ISCARRAY(<np.ndarray>X)


cdef int _check_shapes(np.ndarray w, object other) except -1:
    if not np.PyArray_SAMESHAPE(w, <np.ndarray>other):
        raise _incompatible(w, other)
    return 0


def adam(weights, gradient, mom1, mom2, double beta1, double beta2, double eps, double learn_rate):
    """One Adam step in place, which zeroes the gradient. False if the kernels do not cover the arrays."""
    cdef const Kernels* k = kernels_for(weights)
    if k is NULL:
        return False
    for array in (weights, gradient, mom1, mom2):
        if not _updatable(k, array):
            return False
        _check_shapes(weights, array)
    cdef size_t n = np.PyArray_SIZE(weights)
    cdef void* w = np.PyArray_DATA(<np.ndarray>weights)
    cdef void* g = np.PyArray_DATA(<np.ndarray>gradient)
    cdef void* m = np.PyArray_DATA(<np.ndarray>mom1)
    cdef void* v = np.PyArray_DATA(<np.ndarray>mom2)
    with nogil:
        k.adam(w, g, m, v, beta1, beta2, eps, learn_rate, n)
    return True


def update_averages(ema, weights, double decay):
    """ema -= (1 - decay) (ema - weights) in place. False if the kernels do not cover the arrays."""
    cdef const Kernels* k = kernels_for(ema)
    if k is NULL or not _updatable(k, ema) or kernels_for(weights) is not k:
        return False
    _check_shapes(ema, weights)
    cdef np.ndarray w = contiguous(weights)
    cdef np.ndarray e = ema
    with nogil:
        k.update_averages(np.PyArray_DATA(e), np.PyArray_DATA(w), decay, np.PyArray_SIZE(e))
    return True


def clip_gradient(gradient, double threshold):
    """Scale to the norm `threshold` if the norm reaches it. False if the kernels do not cover the array."""
    cdef const Kernels* k = kernels_for(gradient)
    if k is NULL or not _updatable(k, gradient):
        return False
    cdef np.ndarray g = gradient
    cdef size_t n = np.PyArray_SIZE(g)
    cdef double norm
    with nogil:
        norm = k.sum_squares(np.PyArray_DATA(g), n) ** 0.5
        if norm >= threshold and norm > 0:
            k.scale(np.PyArray_DATA(g), threshold / norm, n)
    return True


cdef inline void* _updated(const Kernels* k, object X, size_t n) noexcept:
    """The data of an array of n elements that can be updated in place; NULL if it is not one."""
    if kernels_for(X) is k and _updatable(k, X) and <size_t>np.PyArray_SIZE(<np.ndarray>X) == n:
        return np.PyArray_DATA(<np.ndarray>X)
    return NULL


def update_all(list parameters, mom1, mom2, averages, nr_update, step_of, lazy_name):
    """optimizer_step of each (key, weights, gradient), whose arrays are in the dicts; averages may be None.

    step_of(number of the update) -> Step, which is made lazy for parameters of the name. Returns the parameters that the
    kernels do not cover or whose arrays are yet to be made; they are as before.
    """
    cdef list left = []
    cdef object key, weights, gradient, n, step, lazy_step
    cdef object last = None
    cdef object average = None
    cdef bint ready
    for key, weights, gradient in parameters:
        n = nr_update.get(key, 0) + 1
        if n != last:
            step = step_of(n)
            lazy_step = step._replace(lazy=True) if lazy_name is not None else None
            last = n
        if averages is not None:
            average = averages.get(key)
        ready = kernels_for(gradient) is not NULL and np.PyArray_SIZE(<np.ndarray>gradient) > 0
        ready = ready and (averages is None or average is not None)
        if ready and optimizer_step(weights, gradient, mom1.get(key), mom2.get(key), average,
                                    lazy_step if lazy_name is not None and key[1] == lazy_name else step):
            nr_update[key] = n
        else:
            left.append((key, weights, gradient))
    return left


cpdef bint optimizer_step(object weights, object gradient, object mom1, object mom2, object average,
                          object step) except -1:
    """See TrainingOps.optimizer_step. False if the kernels do not cover the arrays; nothing was changed then."""
    cdef const Kernels* k = kernels_for(weights)
    if k is NULL:
        return False
    cdef size_t n = np.PyArray_SIZE(<np.ndarray>weights)
    cdef size_t item = np.PyArray_ITEMSIZE(<np.ndarray>weights)
    cdef int kind
    cdef double grad_clip, L2, learn_rate, beta1, beta2, eps, weight_decay, rest
    cdef bint lazy
    kind, grad_clip, L2, learn_rate, beta1, beta2, eps, weight_decay, rest, lazy = step
    if isinstance(gradient, np.ndarray):
        _check_shapes(weights, gradient)
    cdef void* w = _updated(k, weights, n)
    cdef void* g = _updated(k, gradient, n)
    cdef void* m = NULL
    cdef void* v = NULL
    cdef void* ema = NULL
    if w is NULL or g is NULL or (grad_clip != 0 and L2 != 0):
        return False  # (the norm would be that of g + L2 w)
    if kind != 0:
        m = _updated(k, mom1, n)
        v = _updated(k, mom2, n)
        if m is NULL or v is NULL:
            return False
    if average is not None:
        ema = _updated(k, average, n)
        if ema is NULL:
            return False
    cdef size_t n_rows = 1  # steps of their own
    if lazy and np.PyArray_NDIM(<np.ndarray>weights) == 2:
        n_rows = np.PyArray_DIM(<np.ndarray>weights, 0)
    cdef double[9] settings
    cdef double norm
    settings[:] = [kind, 1.0, L2, learn_rate, beta1, beta2, eps, weight_decay, rest]
    with nogil:
        if grad_clip != 0:
            norm = k.sum_squares(g, n) ** 0.5
            if norm >= grad_clip and norm > 0:
                settings[1] = grad_clip / norm
        if n_rows == 1:
            k.optimizer_step(w, g, m, v, ema, n, settings)
        else:
            _step_rows(k, <char*>w, <char*>g, <char*>m, <char*>v, <char*>ema, n_rows, n // n_rows, item, settings)
    return True


cdef void _step_rows(const Kernels* k, char* w, char* g, char* m, char* v, char* ema, size_t n_rows, size_t width,
                     size_t item, const double* settings) noexcept nogil:
    """A step of each row that has a gradient."""
    cdef size_t row, at
    for row in range(n_rows):
        at = row * width * item
        if k.sum_squares(g + at, width) != 0:
            k.optimizer_step(w + at, g + at, m + at if m is not NULL else NULL, v + at if v is not NULL else NULL,
                             ema + at if ema is not NULL else NULL, width, settings)


def dropout_mask(shape, double drop, uint64_t seed):
    """A float32 mask of zeros and 1 / (1 - drop), from a counter-based generator; 0 < drop < 1."""
    cdef np.ndarray mask = alloc(shape, numpy.float32, False)
    with nogil:
        table().f32.dropout_mask(np.PyArray_DATA(mask), drop, seed, np.PyArray_SIZE(mask))
    return mask
