// See threads.cc.
#pragma once

#include "thinc/table.hh"

namespace thinc {

// A table like `kernels`, whose large kernels are shared among the pool's threads. One at a time.
const KernelTable* with_threads(const KernelTable* kernels);
int n_threads();
void set_pool_size(int n);  // n >= 1

}  // namespace thinc
