// The products with weights of 8 bits, compiled once more for each instruction set that multiplies and adds four bytes
// at a time: a CPU level of its own, which has all other kernels from the level below. What kernels.cc says of linkage
// holds here.
#include "thinc/int8.hh"
#include "thinc/table.hh"

#ifndef THINC_ISA
#error "THINC_ISA must name the CPU level"
#endif

namespace thinc {
namespace THINC_ISA {

void use_int8_products(WeightKernels* table);

void use_int8_products(WeightKernels* table) {
  table->affine = affine_int8;
  table->add_product = add_product_int8;
  table->affine_maxout = affine_maxout_int8;
  table->affine_maxout_layer_norm = affine_maxout_layer_norm_int8;
}

}  // namespace THINC_ISA
}  // namespace thinc
