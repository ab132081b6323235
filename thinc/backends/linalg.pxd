# cython: cdivision=True
# Loops over C arrays of float, for compiled code that holds no Python array.
#
# Every method is static, needs no GIL, raises nothing and checks nothing. The bodies stand here so that
# a consumer compiles (and its compiler inlines) its own copy; the same functions also fill the vtables of
# the types, in the order of declaration: do not reorder, insert or rename. A name that ends in `_i` works
# in place on its first argument.
from cymem.cymem cimport Pool
from libc.stdint cimport int32_t
from libc.string cimport memcpy, memset

ctypedef float weight_t


cdef extern from "math.h" nogil:
    weight_t exp "expf"(weight_t x)
    weight_t sqrt "sqrtf"(weight_t x)
    weight_t _pow "powf"(weight_t x, weight_t y)


cdef class Matrix:
    cdef Pool mem
    cdef weight_t* data
    cdef int32_t nr_row
    cdef int32_t nr_col


cdef class Vec:
    # The first maximum; but of two classes the second unless the first is greater, so that NaN and
    # a tie give 1. Parsers' stored models depend on it.
    @staticmethod
    cdef inline int arg_max(const weight_t* scores, const int n_classes) noexcept nogil:
        if n_classes == 2:
            return 0 if scores[0] > scores[1] else 1
        cdef int best = 0
        cdef int i
        for i in range(1, n_classes):
            if scores[i] > scores[best]:
                best = i
        return best

    @staticmethod
    cdef inline weight_t max(const weight_t* x, int32_t nr) noexcept nogil:
        if nr == 0:
            return 0
        cdef weight_t best = x[0]
        cdef int32_t i
        for i in range(1, nr):
            if x[i] > best:
                best = x[i]
        return best

    @staticmethod
    cdef inline weight_t sum(const weight_t* vec, int32_t nr) noexcept nogil:
        cdef weight_t total = 0
        cdef int32_t i
        for i in range(nr):
            total += vec[i]
        return total

    @staticmethod
    cdef inline weight_t norm(const weight_t* vec, int32_t nr) noexcept nogil:
        cdef weight_t total = 0
        cdef int32_t i
        for i in range(nr):
            total += vec[i] * vec[i]
        return sqrt(total)

    @staticmethod
    cdef inline void add(weight_t* output, const weight_t* x, weight_t inc,
                         int32_t nr) noexcept nogil:
        memcpy(output, x, sizeof(weight_t) * nr)
        Vec.add_i(output, inc, nr)

    @staticmethod
    cdef inline void add_i(weight_t* vec, weight_t inc, int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            vec[i] += inc

    @staticmethod
    cdef inline void mul(weight_t* output, const weight_t* vec, weight_t scal,
                         int32_t nr) noexcept nogil:
        memcpy(output, vec, sizeof(weight_t) * nr)
        Vec.mul_i(output, scal, nr)

    @staticmethod
    cdef inline void mul_i(weight_t* vec, weight_t scal, int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            vec[i] *= scal

    @staticmethod
    cdef inline void pow(weight_t* output, const weight_t* vec, weight_t scal,
                         int32_t nr) noexcept nogil:
        memcpy(output, vec, sizeof(weight_t) * nr)
        Vec.pow_i(output, scal, nr)

    @staticmethod
    cdef inline void pow_i(weight_t* vec, const weight_t scal, int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            vec[i] = _pow(vec[i], scal)

    @staticmethod
    cdef inline void div(weight_t* output, const weight_t* vec, weight_t scal,
                         int32_t nr) noexcept nogil:
        memcpy(output, vec, sizeof(weight_t) * nr)
        Vec.div_i(output, scal, nr)

    @staticmethod
    cdef inline void div_i(weight_t* vec, const weight_t scal, int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            vec[i] /= scal

    @staticmethod
    cdef inline void exp(weight_t* output, const weight_t* vec, int32_t nr) noexcept nogil:
        memcpy(output, vec, sizeof(weight_t) * nr)
        Vec.exp_i(output, nr)

    @staticmethod
    cdef inline void exp_i(weight_t* vec, int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            vec[i] = exp(vec[i])

    @staticmethod
    cdef inline void reciprocal_i(weight_t* vec, int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            vec[i] = 1 / vec[i]

    @staticmethod
    cdef inline weight_t mean(const weight_t* X, int32_t nr_dim) noexcept nogil:
        return Vec.sum(X, nr_dim) / <weight_t>nr_dim

    # Population variance by Welford's running update (1962), in double.
    @staticmethod
    cdef inline weight_t variance(const weight_t* X, int32_t nr_dim) noexcept nogil:
        cdef double mean = 0
        cdef double squares = 0
        cdef double delta
        cdef int32_t i
        for i in range(nr_dim):
            delta = X[i] - mean
            mean += delta / <double>(i + 1)
            squares += delta * (X[i] - mean)
        return <weight_t>(squares / <double>nr_dim)


cdef class VecVec:
    @staticmethod
    cdef inline void add(weight_t* output, const weight_t* x, const weight_t* y,
                         weight_t scale, int32_t nr) noexcept nogil:
        memcpy(output, x, sizeof(weight_t) * nr)
        VecVec.add_i(output, y, scale, nr)

    @staticmethod
    cdef inline void add_i(weight_t* x, const weight_t* y, weight_t scale,
                           int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            x[i] += y[i] * scale

    # y holds nr_batch rows of nr values; all of them are added to the one row x.
    @staticmethod
    cdef inline void batch_add_i(weight_t* x, const weight_t* y, weight_t scale,
                                 int32_t nr, int32_t nr_batch) noexcept nogil:
        cdef int32_t b
        for b in range(nr_batch):
            VecVec.add_i(x, y, scale, nr)
            y += nr

    @staticmethod
    cdef inline void add_pow(weight_t* output, const weight_t* x, const weight_t* y,
                             weight_t power, int32_t nr) noexcept nogil:
        memcpy(output, x, sizeof(weight_t) * nr)
        VecVec.add_pow_i(output, y, power, nr)

    @staticmethod
    cdef inline void add_pow_i(weight_t* x, const weight_t* y, weight_t power,
                               int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            x[i] += _pow(y[i], power)

    @staticmethod
    cdef inline void mul(weight_t* output, const weight_t* x, const weight_t* y,
                         int32_t nr) noexcept nogil:
        memcpy(output, x, sizeof(weight_t) * nr)
        VecVec.mul_i(output, y, nr)

    @staticmethod
    cdef inline void mul_i(weight_t* x, const weight_t* y, int32_t nr) noexcept nogil:
        cdef int32_t i
        for i in range(nr):
            x[i] *= y[i]

    @staticmethod
    cdef inline weight_t dot(const weight_t* x, const weight_t* y, int32_t nr) noexcept nogil:
        cdef weight_t total = 0
        cdef int32_t i
        for i in range(nr):
            total += x[i] * y[i]
        return total

    # The first best class among those that are valid; -1 when none is.
    @staticmethod
    cdef inline int arg_max_if_true(const weight_t* scores, const int* is_valid,
                                    const int n_classes) noexcept nogil:
        cdef int best = -1
        cdef int i
        for i in range(n_classes):
            if is_valid[i] and (best == -1 or scores[i] > scores[best]):
                best = i
        return best

    # The first best class among those that cost nothing; -1 when none does.
    @staticmethod
    cdef inline int arg_max_if_zero(const weight_t* scores, const weight_t* costs,
                                    const int n_classes) noexcept nogil:
        cdef int best = -1
        cdef int i
        for i in range(n_classes):
            if costs[i] == 0 and (best == -1 or scores[i] > scores[best]):
                best = i
        return best


cdef class Mat:
    # Ex (nr_col,): the mean of each column of mat (nr_row, nr_col).
    @staticmethod
    cdef inline void mean_row(weight_t* Ex, const weight_t* mat, int32_t nr_row,
                              int32_t nr_col) noexcept nogil:
        memset(Ex, 0, sizeof(weight_t) * nr_col)
        VecVec.batch_add_i(Ex, mat, 1, nr_col, nr_row)
        Vec.div_i(Ex, <weight_t>nr_row, nr_col)

    # Vx (nr_col,): the variance of each column plus eps. With D = x - Ex it is
    # (sum D^2 - (sum D)^2 / N) / N: the second term repairs the rounding of Ex.
    @staticmethod
    cdef inline void var_row(weight_t* Vx, const weight_t* mat, const weight_t* Ex,
                             int32_t nr_row, int32_t nr_col, weight_t eps) noexcept nogil:
        if nr_row == 0 or nr_col == 0:
            return
        cdef weight_t rows = <weight_t>nr_row
        cdef weight_t total, squares, d
        cdef int32_t row, col
        for col in range(nr_col):
            total = 0
            squares = 0
            for row in range(nr_row):
                d = mat[row * nr_col + col] - Ex[col]
                total += d
                squares += d * d
            Vx[col] = (squares - total * total / rows) / rows + eps
