# What another package may write against the installed headers; compiled by test_c_interfaces.py.
cimport numpy as np
from cymem.cymem cimport Pool
from libc.stdint cimport int32_t

from thinc.backends.cblas cimport CBlas, daxpy, saxpy, set_saxpy, sgemm
from thinc.backends.linalg cimport Vec, VecVec
from thinc.backends.numpy_ops cimport axpy, reals2d_ft, reals3d_ft
from thinc.backends cimport numpy_ops as kernels
from thinc.extra.search cimport Beam, class_t

import numpy

np.import_array()

ctypedef fused real:
    float
    double


def matmul(CBlas cblas, float[:, ::1] A, float[:, ::1] B):
    cdef float[:, ::1] C = numpy.full((A.shape[0], B.shape[1]), numpy.nan, dtype="f4")
    with nogil:
        sgemm(cblas)(False, False, A.shape[0], B.shape[1], A.shape[1], 1.0,
                     &A[0, 0], A.shape[1], &B[0, 0], B.shape[1], 0.0, &C[0, 0], C.shape[1])
    return numpy.asarray(C)


def add(CBlas cblas, float[::1] x, float[::1] y):
    with nogil:
        saxpy(cblas)(x.shape[0], 1.0, &x[0], 1, &y[0], 1)
    return numpy.asarray(y)


cdef void overwrite(int N, float alpha, const float* X, int incX, float* Y,
                    int incY) noexcept nogil:
    cdef int i
    for i in range(N):
        Y[i * incY] = -alpha


def replace_saxpy(CBlas cblas):
    set_saxpy(cblas, overwrite)


def arg_max(float[::1] scores):
    return Vec.arg_max(&scores[0], scores.shape[0])


def vec_add(float[::1] x, float[::1] y, float scale):
    VecVec.add_i(&x[0], &y[0], scale, x.shape[0])
    return numpy.asarray(x)


def _like(array, shape, dtype=None):
    return numpy.zeros(shape, dtype=dtype or numpy.asarray(array).dtype)


def maxout(reals3d_ft X):
    cdef int B = X.shape[0], O = X.shape[1], P = X.shape[2]
    best_ = _like(X, (B, O))
    cdef int[:, ::1] which = _like(X, (B, O), "i4")
    if reals3d_ft is kernels.float3d_t:
        kernels.cpu_maxout(<float*>np.PyArray_DATA(best_), &which[0, 0], &X[0, 0, 0], B, O, P)
    else:
        kernels.cpu_maxout(<double*>np.PyArray_DATA(best_), &which[0, 0], &X[0, 0, 0], B, O, P)
    return best_, numpy.asarray(which)


def backprop_maxout(real[:, ::1] dY, int[:, ::1] which, int P):
    cdef real[:, :, ::1] dX = _like(dY, (dY.shape[0], dY.shape[1], P))
    kernels.cpu_backprop_maxout(&dX[0, 0, 0], &dY[0, 0], &which[0, 0], <int>dY.shape[0],
                                <int>dY.shape[1], P)
    return numpy.asarray(dX)


def reduce_max(real[:, ::1] X, int[::1] lengths):
    cdef int B = lengths.shape[0], T = X.shape[0], O = X.shape[1]
    cdef real[:, ::1] maxes = _like(X, (B, O))
    cdef int[:, ::1] which = _like(X, (B, O), "i4")
    kernels.cpu_reduce_max(&maxes[0, 0], &which[0, 0], &X[0, 0], &lengths[0], B, T, O)
    return numpy.asarray(maxes), numpy.asarray(which)


def backprop_reduce_max(real[:, ::1] d_maxes, int[:, ::1] which, int[::1] lengths, int T):
    cdef int B = lengths.shape[0], O = d_maxes.shape[1]
    cdef real[:, ::1] dX = _like(d_maxes, (T, O))
    kernels.cpu_backprop_reduce_max(&dX[0, 0], &d_maxes[0, 0], &which[0, 0], &lengths[0], B,
                                    T, O)
    return numpy.asarray(dX)


def reduce_sum(real[:, ::1] X, int[::1] lengths):
    cdef int B = lengths.shape[0], T = X.shape[0], O = X.shape[1]
    cdef real[:, ::1] sums = _like(X, (B, O))
    kernels.cpu_reduce_sum(&sums[0, 0], &X[0, 0], &lengths[0], B, T, O)
    return numpy.asarray(sums)


def backprop_reduce_sum(real[:, ::1] d_sums, int[::1] lengths, int T):
    cdef int B = lengths.shape[0], O = d_sums.shape[1]
    cdef real[:, ::1] dX = _like(d_sums, (T, O))
    kernels.cpu_backprop_reduce_sum(&dX[0, 0], &d_sums[0, 0], &lengths[0], B, T, O)
    return numpy.asarray(dX)


