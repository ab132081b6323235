// Two kernels for each row of THE LIST; dropout.

#define THINC_ACTIVATION(name, Act, n_params, reads, ...)                                                          \
  KERNEL(name)(stored * y /*n*/, const stored* x /*n*/, double p0, double p1, double p2, double p3, i64 n) {       \
    const double p[4] = {p0, p1, p2, p3};                                                                          \
    const Act<real> act(p);                                                                                        \
    THINC_EACH(i, n) y[i] = stored(act.forward(real(x[i])));                                                       \
  }                                                                                                                \
  KERNEL(backprop_##name)(stored * dx /*n*/, const stored* dy /*n*/, const stored* x /*n*/, const stored* y /*n*/, \
                          double p0, double p1, double p2, double p3, i64 n) {                                     \
    const double p[4] = {p0, p1, p2, p3};                                                                          \
    const Act<real> act(p);                                                                                        \
    const bool reads_x = Reads::reads != Reads::Y, reads_y = Reads::reads != Reads::X;                             \
    THINC_EACH(i, n)                                                                                               \
    dx[i] = stored(act.backward(real(dy[i]), reads_x ? real(x[i]) : real(0), reads_y ? real(y[i]) : real(0)));     \
  }
THINC_ACTIVATIONS(THINC_ACTIVATION)
#undef THINC_ACTIVATION

#ifndef THINC_STORAGE

KERNEL(dropout_mask)(real* mask /*n*/, double drop, i64 seed, i64 n) {
  const real keep = real(1.0 / (1.0 - drop));
  const uint32_t limit = (uint32_t)(drop * 16777216.0), key0 = (uint32_t)seed;
  THINC_EACH(i, n) {
    const uint32_t key1 = (uint32_t)((uint64_t)seed >> 32) ^ (uint32_t)(i >> 31);
    mask[i] = (counter_bits((uint32_t)(i & 0x7fffffff), key0, key1) >> 8) < limit ? real(0) : keep;
  }
}

#endif
