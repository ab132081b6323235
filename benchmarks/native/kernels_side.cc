// One side of kernels_bench.cc: the kernels of one source tree at one CPU level, by name. See there.
#include <string.h>

#include "kernels.cc"

#define SIDE_JOIN2(a, b) a##b
#define SIDE_JOIN(a, b) SIDE_JOIN2(a, b)

extern "C" const void* SIDE_JOIN(THINC_ISA, _kernel)(const char* wanted, int is_double) {
  const thinc::KernelTable* all = thinc::THINC_ISA::table();
  const thinc::Kernels& k = is_double ? all->f64 : all->f32;
#define SIDE_KERNEL(result, name, arguments) \
  if (strcmp(wanted, #name) == 0) return reinterpret_cast<const void*>(k.name);
  THINC_FLOAT_KERNELS(SIDE_KERNEL)
  int index = 0;
#define SIDE_ACTIVATION(name, ...)                                                                     \
  if (strcmp(wanted, #name) == 0) return reinterpret_cast<const void*>(k.forward[index]);              \
  if (strcmp(wanted, "backprop_" #name) == 0) return reinterpret_cast<const void*>(k.backward[index]); \
  ++index;
  THINC_ACTIVATIONS(SIDE_ACTIVATION)
  return nullptr;
}
