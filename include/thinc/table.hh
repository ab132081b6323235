// The kernel table: what every CPU level offers, and which level this process uses.
//
// Each level (base, avx2, avx512) compiles kernels.cc once and fills one KernelTable; dispatch.cc picks one at import.
// Those with instructions for bytes (dotprod, avx2_vnni, avx512_vnni) add int8_kernels.cc to the level below.
// A kernel serves float32 and float64 through one signature: its float arrays are void*, and `Kernels` exists once per
// dtype. Callers (the .pyx wrappers) have checked dtype, shape and contiguity; a kernel allocates nothing, raises
// nothing, needs no GIL, and reports bad data by returning the index of the first bad item (-1: none).
//
// Gradients of parameters (dG, db, dE, dW, the table of scatter_add) add: they must hold zeros or a sum so far. Every
// other output, dX included, is written whole.
#pragma once

#include "activations.hh"

namespace thinc {

typedef int64_t bad_t;  // index of the first bad item, or -1

// ROW(result, name, arguments). N rows, B sequences, T all rows, I in, O out, P pieces, K indices per row.
// clang-format off
/* those that read weights: in the type of the other numbers, in half or in int8 (float32 computes) */
#define THINC_WEIGHT_KERNELS(ROW)                                                                                      \
  /* dense.hh, int8.hh */                                                                                              \
  ROW(void, affine, (void* Y, const void* X, const void* W, const void* b, size_t N, size_t I, size_t O))              \
  ROW(void, add_product, (void* Y, const void* X, const void* W, size_t N, size_t I, size_t O))                        \
  ROW(void, affine_maxout, (void* best, int32_t* which, const void* X, size_t ldx, const void* W, const void* b,       \
                            size_t N, size_t I, size_t O, size_t P))                                                   \
  ROW(void, affine_maxout_layer_norm, (void* Y, void* best, int32_t* which, void* mu, void* rstd, const void* X,       \
                                       size_t ldx, const void* W, const void* b, const void* G, const void* beta,      \
                                       double eps, size_t N, size_t I, size_t O, size_t P))                            \
  /* embedding.hh */                                                                                                  \
  ROW(bad_t, gather_add, (void* Y, const void* table, const int32_t* indices, size_t T, size_t O, size_t B, size_t K)) \
  ROW(void, hash_embed, (void* Y, const void* E, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V))

#define THINC_FLOAT_KERNELS(ROW)                                                                                       \
  /* gemm.hh, dense.hh */                                                                                              \
  ROW(void, gemm, (int trans_a, int trans_b, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda,    \
                   const void* B, size_t ldb, double beta, void* C, size_t ldc))                                       \
  ROW(void, maxout, (void* best, int32_t* which, const void* X, size_t N, size_t O, size_t P))                         \
  ROW(bad_t, backprop_maxout, (void* dX, const void* dY, const int32_t* which, size_t N, size_t O, size_t P))          \
  /* norms.hh */                                                                                                       \
  ROW(void, layer_norm, (void* Y, void* mu, void* rstd, const void* X, const void* G, const void* b, double eps,       \
                         size_t N, size_t I))                                                                          \
  ROW(void, backprop_layer_norm, (void* dX, void* dG, void* db, const void* dY, const void* X, const void* G,          \
                                  const void* mu, const void* rstd, size_t N, size_t I))                               \
  ROW(void, softmax, (void* Y, const void* X, double inverse_temperature, size_t N, size_t O))                         \
  ROW(void, backprop_softmax, (void* dX, const void* Y, const void* dY, double inverse_temperature, size_t N,          \
                               size_t O))                                                                              \
  ROW(void, sum_rows, (void* sums, const void* X, size_t N, size_t O))                                                 \
  /* losses.hh */                                                                                                      \
  ROW(bad_t, backprop_cross_entropy, (void* dX, const void* Y, const int32_t* classes, double right, double wrong,     \
                                      double scale, size_t N, size_t O))                                               \
  ROW(void, cosine_distance, (void* dY, void* cosines, const void* Y, const void* truths, double scale, size_t N,      \
                              size_t O))                                                                               \
  ROW(double, l2_distance, (void* dY, const void* Y, const void* truths, double scale, size_t n))                      \
  /* sequences.hh */                                                                                                   \
  ROW(void, seq2col, (void* Y, const void* X, const int32_t* lengths, size_t B, size_t T, size_t I, size_t W))         \
  ROW(void, backprop_seq2col, (void* dX, const void* dY, const int32_t* lengths, size_t B, size_t T, size_t I,         \
                               size_t W))                                                                              \
  ROW(void, softmax_sequences, (void* Y, const void* X, const int32_t* lengths, size_t B, size_t O))                   \
  ROW(void, backprop_softmax_sequences, (void* dX, const void* dY, const void* Y, const int32_t* lengths, size_t B,    \
                                         size_t O))                                                                    \
  ROW(void, reduce_sum, (void* Y, const void* X, const int32_t* lengths, size_t B, size_t O))                          \
  ROW(void, reduce_mean, (void* Y, const void* X, const int32_t* lengths, size_t B, size_t O))                         \
  ROW(void, reduce_max, (void* Y, int32_t* which, const void* X, const int32_t* lengths, size_t B, size_t O))          \
  ROW(void, backprop_reduce_sum, (void* dX, const void* dY, const int32_t* lengths, size_t B, size_t O))               \
  ROW(void, backprop_reduce_mean, (void* dX, const void* dY, const int32_t* lengths, size_t B, size_t O))              \
  ROW(bad_t, backprop_reduce_max, (void* dX, const void* dY, const int32_t* which, const int32_t* lengths, size_t B,   \
                                   size_t O))                                                                          \
  /* embedding.hh */                                                                                                   \
  ROW(bad_t, scatter_add, (void* table, const int32_t* indices, const void* values, size_t T, size_t O, size_t N))     \
  ROW(void, backprop_hash_embed, (void* dE, const void* dY, const uint64_t* ids, uint32_t seed, size_t N, size_t O,    \
                                  size_t V))                                                                           \
  ROW(void, sparse_linear, (void* Y, const int32_t* cells, const void* values, const int32_t* lengths, const void* W,  \
                            const void* b, size_t B, size_t N, size_t O, uint64_t length, int v1))                     \
  ROW(void, backprop_sparse_linear, (void* dW, void* db, const void* dY, const int32_t* cells, const void* values,     \
                                     const int32_t* lengths, size_t B, size_t N, size_t O, uint64_t length, int v1))   \
  /* lstm.hh: one time step of one direction, R rows; A and dA (R, 4, O) gate-major, G (R, O, 4) or null */            \
  ROW(void, lstm_gates, (void* G, void* C, void* Y, const void* A, const void* b, const void* C_prev, size_t R,        \
                         size_t O))                                                                                    \
  ROW(void, backprop_lstm_gates, (void* dA, void* dC, const void* dY, const void* G, const void* C,                    \
                                  const void* C_prev, size_t R, size_t O))                                             \
  /* updates.hh */                                                                                                     \
  ROW(void, adam, (void* w, void* g, void* m, void* v, double b1, double b2, double eps, double lr, size_t n))         \
  ROW(void, update_averages, (void* ema, const void* w, double decay, size_t n))                                       \
  ROW(double, sum_squares, (const void* x, size_t n))                                                                  \
  ROW(void, scale, (void* x, double factor, size_t n))                                                                 \
  ROW(void, optimizer_step, (void* w, void* g, void* m, void* v, void* ema, size_t n, const double* settings))         \
  /* activations.hh, beside the list */                                                                                \
  ROW(void, dropout_mask, (void* mask, double drop, uint64_t seed, size_t n))

#define THINC_INTEGER_KERNELS(ROW)                                                                                     \
  ROW(void, hash, (uint32_t* keys, const uint64_t* ids, uint32_t seed, size_t N))                                      \
  ROW(void, sparse_cells, (int32_t* cells, const uint64_t* keys, uint64_t length, int v1, size_t N))                   \
  ROW(void, ngrams, (uint64_t* keys, const uint64_t* ids, size_t n, size_t N))
// clang-format on

typedef void (*forward_t)(void* out, const void* x, size_t n, const double* params);
typedef void (*backward_t)(void* dx, const void* dy, const void* x, const void* y, size_t n, const double* params);

#define THINC_MEMBER(result, name, arguments) result(*name) arguments;

struct WeightKernels {
  THINC_WEIGHT_KERNELS(THINC_MEMBER)
};

struct Kernels : WeightKernels {  // one dtype
  THINC_FLOAT_KERNELS(THINC_MEMBER)
  forward_t forward[THINC_N_ACTIVATIONS];  // in the order of THE LIST
  backward_t backward[THINC_N_ACTIVATIONS];
};

struct KernelTable {  // one CPU level
  Kernels f32;
  Kernels f64;
  WeightKernels half;
  WeightKernels int8;
  THINC_INTEGER_KERNELS(THINC_MEMBER)
};

#undef THINC_MEMBER

const KernelTable* kernels();         // of the level in use
const char* isa_name();               // "base", "avx2", "avx512_vnni", ...
bool isa_built(const char* isa);      // compiled into this build
bool isa_supported(const char* isa);  // built, and this CPU has its features
bool use_isa(const char* isa);        // false, and no change, if not supported
const char* best_isa();

// Threads that large kernels share their work among; 1 at first.
int n_threads();
void set_num_threads(int n);

}  // namespace thinc
