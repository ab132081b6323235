// The families: kernels.cu includes this file once for each dtype. 16 bits are for storage: of the other families they
// have nothing.

#include "lists.cu"
#include "activations.cu"
#include "embedding.cu"
#ifndef THINC_STORAGE
#include "dense.cu"
#include "norms.cu"
#include "losses.cu"
#include "sequences.cu"
#include "lstm.cu"
#include "updates.cu"
#endif
