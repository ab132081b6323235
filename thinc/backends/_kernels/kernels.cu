// The loops on a GPU, over the formulas of include/thinc. cuda.py joins the headers and the families into one source.
//
// A kernel's head declares it in Python, too: what it writes, then what it reads (const), each with its shape, then
// numbers: i64 or double. A dimension has one size in all arrays of a call, "+" is at least 1, and `n` in front stands
// for any dimensions; as a number it is their product. A null array means "none".
//
// Kernels exist for float and double, `name_f32` and `name_f64` (real); those that only move or map elements for
// numbers of 16 bits, too: `_f16` and `_bf16` (stored), and some for integers: `_i32` and `_i64` (item). They walk
// their elements in strides of the whole grid: results do not depend on the shape of a launch, and each element is
// written by one thread, so that they are the same every time. The two exceptions, which add at places that threads may
// share, take `lanes`: 1 makes them run in order. A WARP_KERNEL has a warp for each row.
//
// Sequences are given by `ends`, the running sums of their lengths. An index out of range counts as no row: nothing is
// read or written there, since raising would make the host wait.
// N rows, B sequences, T all rows (`rows`), I and O widths, P pieces, W window, V rows of a table.

typedef long long i64;

#include "thinc/portable.hh"
#include "thinc/activations.hh"
#include "thinc/half.hh"
#include "thinc/hashing.hh"
#include "thinc/lstm.hh"
#include "thinc/updates.hh"

#ifndef THINC_BARRIER  // (the emulation on a CPU has its own)
#define THINC_BARRIER() __syncthreads()
#define THINC_SHUFFLE_XOR(x, lane) __shfl_xor_sync(0xffffffffu, x, lane)
#define THINC_SHARED(type, name, n) __shared__ type name[n]
#endif

#define THINC_EACH(i, n) \
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (i64)gridDim.x * blockDim.x)

THINC_BEGIN

enum { WARP = 32 };

// Sums over a warp; every thread gets the result, added in the same order.
template <class T>
__device__ __forceinline__ T warp_sum(T x) {
  for (int lane = WARP / 2; lane > 0; lane /= 2) x += THINC_SHUFFLE_XOR(x, lane);
  return x;
}

template <class T>
__device__ __forceinline__ T warp_max(T x) {
  for (int lane = WARP / 2; lane > 0; lane /= 2) {
    const T other = THINC_SHUFFLE_XOR(x, lane);
    x = exceeds(other, x) ? other : x;
  }
  return x;
}

// The rows of this warp: one at a time, and all threads of a warp in the same one.
#define THINC_EACH_ROW(n, N)           \
  const int lane = threadIdx.x % WARP; \
  for (i64 n = ((i64)blockIdx.x * blockDim.x + threadIdx.x) / WARP; n < (N); n += (i64)gridDim.x * blockDim.x / WARP)

// The sequence that row t is in: the first whose end is behind t.
__device__ __forceinline__ i64 sequence_of(const i64* ends, i64 B, i64 t) {
  i64 low = 0, high = B - 1;
  while (low < high) {
    const i64 middle = (low + high) / 2;
    if (ends[middle] > t) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

__device__ __forceinline__ i64 start_of(const i64* ends, i64 b) { return b ? ends[b - 1] : 0; }

__device__ __forceinline__ void hashed_rows(i64* rows, uint64_t id, uint32_t seed, const Modulo& modulo) {
  uint64_t low, high;
  murmur_128(&low, &high, id, seed);
  rows[0] = (i64)modulo.of((uint32_t)low);
  rows[1] = (i64)modulo.of((uint32_t)(low >> 32));
  rows[2] = (i64)modulo.of((uint32_t)high);
  rows[3] = (i64)modulo.of((uint32_t)(high >> 32));
}

// The largest of P pieces, a bias added to each if there is one; the first of equals, and the first NaN.
template <class T>
__device__ __forceinline__ T best_piece(int* which, const T* x, const T* bias, i64 P) {
  T best = bias ? x[0] + bias[0] : x[0];
  *which = 0;
  for (i64 p = 1; p < P; ++p) {
    const T piece = bias ? x[p] + bias[p] : x[p];
    if (exceeds(piece, best)) {
      best = piece;
      *which = (int)p;
    }
  }
  return best;
}

__device__ __forceinline__ i64 end_of_chunk(i64 size, i64 start, i64 chunk_size) {
  return start + chunk_size < size ? start + chunk_size : size;
}

// This thread's part of the squares of g + l2 w between two elements.
template <class T>
__device__ __forceinline__ double squares_between(const T* g, const T* w, double l2, i64 start, i64 end) {
  double sum = 0;
  for (i64 i = start + threadIdx.x; i < end; i += blockDim.x) {
    const double x = l2 != 0 ? (double)(g[i] + T(l2) * w[i]) : (double)g[i];
    sum += x * x;
  }
  return sum;
}

// The sum over a block, for its first thread. of_warp: 32 shared numbers.
__device__ __forceinline__ double block_sum(double* of_warp, double x) {
  x = warp_sum(x);
  THINC_BARRIER();  // of_warp may still be read for the block's last sum
  if (threadIdx.x % WARP == 0) of_warp[threadIdx.x / WARP] = x;
  THINC_BARRIER();
  double sum = 0;
  if (threadIdx.x == 0)
    for (int i = 0; i < (int)(blockDim.x / WARP); ++i) sum += of_warp[i];
  return sum;
}

// A block updates the elements between two of w, g, m, v and the average, if there is one.
template <class T, int kind>
__device__ __forceinline__ void step_between(T* const* a, i64 start, i64 end, const StepNumbers<T>& s) {
  if (a[4]) {
    for (i64 i = start + threadIdx.x; i < end; i += blockDim.x)
      step_one<T, kind, true>(s, a[0], a[1], a[2], a[3], a[4], i);
  } else {
    for (i64 i = start + threadIdx.x; i < end; i += blockDim.x)
      step_one<T, kind, false>(s, a[0], a[1], a[2], a[3], a[4], i);
  }
}

template <class T, int kind>
__device__ __forceinline__ void step_each(T* w, T* g, T* m, T* v, T* ema, i64 n, const StepNumbers<T>& s) {
  if (ema) {
    THINC_EACH(i, n) step_one<T, kind, true>(s, w, g, m, v, ema, i);
  } else {
    THINC_EACH(i, n) step_one<T, kind, false>(s, w, g, m, v, ema, i);
  }
}

THINC_END

using namespace thinc::THINC_ISA;

#define WARP_KERNEL(name) KERNEL(name)

#define KERNEL(name) extern "C" __global__ void name##_f32
#define real float
#define stored float
#define item float
#include "families.cu"
#undef item
#undef stored
#undef real
#undef KERNEL

#define KERNEL(name) extern "C" __global__ void name##_f64
#define real double
#define stored double
#define item double
#include "families.cu"
#undef item
#undef stored
#undef real
#undef KERNEL

#define THINC_STORAGE
#define real float

#define KERNEL(name) extern "C" __global__ void name##_f16
#define stored Half
#define item Half
#include "families.cu"
#undef item
#undef stored
#undef KERNEL

#define KERNEL(name) extern "C" __global__ void name##_bf16
#define stored BFloat
#define item BFloat
#include "families.cu"
#undef item
#undef stored
#undef KERNEL

#define KERNEL(name) extern "C" __global__ void name##_i32
#define item int
#include "lists.cu"
#undef item
#undef KERNEL

#define KERNEL(name) extern "C" __global__ void name##_i64
#define item i64
#include "lists.cu"

#include "hashing.cu"
