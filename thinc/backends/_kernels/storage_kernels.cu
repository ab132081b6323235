// The kernels of one format of storage, `stored`: float, double, Half or BFloat. They compute in `real`.
// kernels.cu includes this file once for each. N rows, B sequences, O width, K indices a row, V rows of a table.

// ---- activations: two kernels for each row of THE LIST

#define THINC_ACTIVATION(name, Act, n_params, reads, ...)                                                        \
  KERNEL(name)(stored * y, const stored* x, double p0, double p1, double p2, double p3, i64 n) {                 \
    const double p[4] = {p0, p1, p2, p3};                                                                        \
    const Act<real> act(p);                                                                                      \
    THINC_EACH(i, n) y[i] = stored(act.forward(real(x[i])));                                                     \
  }                                                                                                              \
  KERNEL(backprop_##name)(stored * dx, const stored* dy, const stored* x, const stored* y, double p0, double p1, \
                          double p2, double p3, i64 n) {                                                         \
    const double p[4] = {p0, p1, p2, p3};                                                                        \
    const Act<real> act(p);                                                                                      \
    const bool reads_x = Reads::reads != Reads::Y, reads_y = Reads::reads != Reads::X;                           \
    THINC_EACH(i, n)                                                                                             \
    dx[i] = stored(act.backward(real(dy[i]), reads_x ? real(x[i]) : real(0), reads_y ? real(y[i]) : real(0)));   \
  }
THINC_ACTIVATIONS(THINC_ACTIVATION)
#undef THINC_ACTIVATION

// ---- rows of tables

KERNEL(gather_add)(stored* Y, const stored* table, const int* indices, i64 rows, i64 O, i64 B, i64 K) {
  THINC_EACH(i, B * O) {
    real sum = real(0);
    for (i64 k = 0; k < K; ++k) {
      const i64 row = indices[i / O * K + k];
      if (row >= 0 && row < rows) sum += real(table[row * O + i % O]);
    }
    Y[i] = stored(sum);
  }
}

KERNEL(hash_embed)(stored* Y, const stored* E, const uint64_t* ids, i64 seed, i64 N, i64 O, i64 V) {
  const Modulo modulo((uint64_t)V);
  THINC_EACH(i, N * O) {
    i64 row[4];
    hashed_rows(row, ids[i / O], (uint32_t)seed, modulo);
    const stored* column = E + i % O;
    Y[i] = stored(((real(column[row[0] * O]) + real(column[row[1] * O])) + real(column[row[2] * O])) +
                  real(column[row[3] * O]));
  }
}
