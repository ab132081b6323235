"""Cython's view of include/thinc/table.hh."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

ctypedef int64_t bad_t


cdef extern from "thinc/table.hh" namespace "thinc" nogil:
    ctypedef void (*forward_t)(void*, const void*, size_t, const double*) noexcept nogil
    ctypedef void (*backward_t)(
        void*, const void*, const void*, const void*, size_t, const double*
    ) noexcept nogil

    cdef struct WeightKernels:
        void (*affine)(void* Y, const void* X, const void* W, const void* b, size_t N, size_t I, size_t O) noexcept nogil
        void (*add_product)(void* Y, const void* X, const void* W, size_t N, size_t I, size_t O) noexcept nogil
        void (*affine_maxout)(void* best, int32_t* which, const void* X, const void* W, const void* b, size_t N, size_t I, size_t O, size_t P) noexcept nogil
        void (*affine_maxout_layer_norm)(void* Y, void* best, int32_t* which, void* mu, void* rstd, const void* X, const void* W, const void* b, const void* G, const void* beta, double eps, size_t N, size_t I, size_t O, size_t P) noexcept nogil
        bad_t (*gather_add)(void* Y, const void* table, const int32_t* indices, size_t T, size_t O, size_t B, size_t K) noexcept nogil
        void (*hash_embed)(void* Y, const void* E, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V) noexcept nogil

    cdef struct Kernels:  # a WeightKernels, too
        void (*gemm)(int trans_a, int trans_b, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda, const void* B, size_t ldb, double beta, void* C, size_t ldc) noexcept nogil
        void (*layer_norm)(void* Y, void* mu, void* rstd, const void* X, const void* G, const void* b, double eps, size_t N, size_t I) noexcept nogil
        void (*backprop_layer_norm)(void* dX, void* dG, void* db, const void* dY, const void* X, const void* G, const void* mu, const void* rstd, size_t N, size_t I) noexcept nogil
        void (*softmax)(void* Y, const void* X, double inverse_temperature, size_t N, size_t O) noexcept nogil
        void (*backprop_softmax)(void* dX, const void* Y, const void* dY, double inverse_temperature, size_t N, size_t O) noexcept nogil
        bad_t (*backprop_cross_entropy)(void* dX, const void* Y, const int32_t* classes, double right, double wrong, double scale, size_t N, size_t O) noexcept nogil
        void (*cosine_distance)(void* dY, void* cosines, const void* Y, const void* truths, double scale, size_t N, size_t O) noexcept nogil
        double (*l2_distance)(void* dY, const void* Y, const void* truths, double scale, size_t n) noexcept nogil
        void (*sum_rows)(void* sums, const void* X, size_t N, size_t O) noexcept nogil
        void (*adam)(void* w, void* g, void* m, void* v, double b1, double b2, double eps, double lr, size_t n) noexcept nogil
        void (*update_averages)(void* ema, const void* w, double decay, size_t n) noexcept nogil
        double (*sum_squares)(const void* x, size_t n) noexcept nogil
        void (*scale)(void* x, double factor, size_t n) noexcept nogil
        void (*optimizer_step)(void* w, void* g, void* m, void* v, void* ema, size_t n, const double* settings) noexcept nogil
        void (*dropout_mask)(void* mask, double drop, uint64_t seed, size_t n) noexcept nogil
        void (*maxout)(void* best, int32_t* which, const void* X, size_t N, size_t O, size_t P) noexcept nogil
        bad_t (*backprop_maxout)(void* dX, const void* dY, const int32_t* which, size_t N, size_t O, size_t P) noexcept nogil
        void (*seq2col)(void* Y, const void* X, const int32_t* lengths, size_t B, size_t T, size_t I, size_t W) noexcept nogil
        void (*backprop_seq2col)(void* dX, const void* dY, const int32_t* lengths, size_t B, size_t T, size_t I, size_t W) noexcept nogil
        void (*softmax_sequences)(void* Y, const void* X, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*backprop_softmax_sequences)(void* dX, const void* dY, const void* Y, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*reduce_sum)(void* Y, const void* X, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*reduce_mean)(void* Y, const void* X, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*reduce_max)(void* Y, int32_t* which, const void* X, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*backprop_reduce_sum)(void* dX, const void* dY, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        void (*backprop_reduce_mean)(void* dX, const void* dY, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        bad_t (*backprop_reduce_max)(void* dX, const void* dY, const int32_t* which, const int32_t* lengths, size_t B, size_t O) noexcept nogil
        bad_t (*scatter_add)(void* table, const int32_t* indices, const void* values, size_t T, size_t O, size_t N) noexcept nogil
        void (*backprop_hash_embed)(void* dE, const void* dY, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V) noexcept nogil
        void (*sparse_linear)(void* Y, const int32_t* cells, const void* values, const int32_t* lengths, const void* W, const void* b, size_t B, size_t N, size_t O, uint64_t length, int v1) noexcept nogil
        void (*backprop_sparse_linear)(void* dW, void* db, const void* dY, const int32_t* cells, const void* values, const int32_t* lengths, size_t B, size_t N, size_t O, uint64_t length, int v1) noexcept nogil
        void (*lstm_gates)(void* G, void* C, void* Y, const void* A, const void* b, const void* C_prev, size_t R, size_t O) noexcept nogil
        void (*backprop_lstm_gates)(void* dA, void* dC, const void* dY, const void* G, const void* C, const void* C_prev, size_t R, size_t O) noexcept nogil
        forward_t* forward
        backward_t* backward

    cdef struct KernelTable:
        Kernels f32
        Kernels f64
        WeightKernels half
        WeightKernels int8
        void (*hash)(uint32_t* keys, const uint64_t* ids, uint32_t seed, size_t N) noexcept nogil
        void (*sparse_cells)(int32_t* cells, const uint64_t* keys, uint64_t length, int v1, size_t N) noexcept nogil
        void (*ngrams)(uint64_t* keys, const uint64_t* ids, size_t n, size_t N) noexcept nogil


# The table of the CPU level in use; only the extension `levels` links the kernels.
cdef const KernelTable* table() noexcept nogil
