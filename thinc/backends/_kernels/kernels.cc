// All kernels of one CPU level. Compiled once per level with THINC_ISA naming its namespace and the flags of that
// level.
//
// Nothing here may have external linkage but `table()`: the linker merges weak symbols (templates, inline functions,
// anything from std::) across levels, and an AVX-512 copy could then run on an old CPU. Hence the unnamed namespace in
// every header (THINC_BEGIN); a test runs nm over the objects.
#include "thinc/activations.hh"
#include "thinc/dense.hh"
#include "thinc/embedding.hh"
#include "thinc/losses.hh"
#include "thinc/lstm.hh"
#include "thinc/norms.hh"
#include "thinc/sequences.hh"
#include "thinc/table.hh"
#include "thinc/updates.hh"

#ifndef THINC_ISA
#error "THINC_ISA must name the CPU level"
#endif

namespace thinc {
namespace THINC_ISA {

const KernelTable* table();

namespace {

// ---- activations: one loop each over the formulas in activations.hh
// `out` may be `x` and `dx` may be `dy`, so there is no restrict between them; element i depends on element i alone,
// which is what the simd pragma says.
template <class T, template <class> class Act>
void forward_loop(void* out, const void* x, size_t n, const double* params) {
  const Act<T> act(params);
  T* o = static_cast<T*>(out);
  const T* in = static_cast<const T*>(x);
#pragma omp simd
  for (size_t i = 0; i < n; ++i) o[i] = act.forward(in[i]);
}

template <class T, template <class> class Act, Reads reads>
void backward_loop(void* dx, const void* dy, const void* x, const void* y, size_t n, const double* params) {
  const Act<T> act(params);
  T* d = static_cast<T*>(dx);
  const T* in_dy = static_cast<const T*>(dy);
  const T* in_x = static_cast<const T*>(x);
  const T* in_y = static_cast<const T*>(y);
  if (reads == Reads::X) {
#pragma omp simd
    for (size_t i = 0; i < n; ++i) d[i] = act.backward(in_dy[i], in_x[i], T(0));
  } else if (reads == Reads::Y) {
#pragma omp simd
    for (size_t i = 0; i < n; ++i) d[i] = act.backward(in_dy[i], T(0), in_y[i]);
  } else {
#pragma omp simd
    for (size_t i = 0; i < n; ++i) d[i] = act.backward(in_dy[i], in_x[i], in_y[i]);
  }
}

#define THINC_FLOAT_ENTRY(result, name, arguments) &name<T>,
#define THINC_HALF_ENTRY(result, name, arguments) &name<float, Half>,
#define THINC_INT8_ENTRY(result, name, arguments) &name##_int8,
#define THINC_INTEGER_ENTRY(result, name, arguments) &name,
#define THINC_FORWARD(name, Act, ...) &forward_loop<T, Act>,
#define THINC_BACKWARD(name, Act, n_params, reads, ...) &backward_loop<T, Act, Reads::reads>,

template <class T>
constexpr Kernels float_kernels() {
  return {{THINC_WEIGHT_KERNELS(THINC_FLOAT_ENTRY)},
          THINC_FLOAT_KERNELS(THINC_FLOAT_ENTRY){THINC_ACTIVATIONS(THINC_FORWARD)},
          {THINC_ACTIVATIONS(THINC_BACKWARD)}};
}

}  // namespace

const KernelTable* table() {
  static constexpr KernelTable t = {float_kernels<float>(),
                                    float_kernels<double>(),
                                    {THINC_WEIGHT_KERNELS(THINC_HALF_ENTRY)},
                                    {THINC_WEIGHT_KERNELS(THINC_INT8_ENTRY)},
                                    THINC_INTEGER_KERNELS(THINC_INTEGER_ENTRY)};
  return &t;
}

}  // namespace THINC_ISA
}  // namespace thinc
