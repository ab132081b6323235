// See threads.cc.
#pragma once

#include "thinc/table.hh"

namespace thinc {

// A table like `kernels`, whose large kernels are shared among the pool's threads, with the kernels of use_plain.
void make_threaded(KernelTable* threaded, const KernelTable* kernels);
void use_plain(const KernelTable* kernels);
int n_threads();
void set_pool_size(int n);  // n >= 1

}  // namespace thinc
