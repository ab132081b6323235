"""Cython's view of include/thinc/table.hh: names and results. The arguments stand there; the C++ compiler checks calls."""
from libc.stdint cimport int32_t, int64_t

ctypedef int64_t bad_t
ctypedef void (*kernel_t)(...) noexcept nogil
ctypedef bad_t (*checking_t)(...) noexcept nogil
ctypedef double (*sum_t)(...) noexcept nogil
ctypedef void (*reduce_t)(void*, const void*, const int32_t*, size_t, size_t) noexcept nogil


cdef extern from "thinc/table.hh" namespace "thinc" nogil:
    ctypedef void (*forward_t)(void*, const void*, size_t, const double*) noexcept nogil
    ctypedef void (*backward_t)(
        void*, const void*, const void*, const void*, size_t, const double*
    ) noexcept nogil

    cdef struct WeightKernels:
        kernel_t affine, add_product, affine_maxout, affine_maxout_layer_norm, hash_embed
        checking_t gather_add

    cdef struct Kernels:  # a WeightKernels, too
        kernel_t gemm, maxout
        kernel_t layer_norm, backprop_layer_norm, softmax, backprop_softmax, sum_rows
        kernel_t cosine_distance
        kernel_t seq2col, backprop_seq2col, softmax_sequences, backprop_softmax_sequences, reduce_max
        reduce_t reduce_sum, reduce_mean, backprop_reduce_sum, backprop_reduce_mean
        kernel_t backprop_hash_embed, sparse_linear, backprop_sparse_linear
        kernel_t lstm_gates, backprop_lstm_gates
        kernel_t adam, update_averages, scale, optimizer_step, dropout_mask
        checking_t backprop_maxout, backprop_cross_entropy, backprop_reduce_max, scatter_add
        sum_t l2_distance, sum_squares
        forward_t* forward
        backward_t* backward

    cdef struct KernelTable:
        Kernels f32
        Kernels f64
        WeightKernels half, int8
        kernel_t hash, sparse_cells, ngrams


# The table of the CPU level in use; only the extension `levels` links the kernels.
cdef const KernelTable* table() noexcept nogil