def reduce_mean(real[:, ::1] X, int[::1] lengths):
    cdef int B = lengths.shape[0], T = X.shape[0], O = X.shape[1]
    cdef real[:, ::1] means = _like(X, (B, O))
    kernels.cpu_reduce_mean(&means[0, 0], &X[0, 0], &lengths[0], B, T, O)
    return numpy.asarray(means)


def backprop_reduce_mean(real[:, ::1] d_means, int[::1] lengths, int T):
    cdef int B = lengths.shape[0], O = d_means.shape[1]
    cdef real[:, ::1] dX = _like(d_means, (T, O))
    kernels.cpu_backprop_reduce_mean(&dX[0, 0], &d_means[0, 0], &lengths[0], B, T, O)
    return numpy.asarray(dX)


def mish(real[::1] X, real threshold):
    cdef real[::1] Y = X.copy()
    kernels.cpu_mish(&Y[0], <int>Y.shape[0], threshold)
    return numpy.asarray(Y)


def backprop_mish(real[::1] dY, real[::1] X, real threshold):
    cdef real[::1] dX = dY.copy()
    kernels.cpu_backprop_mish(&dX[0], &X[0], <int>X.shape[0], threshold)
    return numpy.asarray(dX)


def relu(real[::1] X):
    cdef real[::1] Y = X.copy()
    kernels.cpu_relu(&Y[0], <int>Y.shape[0])
    return numpy.asarray(Y)


def seq2col(real[:, ::1] X, int[::1] lengths, int nW):
    cdef int B = X.shape[0], I = X.shape[1], nL = lengths.shape[0]
    cdef real[:, ::1] cols = _like(X, (B, I * (2 * nW + 1)))
    kernels.seq2col(&cols[0, 0], &X[0, 0], &lengths[0], nW, B, I, nL)
    return numpy.asarray(cols)


def backprop_seq2col(real[:, ::1] d_cols, int[::1] lengths, int nW):
    cdef int B = d_cols.shape[0], nL = lengths.shape[0]
    cdef int I = d_cols.shape[1] // (2 * nW + 1)
    cdef real[:, ::1] d_seqs = _like(d_cols, (B, I))
    kernels.backprop_seq2col(&d_seqs[0, 0], &d_cols[0, 0], &lengths[0], B, I, nW, nL)
    return numpy.asarray(d_seqs)


def gather_add(real[:, ::1] table, int[:, ::1] indices):
    cdef int T = table.shape[0], O = table.shape[1]
    cdef int B = indices.shape[0], K = indices.shape[1]
    cdef real[:, ::1] out = _like(table, (B, O))
    cdef CBlas cblas = CBlas()
    if real is float:
        kernels.cpu_gather_add[float, int, int](saxpy(cblas), &out[0, 0], &table[0, 0],
                                                &indices[0, 0], T, O, B, K)
    else:
        kernels.cpu_gather_add[double, int, int](daxpy(cblas), &out[0, 0], &table[0, 0],
                                                 &indices[0, 0], T, O, B, K)
    return numpy.asarray(out)


# A state counts the transitions that led to it.
cdef void* _init(Pool mem, int n, void* extra) except NULL:
    return mem.alloc(1, sizeof(int32_t))


cdef int _delete(Pool mem, void* state, void* extra) except -1:
    mem.free(state)
    return 0


cdef int deleted = 0


cdef void* _init_some(Pool mem, int n, void* left) except NULL:
    if (<int*>left)[0] == 0:
        raise KeyError("refused")
    (<int*>left)[0] -= 1
    return _init(mem, n, NULL)


cdef int _count_deleted(Pool mem, void* state, void* extra) except -1:
    global deleted
    deleted += 1
    return _delete(mem, state, extra)


def initialize(int limit):
    """How many states are deleted of a beam that could make so many."""
    global deleted
    cdef Beam beam = Beam(3, 2)
    deleted = 0
    try:
        beam.initialize(_init_some, _count_deleted, 3, &limit)
    except KeyError:
        beam = None
    return deleted


cdef int _step(void* dest, void* src, class_t clas, void* refuse) except -1:
    if refuse != NULL:
        raise KeyError("refused")
    (<int32_t*>dest)[0] = (<int32_t*>src)[0] + 1
    return 0


cdef int _at_end(void* state, void* length) except -1:
    return (<int32_t*>state)[0] >= (<int*>length)[0]


def search(float[:, ::1] scores, int width, bint refuse=False):
    cdef int length = scores.shape[0], nr_class = scores.shape[1]
    cdef int i, j, t
    cdef Beam beam = Beam(nr_class, width)
    beam.initialize(_init, _delete, length, NULL)
    while not beam.is_done:
        for i in range(beam.size):
            t = (<int32_t*>beam.at(i))[0]
            for j in range(nr_class):
                beam.set_cell(i, j, scores[t, j], 1, 0)
        beam.advance(_step, NULL, &length if refuse else NULL)
        beam.check_done(_at_end, &length)
    return beam.histories[:beam.size], (<object>beam).scores
