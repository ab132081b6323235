// Rows of tables.

KERNEL(gather_add)(stored* Y /*B, O*/, const stored* table /*V, O*/, const int* indices /*B, K*/, i64 V, i64 O, i64 B,
                   i64 K) {
  THINC_EACH(i, B * O) {
    real sum = real(0);
    for (i64 k = 0; k < K; ++k) {
      const i64 row = indices[i / O * K + k];
      if (row >= 0 && row < V) sum += real(table[row * O + i % O]);
    }
    Y[i] = stored(sum);
  }
}

KERNEL(hash_embed)(stored* Y /*N, O*/, const stored* E /*V+, O*/, const uint64_t* ids /*N*/, i64 seed, i64 N, i64 O,
                   i64 V) {
  const Modulo modulo((uint64_t)V);
  THINC_EACH(i, N * O) {
    i64 row[4];
    hashed_rows(row, ids[i / O], (uint32_t)seed, modulo);
    const stored* column = E + i % O;
    Y[i] = stored(((real(column[row[0] * O]) + real(column[row[1] * O])) + real(column[row[2] * O])) +
                  real(column[row[3] * O]));
  }
}

#ifndef THINC_STORAGE

// table (V, O) += values (N, O) at the rows; with lanes = 1 in order
KERNEL(scatter_add)(real* table /*V, O*/, const int* indices /*N*/, const real* values /*N, O*/, i64 V, i64 O, i64 N,
                    i64 lanes) {
  THINC_EACH(i, lanes * O) {
    for (i64 n = i / O; n < N; n += lanes) {
      const i64 row = indices[n];
      if (row >= 0 && row < V) atomicAdd(table + row * O + i % O, values[n * O + i % O]);
    }
  }
}

KERNEL(backprop_hash_embed)(real* dE /*V+, O*/, const real* dY /*N, O*/, const uint64_t* ids /*N*/, i64 seed, i64 N,
                            i64 O, i64 V, i64 lanes) {
  const Modulo modulo((uint64_t)V);
  THINC_EACH(i, lanes * O) {
    for (i64 n = i / O; n < N; n += lanes) {
      i64 row[4];
      hashed_rows(row, ids[n], (uint32_t)seed, modulo);
      for (int j = 0; j < 4; ++j) atomicAdd(dE + row[j] * O + i % O, dY[n * O + i % O]);
    }
  }
}

#endif
